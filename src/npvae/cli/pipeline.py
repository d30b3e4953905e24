"""``npvae params``, ``npvae prune`` and ``npvae check``: about the pipeline rather than of it."""

import sys
from pathlib import Path

from npvae.cli.options import DEFAULT_PARAMS, ParamsFile
from npvae.errors import NpvaeError


def params(params: ParamsFile = DEFAULT_PARAMS) -> None:
    """Check the parameter file."""
    from npvae.params import load_params

    load_params(params)
    print(f"{params}: valid")


def prune() -> None:
    """Remove what earlier parameters left behind: files beside the outputs, and their records in dvc.lock.

    Without it, a stage that depends on a folder would see files of Z dimensions that nobody asks for now.
    """
    from npvae.pipeline import prune

    for removed in prune(Path.cwd()):
        print(f"prune: removed {removed}", file=sys.stderr)


def check() -> None:
    """Check that every figure and metric that dvc.yaml declares is there, whole and up to date.

    Needs neither DVC's cache nor the checkpoints: dvc.lock is compared with the tree.
    """
    from npvae.check import problems

    found = problems(Path.cwd())
    for problem in found:
        print(f"check: {problem}", file=sys.stderr)
    if found:
        raise NpvaeError(f"{len(found)} artefacts or records are not up to date; run `dvc repro`")
    print("check: every figure and metric is up to date")
