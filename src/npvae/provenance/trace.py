"""Where a file comes from: the chain of jobs behind it, down to MNIST's four files."""

import json
from pathlib import Path
from typing import Any

from rich.tree import Tree
from safetensors import SafetensorError, safe_open

from npvae.errors import NpvaeError
from npvae.files import CURE, reading
from npvae.provenance.ledger import Job, Ledger


def trace(root: Path, path: str) -> Tree:
    """The job that made a file, its command, parameters, sources and machine, and so on for all that it read.

    A job that several files come from is described once.

    Args:
        root: of the project.
        path: of the file, relative to it.

    Raises:
        NpvaeError: no recorded job made the file.
    """
    ledger = Ledger(root)
    job = ledger.maker(path)
    if job is None:
        raise NpvaeError(f"{path}: no recorded stage made it; `dvc.yaml` names what stages make")
    tree = Tree(f"[bold]{path}[/]  md5 {job.outs[path]}", highlight=False)
    _describe(tree, job, ledger, root, shown=set())
    return tree


def _describe(tree: Tree, job: Job, ledger: Ledger, root: Path, shown: set[str]) -> None:
    shown.add(job.name)
    branch = tree.add(f"made by [bold]{job.name}[/] of {job.definition}")
    for command in job.commands:
        branch.add(f"command  {command}")
    for key, value in job.params.items():
        branch.add(f"parameter  {key}: {json.dumps(value)}")
    for machine in _machines(job, ledger, root):
        branch.add(f"machine  {machine}")
    for dep, md5 in job.deps.items():
        makers = ledger.makers(dep)
        if not makers:
            branch.add(f"source  {dep}  md5 {md5}")
        for out, maker in makers:
            line = f"{out}  md5 {maker.outs[out]}"
            if maker.name in shown:
                branch.add(f"{line}  made by {maker.name}, above")
            else:
                _describe(branch.add(line), maker, ledger, root, shown)


def recorded_machines(job: Job, ledger: Ledger, root: Path) -> list[str]:
    """What a job ran on, as the metrics say that it made, or that were measured from its checkpoints."""
    trained = [sentence for path in _checkpoints(job) for sentence in _trained(path, ledger, root)]
    return list(dict.fromkeys(trained + _measured(job, root)))


def _machines(job: Job, ledger: Ledger, root: Path) -> list[str]:
    """The same, as its checkpoint says or, where that is not here, the metrics."""
    found = []
    for path in _checkpoints(job):
        try:
            with safe_open(root / path, framework="np") as file:
                made = json.loads((file.metadata() or {}).get("npvae", "{}")).get("trained_on")
            if made:
                from npvae.machine import sentence  # takes torch's time to import

                found.append(sentence(made))
        except (OSError, SafetensorError, AttributeError, KeyError, TypeError, ValueError):  # no checkpoint
            found += _trained(path, ledger, root)
    return list(dict.fromkeys(found + _measured(job, root)))


def _checkpoints(job: Job) -> list[str]:
    return [path for path in job.outs if path.endswith(".safetensors")]


def _trained(checkpoint: str, ledger: Ledger, root: Path) -> list[str]:
    users = [job for job in ledger.jobs.values() if checkpoint in job.deps]
    origins = [_origin(root / path) for job in users for path in job.outs]
    return [sentence for origin in origins for sentence in origin.get("trained", [])]


def _measured(job: Job, root: Path) -> list[str]:
    origins = [_origin(root / path) for path in job.outs]
    return [origin["measured"] for origin in origins if "measured" in origin]


def _origin(path: Path) -> dict[str, Any]:
    if path.suffix != ".json" or not path.is_file():
        return {}
    with reading(path, "JSON", CURE):
        content = json.loads(path.read_bytes())
    origin = content.get("origin") if isinstance(content, dict) else None
    return origin if isinstance(origin, dict) else {}
