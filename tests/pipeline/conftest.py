"""Small copies of the project, in which the real DAG runs on a subset of real MNIST."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.pipeline.project import SMALL, Project, duplicate

Once = Callable[[str, Callable], Path]


@pytest.fixture(scope="session", autouse=True)
def _dvcs_own(once: Once) -> None:
    """What DVC remembers of each project goes when the tests end."""
    os.environ["DVC_SITE_CACHE_DIR"] = str(once("dvc", Path.mkdir))


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
def as_project(mnist: Path) -> Callable[[Path], Project]:
    """A folder that is a project already, and what one types in it."""
    environment = {"NPVAE_MNIST_DIR": str(mnist), "GIT_CONFIG_GLOBAL": os.devnull}
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
        # The comparators compile for a minute: their committed table stays
        (folder / "results").mkdir()
        (folder / "results/comparators.csv").write_bytes(comparators)
        yaml = YAML()
        records = yaml.load(folder / "studies/dvc.lock")
        records["stages"] = {"comparators": records["stages"]["comparators"]}
        yaml.dump(records, folder / "studies/dvc.lock")
        project.freeze_comparators(True)
        project.commit()

    return lambda folder: duplicate(as_project(once("new", make)), folder)


@pytest.fixture(scope="session")
def smallest(
    new_project: Callable[[Path], Project], as_project: Callable[[Path], Project], once: Once
) -> Callable[[Path], Project]:
    """Makes a project with a job or two of each stage, in which nothing has run."""

    def make(folder: Path) -> None:
        project = new_project(folder)
        project.edit({"z_dims": [2]})
        project.put_mnist()
        project.commit()

    return lambda folder: duplicate(as_project(once("smallest", make)), folder)


@pytest.fixture(scope="session")
def done(smallest: Callable[[Path], Project], as_project: Callable[[Path], Project], once: Once) -> Project:
    """The same in which everything has run, the sweep too: to look at, and to be copied."""

    def make(folder: Path) -> None:
        project = smallest(folder)
        project.run_at_once()
        project.commit()

    return as_project(once("done", make))


@pytest.fixture
def ran(done: Project, tmp_path: Path) -> Project:
    """One of the test's own."""
    return duplicate(done, tmp_path / "project")
