"""The stages of every dvc.yaml of a project, as DVC reads them and as Snakemake is to see them."""

import os
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from dvc.dvcfile import load_file
from dvc.fs import localfs
from dvc.output import Output
from dvc.repo import Repo
from dvc.stage import PipelineStage

from dvcrules.errors import BridgeError, one_sentence
from dvcrules.templates import Template, template

DEFAULT = "dvc.yaml"  # whose stages `dvc repro` runs unless asked otherwise
MARKERS = ".dvc/tmp/dvcrules"  # a file for each job with outputs that Snakemake must not touch


@dataclass(frozen=True)
class Job:
    """What DVC calls a stage: all templates filled in. Paths are relative to the project's root.

    Args:
        address: what ``dvc repro`` takes, such as ``dvc.yaml:train@vae-2``.
        stage: DVC's own.
        outs: paths of all outputs: plots, metrics, and the rest.
        shown: those of them that Snakemake sees.
        marker: the file that stands for those that it does not see, or for none at all.
    """

    address: str
    stage: PipelineStage
    outs: tuple[str, ...]
    shown: tuple[str, ...]
    marker: str | None

    @property
    def seen(self) -> tuple[str, ...]:
        """What Snakemake knows as the job's outputs."""
        return (*self.shown, self.marker) if self.marker else self.shown


@dataclass(frozen=True)
class Stage:
    """A stage as it is written in a dvc.yaml; with a foreach or matrix, it has a job for each item.

    Args:
        name: as in dvc.yaml.
        definition: the dvc.yaml, relative to the project's root.
        job: how DVC calls a job in that file, with wildcards, such as ``train@{model}-{z}``.
        jobs: all of them.
        deps: what its jobs depend on, files of parameters included.
        outs: patterns of the files that Snakemake sees: plots, metrics, other outputs, a marker.
        values: those of each wildcard.
    """

    name: str
    definition: str
    job: str
    jobs: tuple[Job, ...]
    deps: tuple[str, ...]
    outs: tuple[str, ...]
    values: dict[str, tuple[str, ...]]

    @property
    def address(self) -> str:
        """What ``dvc repro`` takes, with wildcards."""
        return f"{self.definition}:{self.job}"

    def find(self, wildcards: dict[str, str]) -> Job:
        """The job with these wildcards.

        Raises:
            BridgeError: there is none.
        """
        address = self.address.format(**wildcards)
        for job in self.jobs:
            if job.address == address:
                return job
        raise BridgeError(f"{self.definition}: no stage has the job {address.partition(':')[2]}")


