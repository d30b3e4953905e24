"""What DVC recorded of each job: command, parameters, and the hash of all that it read and wrote."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from dvcrules.errors import unreadable_ledger
from dvcrules.ledger import read_ledger
from dvcrules.pipeline import DEFAULT

STUDIES = "studies/dvc.yaml"  # what runs only when asked for by name


@dataclass(frozen=True)
class Job:
    """A job as its ledger has it; paths are relative to the root, and map to md5 sums.

    Args:
        name: such as ``train@vae-2``.
        definition: the dvc.yaml that declares it.
        commands: one or more lines of shell.
        params: values from params.yaml, by key.
        deps: what it read.
        outs: what it wrote.
    """

    name: str
    definition: str
    commands: tuple[str, ...]
    params: dict[str, Any] = field(default_factory=dict)
    deps: dict[str, str] = field(default_factory=dict)
    outs: dict[str, str] = field(default_factory=dict)


class Ledger:
    """All jobs that ``root``'s ledgers record."""

    def __init__(self, root: Path) -> None:
        self.jobs = {job.name: job for file in (DEFAULT, STUDIES) for job in _jobs(root, file)}
        self._makers = {path: job for job in self.jobs.values() for path in job.outs}

    def maker(self, path: str) -> Job | None:
        """The job that wrote a file."""
        return self._makers.get(path)

    def makers(self, path: str) -> list[tuple[str, Job]]:
        """The files at a path, or in it if it is a folder, that jobs wrote, each with its job."""
        return [
            (out, job)
            for out, job in self._makers.items()
            if out == path or PurePosixPath(path) in PurePosixPath(out).parents
        ]

    def in_order(self) -> list[Job]:
        """The jobs, each after those whose files it read."""
        ordered: dict[str, Job] = {}

        def visit(job: Job) -> None:
            if job.name not in ordered:
                for dep in job.deps:
                    for _, maker in self.makers(dep):
                        visit(maker)
                ordered[job.name] = job

        for job in self.jobs.values():
            visit(job)
        return list(ordered.values())


def _jobs(root: Path, definition: str) -> Iterator[Job]:
    path = (root / definition).with_suffix(".lock")
    for name, record in (read_ledger(path).get("stages") or {}).items():
        command = record["cmd"]
        try:
            deps, outs = (
                {file["path"]: file["md5"] for file in record.get(kind, [])} for kind in ("deps", "outs")
            )
        except KeyError:
            raise unreadable_ledger(path, f"cut off at {name}") from None
        params = {key: value for values in record.get("params", {}).values() for key, value in values.items()}
        yield Job(
            name, definition, (command,) if isinstance(command, str) else tuple(command), params, deps, outs
        )
