"""Are the committed artefacts whole, and are they those of this tree?

``dvc repro --dry --allow-missing`` can't tell in a clone without DVC's cache: it stops with an error where
a stage changed whose inputs are missing. Here dvc.lock itself is the evidence. An artefact is up to date if,
for it and all that it comes from, the recorded command, parameters and source files are those of the tree,
and each recorded input is the recorded output of the stage before.
"""

import hashlib
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from dvc.dependency import ParamsDependency
from dvc.dependency.base import Dependency
from dvc.output import Output
from dvc.repo import Repo
from dvc.stage import PipelineStage
from dvc_data.hashfile.state import State
from dvc_data.hashfile.tree import Tree

from dvcrules.errors import BridgeError, one_sentence
from dvcrules.ledger import LEDGER, records
from dvcrules.pipeline import DEFAULT
from npvae.errors import NpvaeError
from npvae.provenance.artefacts import artefact_problems


class Found(NamedTuple):
    """What a check finds, a sentence each."""

    problems: list[str]
    older: list[str]  # results of studies that were made before a change: right, but of an earlier tree


def check(root: Path) -> Found:
    """Hold the artefacts and records under ``root`` against its tree.

    Raises:
        NpvaeError: ``root`` is no git repository with DVC's folder, or one of DVC's files can't be read.
    """
    try:
        with one_sentence():
            return _check(root)
    except BridgeError as error:
        raise NpvaeError(str(error)) from None


def _check(root: Path) -> Found:
    found = Found([], [])
    with Repo(str(root)) as repo, tempfile.TemporaryDirectory() as nothing_yet:
        # DVC remembers hashes by time and size; here bytes count, and are read once
        repo.cache.local.state = State(root_dir=repo.root_dir, tmp_dir=nothing_yet)
        repo_root = Path(repo.root_dir)
        stages = [stage for stage in repo.index.stages if isinstance(stage, PipelineStage)]
        made = defaultdict(list)  # by the path of an output, and of each folder that it lies in
        for out in (out for stage in stages for out in stage.outs):
            for path in (Path(out.fs_path), *Path(out.fs_path).parents):
                made[str(path)].append(out)
        undeclared = sorted(records(root).keys() - {stage.name for stage in stages})
        found.problems.extend(
            f"{LEDGER}: {name}: recorded, but dvc.yaml does not declare it" for name in undeclared
        )
        for stage in stages:
            study = Path(stage.path) != repo_root / DEFAULT
            if not all(out.hash_info for out in stage.outs):
                # a study need not have run; but then it has no results
                if not study:
                    found.problems.append(f"{stage.name}: never run")
                elif any(out.exists for out in stage.outs):
                    found.older.append(f"{stage.name}: has results of an earlier definition")
                continue
            changes = [f"{stage.name}: {change}" for change in _changes(stage, made)]
            (found.older if study else found.problems).extend(changes)
            found.problems.extend(f"{stage.name}: {problem}" for problem in _output_problems(stage))
    return found


def _changes(stage: PipelineStage, made: Mapping[str, list[Output]]) -> Iterator[str]:
    if stage.cmd_changed:
        yield "its command changed since it ran"
    for dep in () if stage.frozen else stage.deps:
        yield from _dependency_problems(dep, made.get(dep.fs_path, []))


def _output_problems(stage: PipelineStage) -> Iterator[str]:
    for out in stage.outs:
        state = out.status()
        if not out.use_cache:
            if state:
                yield f"{out}: {'missing' if not out.exists else 'not the file that was recorded'}"
            else:
                yield from artefact_problems(Path(out.fs_path), str(out))
            continue
        if out.exists and out.changed_checksum():
            yield f"{out}: not the file that was recorded"
        held = Path(out.cache.oid_to_path(out.hash_info.value))
        if held.exists() and hashlib.md5(held.read_bytes()).hexdigest() != out.hash_info.value:
            yield f"{out}: damaged in DVC's cache; delete it and {os.path.relpath(held)}, then `dvc repro`"


def _dependency_problems(dep: Dependency, producers: list[Output]) -> Iterator[str]:
    if isinstance(dep, ParamsDependency):
        for changes in dep.status().values():
            if isinstance(changes, str):  # of the file as a whole: gone, or nothing of it was recorded
                yield f"{dep}: its parameters are {changes}"
            else:
                yield from (f"parameter {key} {change}" for key, change in changes.items())
        return
    if producers and _recorded_hash(dep, producers) != dep.hash_info.value:
        yield f"{dep}: made from another version than the recorded one"
    if dep.exists and _changed(dep, producers):
        yield f"{dep}: changed since it ran"
    elif not dep.exists and not producers:
        yield f"{dep}: missing"


def _changed(dep: Dependency, producers: list[Output]) -> bool:
    """Whether a file, or what is there of a folder, is not what was recorded; absence is no change."""
    if not (producers and dep.isdir()):
        return dep.changed_checksum()
    made = {out.fs_path: out for out in producers}
    there = dep.dvcignore.find(dep.fs, dep.fs_path)
    return any(path not in made or made[path].changed_checksum() for path in there)


def _recorded_hash(dep: Dependency, producers: list[Output]) -> str | None:
    """The hash of ``dep`` by the records of the stages that make it: a file, or a folder of their files."""
    if producers[0].fs_path == dep.fs_path:
        return producers[0].hash_info.value
    tree = Tree()
    for out in producers:
        tree.add(dep.fs.relparts(out.fs_path, dep.fs_path), out.meta, out.hash_info)
    tree.digest()
    return tree.hash_info.value
