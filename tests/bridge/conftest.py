"""Small projects that know nothing of this one, and what one types in them."""

import contextlib
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from dvc.repo import Repo

SOURCE = Path(__file__).parents[2] / "src"


class Project:
    """A git and DVC project in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {"PYTHONPATH": str(SOURCE), "GIT_CONFIG_GLOBAL": os.devnull}

    def run(self, command: str, *, fails: bool = False) -> str:
        """What a shell command prints; it must succeed, or fail where ``fails``."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            shell=True,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert (done.returncode != 0) is fails, f"`{command}`:\n{done.stdout[-4000:]}"
        return done.stdout

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)

    def replace(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text()
        assert old in text
        (self.folder / name).write_text(text.replace(old, new, 1))

    def commit(self) -> None:
        self.run("git add -A && git -c user.name=test -c user.email=test@example.org commit -qm 'A state'")

    def reset(self) -> None:
        """Put back what git and DVC hold."""
        self.run("git checkout -q .")
        with contextlib.chdir(self.folder), Repo() as repo:
            repo.checkout(force=True)

    def named(self) -> set[str]:
        """The jobs that ``dvc status`` names, as ``dvc.yaml:name``, without the files of ``dvc add``."""
        with contextlib.chdir(self.folder), Repo() as repo:
            names = repo.status()
        return {name if ":" in name else f"dvc.yaml:{name}" for name in names if not name.endswith(".dvc")}

    def planned(self) -> set[str]:
        """The jobs that Snakemake would run, by DVC's names."""
        printed = self.run("snakemake --dry-run --printshellcmds")
        commands = re.findall(r"^Shell command: (.*dvcrules/repro.py .*)$", printed, flags=re.MULTILINE)
        return {shlex.split(command.partition(" > ")[0])[-1] for command in commands}

    @staticmethod
    def ran(output: str) -> set[str]:
        """The jobs that DVC ran, rather than restored or skipped."""
        names = re.findall(r"^Running stage '(.+)':", output, flags=re.MULTILINE)
        return {name if ":" in name else f"dvc.yaml:{name}" for name in names}


@pytest.fixture(scope="session")
def new_project() -> Callable[[Path, Mapping[str, str]], Project]:
    """Makes a project of some files in a folder, with nothing run."""

    def make(folder: Path, files: Mapping[str, str]) -> Project:
        folder.mkdir()
        project = Project(folder)
        # what `dvc init` makes
        project.write({".dvc/config": "", ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n"} | files)
        project.run("git init -q")
        return project

    return make
