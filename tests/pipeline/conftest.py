"""Small copies of the project, in which the real DAG runs on a subset of real MNIST."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ruamel.yaml import YAML

Once = Callable[[str, Callable], Path]

SMALL = {
    "z_dims": [2, 5],
    "seeds": 2,
    "data": {"validation_images": 100, "train_images": 900, "test_images": 200},
    "network": {"hidden_units": 16},
    "train": {"epochs": 1},
    "predict": {"reference_images": 500},
    "classifier": {"epochs": 1},
    "measure": {
        "samples": 50,
        "importance_samples": 5,
        "likelihood_images": 10,
        "subset": 50,
        "pairs": 20,
        "steps": 3,
    },
    "sweep": {"z_dim": 2, "points": ["npvae.match_weight=1.0", "train.epochs=2"]},
    "figures": {"thumbnails": 8, "interpolation_steps": 3},
}


class Project:
    """A git checkout with DVC, and what one types in it."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = os.environ | environment | {"PYTHONPATH": str(folder / "src")}

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
        assert (done.returncode != 0) is fails, (
            f"`{command}` ended with {done.returncode}:\n{done.stdout[-4000:]}"
        )
        return done.stdout

    def commit(self) -> None:
        self.run("git add -A && git -c user.name=test -c user.email=test@example.org commit -qm 'A state'")

    def edit(self, changes: dict[str, Any]) -> None:
        """Change params.yaml, keeping the rest of it."""
        yaml = YAML()
        path = self.folder / "params.yaml"
        values = yaml.load(path)
        for key, value in changes.items():
            values[key] = values[key] | value if isinstance(value, dict) else value
        yaml.dump(values, path)

    def ledger(self) -> dict[str, Any]:
        """The jobs that dvc.lock records."""
        return YAML(typ="safe").load(self.folder / "dvc.lock")["stages"]

    def put_mnist(self) -> None:
        """What `npvae data` would fetch, put there by hand."""
        source = Path(self.environment["NPVAE_MNIST_DIR"])
        (self.folder / "data/mnist").mkdir(parents=True)
        for file in source.glob("*-ubyte"):
            shutil.copy(file, self.folder / "data/mnist")


def duplicate(project: Project, folder: Path) -> Project:
    """A copy of a whole project, times, untracked files and DVC's cache included."""

    def copy(source: str, target: str) -> None:
        if "/.dvc/cache/" in source:
            os.link(source, target)  # DVC replaces these files, and never writes into one
        else:
            shutil.copy2(source, target)

    shutil.copytree(project.folder, folder, symlinks=True, copy_function=copy)
    return Project(folder, project.environment)


class FirstRun(NamedTuple):
    """A small project in which everything has run, and what its commands printed."""

    project: Project
    figures: str  # `snakemake figures`, and the figures that are there after it
    rest: str  # `snakemake`


@pytest.fixture(scope="session")
def copy_tree(root: Path) -> Callable[[Path], None]:
    """Copies what git has or would take: sources, committed results and dvc.lock, but nothing of DVC's."""

    def copy(folder: Path) -> None:
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
        for name in listed.splitlines():
            if (root / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(root / name, folder / name)
        subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)

    return copy


@pytest.fixture(scope="session")
def as_project(mnist: Path, once: Once) -> Callable[[Path], Project]:
    """A folder that is a project already, and what one types in it."""
    environment = {
        "NPVAE_MNIST_DIR": str(mnist),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "DVC_SITE_CACHE_DIR": str(once("dvc", Path.mkdir)),
    }
    return lambda folder: Project(folder, environment)


@pytest.fixture(scope="session")
def new_project(
    copy_tree: Callable[[Path], None], as_project: Callable[[Path], Project], once: Once
) -> Callable[[Path], Project]:
    """Makes a copy of the project in a folder, with small parameters and nothing run."""

    def make(folder: Path) -> None:
        copy_tree(folder)
        project = as_project(folder)
        comparators = (folder / "results/comparators.csv").read_bytes()
        project.run("rm -rf results dvc.lock")
        project.edit(SMALL)
        # The comparators compile for a minute: their committed table stays, as `dvc freeze` lets it
        (folder / "results").mkdir()
        (folder / "results/comparators.csv").write_bytes(comparators)
        yaml = YAML()
        records = yaml.load(folder / "studies/dvc.lock")
        records["stages"] = {"comparators": records["stages"]["comparators"]}
        yaml.dump(records, folder / "studies/dvc.lock")
        project.run("dvc freeze studies/dvc.yaml:comparators")
        project.commit()

    return lambda folder: duplicate(as_project(once("new", make)), folder)


@pytest.fixture(scope="session")
def first_run(
    new_project: Callable[[Path], Project], as_project: Callable[[Path], Project], once: Once
) -> FirstRun:
    """A small project in which everything has run, by Snakemake: to look at, and to be copied."""

    def make(folder: Path) -> None:
        project = new_project(folder / "project")
        figures = project.run("snakemake figures --cores 2 && ls results/figures")
        (folder / "figures.txt").write_text(figures)
        (folder / "rest.txt").write_text(project.run("snakemake --cores 2"))
        project.commit()

    folder = once("first-run", make)
    project = as_project(folder / "project")
    return FirstRun(project, (folder / "figures.txt").read_text(), (folder / "rest.txt").read_text())


@pytest.fixture
def ran(first_run: FirstRun, tmp_path: Path) -> Project:
    """A small project in which everything has run."""
    return duplicate(first_run.project, tmp_path / "project")
