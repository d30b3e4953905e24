"""Is every committed result what its records say? Made again where that needs no cache, and no training."""

import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from matplotlib.testing.compare import compare_images
from matplotlib.testing.exceptions import ImageComparisonFailure

from dvcrules.pipeline import DEFAULT, Pipeline
from npvae.errors import NpvaeError
from npvae.provenance.check import check
from npvae.provenance.compare import TOLERANCE
from npvae.provenance.history import kept_by_git
from npvae.provenance.ledger import Job, Ledger

_CLOSE = 1e-6  # relative: how far another machine's arithmetic may move a number


def broken_links(root: Path) -> Iterator[str]:
    """What is wrong with the chain, from the data to the figures, a sentence each; nothing if all is right.

    First what the records say, then files of git's that no stage makes, then each result that differs from
    what its own command gives now, of those jobs whose every input is in git.
    """
    ledger, pipeline = Ledger(root), Pipeline(root)
    problems = check(root).problems
    order = {job.name: place for place, job in enumerate(ledger.in_order())}
    yield from sorted(problems, key=lambda problem: order.get(problem.partition(": ")[0], -1))
    kept = kept_by_git(root)
    made = set(pipeline.outputs(*pipeline.stages))
    for path in sorted(kept - made):
        if PurePosixPath(path).parts[0] == "results":
            yield f"{path}: no stage makes it, with these parameters"
    for job in ledger.in_order():
        if job.definition == DEFAULT and set(job.outs) <= kept and _inputs(job, ledger) <= kept:
            yield from remade(root, job)


def remade(root: Path, job: Job) -> Iterator[str]:
    """Run a job's commands in a temporary copy of the tree, and say which of its files come out otherwise.

    Figures may differ as another machine draws them, numbers in the last digits. A PDF is not compared: its
    PNG shows the same.

    Raises:
        NpvaeError: an input is not here, or the command fails.
    """
    ledger = Ledger(root)
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch)
        for path in kept_by_git(root) - set(job.outs):
            _put(root / path, copy / path)
        for path in _inputs(job, ledger):
            if not (root / path).exists():
                raise NpvaeError(f"{job.name}: {path} is not here; `dvc pull` or `dvc checkout` may bring it")
            if not (copy / path).exists():
                _put(root / path, copy / path)
        (copy / ".dvc/tmp").mkdir(parents=True, exist_ok=True)
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(copy / "src"), *filter(None, sys.path)])
        }
        for command in job.commands:
            done = subprocess.run(
                command, cwd=copy, env=environment, shell=True, text=True, capture_output=True
            )
            if done.returncode:
                raise NpvaeError(
                    f"{job.name}: {command.split()[1]} failed: {done.stderr.strip().splitlines()[-1]}"
                )
        for path in job.outs:
            if reason := _difference(root / path, copy / path):
                yield f"{job.name}: {path}: made again, {reason}"


def _inputs(job: Job, ledger: Ledger) -> set[str]:
    """The files that other jobs made and this one reads."""
    return {path for dep in job.deps for path, _ in ledger.makers(dep)}


def _put(source: Path, destination: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, destination)


def _difference(recorded: Path, again: Path) -> str | None:
    if not again.is_file():
        return "it is missing"
    if not recorded.is_file():
        return "it is there, and was not"
    if hashlib.md5(recorded.read_bytes()).digest() == hashlib.md5(again.read_bytes()).digest():
        return None
    match recorded.suffix:
        case ".pdf":
            return None
        case ".png":
            try:
                found = compare_images(str(recorded), _beside(again), TOLERANCE, in_decorator=True)
            except ImageComparisonFailure as error:
                return " ".join(str(error).split())
            return f"its pixels differ by {found['rms']:.1f} of 255 (root mean square)" if found else None
        case ".json":
            same = _close(json.loads(recorded.read_text()), json.loads(again.read_text()))
            return None if same else "its numbers differ"
    return "it differs"


def _beside(path: Path) -> str:
    """The same picture under another name, so that what matplotlib writes beside it meets no other file."""
    copy = path.with_name(f"again-{path.name}")
    shutil.copyfile(path, copy)
    return str(copy)


def _close(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_close(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_close, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=_CLOSE)
    return one == other
