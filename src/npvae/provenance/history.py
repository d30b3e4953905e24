"""What git holds, and since when."""

import subprocess
from pathlib import Path

from npvae.errors import NpvaeError


def kept_by_git(root: Path) -> set[str]:
    """The files of git's that are here.

    Raises:
        NpvaeError: ``root`` is no git repository.
    """
    listed = _git(root, "ls-files", "-z")
    return {path for path in listed.split("\0") if path and (root / path).is_file()}


def last_change(root: Path, path: str) -> str:
    """When git's history last changed a file (ISO 8601); empty where it never did.

    Raises:
        NpvaeError: there is no history.
    """
    return _git(root, "log", "-1", "--format=%cI", "--", path).strip()


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True)
    if done.returncode:
        reason = " ".join(done.stderr.split()).removeprefix("fatal: ")
        raise NpvaeError(f"git {arguments[0]}: {reason}; a clone has the history, a downloaded ZIP has none")
    return done.stdout