class Pipeline:
    """The stages of a project, by name; by ``folder/dvc.yaml:name`` if another dvc.yaml has that name too.

    Args:
        root: the project's, where ``.dvc`` is.

    Raises:
        BridgeError: DVC can't read the project, or this bridge can't carry it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        if set("{}") & set(str(root.resolve())):
            raise BridgeError(f"{root.resolve()}: DVC fails where a folder's name has braces; rename it")
        with one_sentence():
            self.repo = Repo(str(root), _wait_for_lock=True)
            if not root.samefile(self.repo.root_dir):
                raise BridgeError(f"DVC's root is {self.repo.root_dir}: run from there")
            if self.repo.config["hydra"].get("enabled"):
                raise BridgeError("hydra.enabled: its parameters exist only in `dvc exp run`, not here")
            with self.repo.lock:  # nobody writes a dvc.lock meanwhile
                self.repo.index.check_graph()
            stages = [stage for stage in self.repo.index.stages if isinstance(stage, PipelineStage)]
            groups: dict[tuple[str, str], list[PipelineStage]] = defaultdict(list)
            for stage in stages:
                name = stage.raw_data.generated_from or stage.name
                groups[stage.path, name].append(stage)
            files = {path: load_file(self.repo, path) for path, _ in groups}
            found = [
                self._stage(name, jobs, template(files[path], name)) for (path, name), jobs in groups.items()
            ]
        names = [stage.name for stage in found]
        self.stages = {
            stage.name
            if stage.definition == DEFAULT or names.count(stage.name) == 1
            else f"{stage.definition}:{stage.name}": stage
            for stage in found
        }
        self._seen = {
            out: path if path in job.shown else job.seen[-1]
            for stage in found
            for job in stage.jobs
            for path, out in zip(job.outs, _ordered(job.stage.outs), strict=True)
        }

    def __getitem__(self, name: str) -> Stage:
        """A stage by its name, or by its address ``folder/dvc.yaml:name``."""
        for key, stage in self.stages.items():
            if name in (key, f"{stage.definition}:{stage.name}"):
                return stage
        raise BridgeError(
            f"no dvc.yaml has one stage {name!r} with a job; those that there are: {', '.join(self.stages)}"
        )

    def default(self) -> list[str]:
        """The names of the stages that run unless asked otherwise."""
        return [name for name, stage in self.stages.items() if stage.definition == DEFAULT]

    def jobs(self, name: str) -> list[str]:
        """What dvc.lock calls the jobs of a stage."""
        return [job.stage.name for job in self[name].jobs]

    def outputs(self, *names: str) -> list[str]:
        """Every output of these stages, for all their items."""
        return [path for name in names for job in self[name].jobs for path in job.outs]

    def inputs(self, job: Job) -> list[str]:
        """What a job waits for: outputs of other jobs as Snakemake sees them, and files that no stage makes.

        No folder is among them that no stage makes (DVC looks into it), and nothing that a frozen stage
        depends on (DVC doesn't look at it).
        """
        inputs: dict[str, None] = {}
        for dep in () if job.stage.frozen else job.stage.deps:
            if dep.protocol != "local":
                continue
            producers = self._producers(dep.fs_path)
            made = [self._seen[out] for out in producers if out in self._seen]
            inputs |= dict.fromkeys(made)
            path = Path(dep.fs_path)
            # what a .dvc file should put there may be gone, which is for DVC to say
            if not made and not path.is_dir() and (not producers or path.exists()):
                inputs[self.relative(dep.fs_path)] = None
        return list(inputs)

    def sources(self, stage: Stage) -> list[str]:
        """The .dvc files (of ``dvc add`` or ``dvc import``) whose files a stage depends on."""
        deps = (dep.fs_path for job in stage.jobs for dep in job.stage.deps if dep.protocol == "local")
        makers = {out.stage for dep in deps for out in self._producers(dep)}
        return sorted(maker.path_in_repo for maker in makers if not isinstance(maker, PipelineStage))

    def _producers(self, path: str) -> list[Output]:
        """The outputs that are a path, or lie in it, or in which it lies."""
        trie, key = self.repo.index.outs_trie, localfs.parts(path)
        producers = [node.value for node in trie.prefixes(key)]
        return [*producers, *(trie.values(prefix=key) if trie.has_subtrie(key) else ())]

    def relative(self, path: str) -> str:
        """A path, seen from the root."""
        return Path(os.path.relpath(path, self.repo.root_dir)).as_posix()

    def _stage(self, name: str, stages: list[PipelineStage], made: Template | None) -> Stage:
        definition = Path(stages[0].path_in_repo).as_posix()
        outs = [_ordered(stage.outs) for stage in stages]
        paths = [tuple(self.relative(out.fs_path) for out in row) for row in outs]
        values = [made.values[stage.name.removeprefix(f"{name}@")] if made else {} for stage in stages]
        _refuse(f"{definition}: {name}", outs, values)
        patterns = [self.relative(out) for out in made.outs] if made else list(paths[0])

        def can_be_shown(i: int, job: str) -> bool:
            """Can Snakemake see the outputs of a pattern, and find the job by its wildcards?"""
            right = all(patterns[i].format(**row) == outs[i] for row, outs in zip(values, paths, strict=True))
            alike = _wildcards(patterns[i]) == _wildcards(job)
            return right and alike and all(_is_plain_file(row[i]) for row in outs)

        shown = {
            job: [pattern for i, pattern in enumerate(patterns) if can_be_shown(i, job)]
            for job in (made.jobs if made else [name])
        }
        job = max(shown, key=lambda job: len(shown[job]))
        complete = bool(patterns) and len(shown[job]) == len(patterns)
        marker = () if complete else (f"{MARKERS}/{definition}:{job}",)
        jobs = tuple(
            Job(
                address=f"{definition}:{stage.name}",
                stage=stage,
                outs=outs,
                shown=tuple(pattern.format(**row) for pattern in shown[job]),
                marker=marker[0].format(**row) if marker else None,
            )
            for stage, outs, row in zip(stages, paths, values, strict=True)
        )
        deps = dict.fromkeys(self.relative(dep.fs_path) for stage in stages for dep in stage.deps)
        found = {key: tuple(dict.fromkeys(row[key] for row in values)) for key in _wildcards(job)}
        return Stage(name, definition, job, jobs, tuple(deps), (*shown[job], *marker), found)


def _ordered(outs: list[Output]) -> list[Output]:
    """What is looked at comes first: plots, metrics, the rest."""
    return sorted(outs, key=lambda out: (not out.is_plot, not out.is_metric))


def _is_plain_file(out: Output) -> bool:
    """Is an output neither a folder, into which Snakemake would write, nor to be kept by a job that fails?

    What has no suffix is taken for a folder, for it may not be there yet.
    """
    path = Path(out.fs_path)
    folder = (out.hash_info and out.hash_info.isdir) or path.is_dir()
    return bool(path.suffix) and not folder and not out.persist


def _wildcards(pattern: str) -> set[str]:
    return set(re.findall(r"{(\w+)}", pattern))


def _refuse(stage: str, outs: list[list[Output]], values: list[dict[str, str]]) -> None:
    """Refuse what Snakemake can't be told of a stage."""
    paths = [out for row in outs for out in row]
    for out in paths:
        if out.protocol != "local":
            raise BridgeError(f"{stage}: {out}: Snakemake is told of outputs on this machine only")
    for text in [*map(str, paths), *(value for row in values for value in row.values())]:
        if set("{}") & set(text):
            raise BridgeError(f"{stage}: {text}: Snakemake takes braces for a wildcard; rename it")
