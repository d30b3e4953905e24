"""The ledger and the tree cleared of what the parameters no longer name."""

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from dvc.fs import localfs
from dvc.repo import Repo
from dvc.scm import Git
from ruamel.yaml import YAML

from dvcrules.errors import BridgeError, one_sentence
from dvcrules.ledger import read_ledger
from dvcrules.pipeline import Job, Pipeline


class Pruned(NamedTuple):
    """What :func:`prune` did, and what it left."""

    removed: list[str]  # paths, and names of jobs
    left: list[str]  # paths of what a job wrote and somebody changed since, and of folders


def prune(root: Path, definition: str) -> Pruned:
    """Remove what jobs wrote that the parameters no longer name, and their records in the ledger.

    Only files that the ledger says such a job wrote, with the bytes that it wrote. The ledger is replaced
    whole or not at all. A folder that a stage depends on, and in which stages' outputs are gathered, may hold
    nothing else that DVC would record: after ``git checkout`` what another ledger knew can still lie there.
    That is removed if git ignores it and DVC's cache has the same bytes, and refused if not.

    Args:
        root: of the project.
        definition: the dvc.yaml whose stages are meant; what any other's wrote is left alone.

    Raises:
        BridgeError: there is no such dvc.yaml, DVC can't read the project, or a file of nobody's lies in a
            folder that is gathered; it is named.
    """
    pipeline, pruned = Pipeline(root), Pruned([], [])
    stages = [stage for stage in pipeline.stages.values() if stage.definition == definition]
    if not stages:
        raise BridgeError(f"{definition}: not there, or without stages")
    jobs = {job.stage.name for stage in stages for job in stage.jobs}
    folders = {stage.name: Path(stage.jobs[0].stage.wdir) for stage in stages}
    wanted = set(pipeline.outputs(*pipeline.stages))
    ledger = root / Path(definition).with_suffix(".lock")
    # DVC writes the ledger under this lock, and lets go of it while it runs a command such as this one
    with one_sentence(), pipeline.repo.lock:
        yaml = YAML()
        content = read_ledger(ledger, yaml)
        stale = sorted(content.get("stages", {}).keys() - jobs)
        for job in stale:
            folder = folders.get(job.partition("@")[0], ledger.parent.resolve())  # where the stage ran
            for out in content["stages"].pop(job).get("outs", []):
                name = pipeline.relative(str(folder / out["path"]))
                path = root / name
                if name in wanted or not path.exists() or not path.resolve().is_relative_to(root.resolve()):
                    continue
                if path.is_file() and hashlib.md5(path.read_bytes()).hexdigest() == out.get("md5"):
                    path.unlink()
                    pruned.removed.append(name)
                else:
                    pruned.left.append(name)
        if stale:
            text = io.StringIO()
            yaml.dump(content, text)
            new = root / ".dvc" / "tmp" / "ledger.new"
            new.write_text(text.getvalue())
            new.replace(ledger)
        pruned.removed.extend(stale)
        nobodys = []
        for path in _gathered(pipeline, [job for stage in stages for job in stage.jobs]):
            if (name := pipeline.relative(str(path))) in wanted:
                continue
            if _is_dvcs(path, pipeline.repo):
                path.unlink()
                pruned.removed.append(name)
            else:
                nobodys.append(name)
    if nobodys:
        raise BridgeError(
            f"{', '.join(nobodys)}: no stage makes this with these parameters, and it would be recorded with "
            "the folder that it lies in; move it out of there, or remove it"
        )
    return pruned


def _is_dvcs(path: Path, repo: Repo) -> bool:
    """Is a file in DVC's cache, and nothing that git holds or would be asked to?"""
    ignored = isinstance(repo.scm, Git) and repo.scm.is_ignored(str(path))
    return ignored and repo.cache.local.exists(hashlib.md5(path.read_bytes()).hexdigest())


def _gathered(pipeline: Pipeline, jobs: Sequence[Job]) -> set[Path]:
    """The files, but those that DVC ignores, of the folders that jobs depend on and outputs lie in."""
    repo = pipeline.repo
    deps = {dep.fs_path for job in jobs for dep in job.stage.deps if dep.protocol == "local"}
    return {
        Path(file)
        for folder in deps
        if repo.index.outs_trie.has_subtrie(localfs.parts(folder)) and Path(folder).is_dir()
        for file in repo.dvcignore.find(localfs, folder)
    }
