"""The pipeline as dvc.yaml declares it, for Snakemake's rules, and for keeping its ledger."""

import hashlib
import io
import itertools
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

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
        self._root = root
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
        """What a rule waits for: the stage's dependencies, with a folder replaced by what is in it.

        That is the outputs that stages write there, or else the files that DVC would hash. The stage's
        dvc.yaml and params.yaml come last: DVC decides by content whether a change in them matters.
        """
        produced = self.outputs(*self.stages)
        inputs = []
        for dep in self.stages[name].deps:
            within = [path for path in produced if PurePosixPath(dep) in PurePosixPath(path).parents]
            inputs += within or self._files(dep) or [dep]
        return [*dict.fromkeys(inputs), self.stages[name].definition, PARAMS]

    def _files(self, folder: str) -> list[str]:
        """The files in a folder of the source, except those that .dvcignore keeps out."""
        files = (file.relative_to(self._root) for file in (self._root / folder).rglob("*") if file.is_file())
        return sorted(
            file.as_posix()
            for file in files
            if not any(part[0] == "." or part == "__pycache__" for part in file.parts)
        )


def _stage(name: str, file: str, definition: dict[str, Any], values: dict[str, Any]) -> Stage:
    matrix = Context(values).resolve(definition.get("matrix", {}))
    items = tuple(dict(zip(matrix, item, strict=True)) for item in itertools.product(*matrix.values()))
    context = Context(values, item={key: f"{{{key}}}" for key in matrix})

    def paths(*kinds: str) -> tuple[str, ...]:
        entries = [entry for kind in kinds for entry in context.resolve(definition.get(kind, []))]
        return tuple(entry if isinstance(entry, str) else next(iter(entry)) for entry in entries)

    return Stage(name, file, items, paths("deps"), paths("plots", "metrics", "outs"))


class Pruned(NamedTuple):
    """What :func:`prune` did, and what it left."""

    removed: list[str]  # paths, and names of jobs
    left: list[str]  # paths of what a job wrote and somebody changed since


def prune(root: Path, definition: str = DEFAULT) -> Pruned:
    """Remove what jobs wrote that the parameters no longer name, and their records in the ledger.

    Only files that the ledger says such a job wrote, with the bytes that it wrote. The ledger is replaced
    whole or not at all.

    Args:
        root: of the project.
        definition: the dvc.yaml whose stages are meant; what any other's wrote is left alone.
    """
    pipeline, pruned = Pipeline(root), Pruned([], [])
    stages = [stage for stage in pipeline.stages.values() if stage.definition == definition]
    declared = {job for stage in stages for job in pipeline.jobs(stage.name)}
    wanted = set(pipeline.outputs(*pipeline.stages))
    temporary = root / ".dvc" / "tmp"
    ledger = root / Path(definition).with_suffix(".lock")
    # DVC writes the ledger under this lock, and lets go of it while it runs a command such as this one
    temporary.mkdir(exist_ok=True)
    with make_lock(str(temporary / "lock"), tmp_dir=str(temporary), wait=True):
        yaml = YAML()
        content = yaml.load(ledger) if ledger.exists() else {}
        stale = sorted(content.get("stages", {}).keys() - declared)
        for job in stale:
            for out in content["stages"].pop(job)["outs"]:
                path = root / out["path"]
                if out["path"] in wanted or not path.is_file():
                    continue
                if hashlib.md5(path.read_bytes()).hexdigest() == out["md5"]:
                    path.unlink()
                    pruned.removed.append(out["path"])
                else:
                    pruned.left.append(out["path"])
        if stale:
            text = io.StringIO()
            yaml.dump(content, text)
            new = temporary / "ledger.new"
            new.write_text(text.getvalue())
            new.replace(ledger)
    pruned.removed.extend(stale)
    return pruned


def records(root: Path) -> dict[str, Any]:
    """The jobs that ``root/dvc.lock`` records, by name."""
    ledger = root / LEDGER
    return YAML(typ="safe").load(ledger)["stages"] if ledger.exists() else {}
