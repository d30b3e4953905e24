"""The pipeline as dvc.yaml declares it, for Snakemake's rules, ``npvae prune`` and ``npvae check``."""

import itertools
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from dvc.lock import make_lock
from dvc.parsing.context import Context
from ruamel.yaml import YAML

PARAMS = "params.yaml"
LEDGER = "dvc.lock"
DEFAULT = "dvc.yaml"  # what runs unless asked otherwise
STUDIES = "studies/dvc.yaml"  # what runs only when asked for by name


@dataclass(frozen=True)
class Stage:
    """A stage of a dvc.yaml; in a matrix stage, ``{key}`` stands for an item's value in every path.

    Args:
        name: as in dvc.yaml.
        definition: the dvc.yaml that it stands in.
        items: the matrix, one mapping a job; a stage without a matrix has one empty item.
        deps: paths of dependencies.
        outs: paths of outputs, metrics and plots included.
    """

    name: str
    definition: str
    items: tuple[dict[str, Any], ...]
    deps: tuple[str, ...]
    outs: tuple[str, ...]

    @property
    def job(self) -> str:
        """What dvc.lock calls a job of this stage, such as ``train@{model}-{z}``."""
        keys = "-".join(f"{{{key}}}" for key in self.items[0])
        return f"{self.name}@{keys}" if keys else self.name

    def expand(self, pattern: str) -> list[str]:
        """``pattern`` for every item."""
        return [pattern.format(**item) for item in self.items]


class Pipeline:
    """The stages of both dvc.yaml, paths relative to ``root``, with the values of ``root/params.yaml``."""

    def __init__(self, root: Path) -> None:
        yaml = YAML(typ="safe")
        values = yaml.load(root / PARAMS)
        self.stages = {
            name: _stage(name, file, definition, values)
            for file in (DEFAULT, STUDIES)
            for name, definition in yaml.load(root / file)["stages"].items()
        }

    def default(self) -> list[str]:
        """The names of the stages that run unless asked otherwise."""
        return [name for name, stage in self.stages.items() if stage.definition == DEFAULT]

    def jobs(self, name: str) -> list[str]:
        """What dvc.lock calls the jobs of a stage."""
        return self.stages[name].expand(self.stages[name].job)

    def outputs(self, *names: str) -> list[str]:
        """Every output of these stages, for all their items."""
        stages = [self.stages[name] for name in names]
        return [path for stage in stages for out in stage.outs for path in stage.expand(out)]

    def inputs(self, name: str) -> list[str]:
        """What a rule waits for: the stage's dependencies, with a folder replaced by the outputs in it.

        Its dvc.yaml and params.yaml come last: DVC decides by content whether a change in them matters.
        """
        produced = self.outputs(*self.stages)
        inputs = []
        for dep in self.stages[name].deps:
            within = [path for path in produced if PurePosixPath(dep) in PurePosixPath(path).parents]
            inputs += within or [dep]
        return [*dict.fromkeys(inputs), self.stages[name].definition, PARAMS]


def _stage(name: str, file: str, definition: dict[str, Any], values: dict[str, Any]) -> Stage:
    matrix = Context(values).resolve(definition.get("matrix", {}))
    items = tuple(dict(zip(matrix, item, strict=True)) for item in itertools.product(*matrix.values()))
    context = Context(values, item={key: f"{{{key}}}" for key in matrix})

    def paths(*kinds: str) -> tuple[str, ...]:
        entries = [entry for kind in kinds for entry in context.resolve(definition.get(kind, []))]
        return tuple(entry if isinstance(entry, str) else next(iter(entry)) for entry in entries)

    return Stage(name, file, items, paths("deps"), paths("plots", "metrics", "outs"))


def prune(root: Path) -> list[str]:
    """Remove files that matrix stages wrote for other parameters, and records of such jobs in dvc.lock.

    Returns:
        What was removed: paths, and names of jobs.
    """
    pipeline = Pipeline(root)
    removed = []
    declared = set(pipeline.outputs(*pipeline.stages))
    for stage in pipeline.stages.values():
        for out in stage.outs if stage.items[0] else ():
            pattern = re.compile(re.sub(r"\\\{\w+\\\}", r"[^/]+", re.escape(out)))
            for file in (root / out).parent.glob("*"):
                path = file.relative_to(root).as_posix()
                if pattern.fullmatch(path) and path not in declared:
                    file.unlink()
                    removed.append(path)
    temporary = root / ".dvc" / "tmp"
    # DVC writes the ledger under this lock, and lets go of it while it runs a command such as this one
    with make_lock(str(temporary / "lock"), tmp_dir=str(temporary), wait=True):
        declared = {job for name in pipeline.default() for job in pipeline.jobs(name)}
        if stale := sorted(records(root).keys() - declared):
            yaml = YAML()
            ledger = yaml.load(root / LEDGER)
            for job in stale:
                del ledger["stages"][job]
            yaml.dump(ledger, root / LEDGER)
    return removed + stale


def records(root: Path) -> dict[str, Any]:
    """The jobs that ``root/dvc.lock`` records, by name."""
    ledger = root / LEDGER
    return YAML(typ="safe").load(ledger)["stages"] if ledger.exists() else {}
