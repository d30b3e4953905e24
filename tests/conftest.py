"""What all tests share: one thread, what is made once for all workers, and small things to test with."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from npvae.data.sources import fetch, verify
from npvae.errors import NpvaeError
from npvae.settings import Network

ROOT = Path(__file__).parents[1]

torch.set_num_threads(1)
os.environ["DVC_NO_ANALYTICS"] = "true"  # a process more for each call of DVC, and a request to the internet

Once = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    """Every test starts from the same random state and leaves one thread, wherever it runs."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture
def tiny() -> Network:
    """A network that trains in milliseconds, without dropout."""
    return Network(hidden_units=16, dropout=0.0)


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Once:
    """A folder made once for all of the workers: the first that asks makes it, the others wait."""
    temporary = tmp_path_factory.getbasetemp()
    shared = temporary if worker_id == "master" else temporary.parent

    def made(name: str, make: Callable[[Path], object]) -> Path:
        folder, finished = shared / name, shared / f"{name}.finished"
        with FileLock(shared / f"{name}.lock"):
            if not finished.exists():
                shutil.rmtree(folder, ignore_errors=True)  # what a failure left
                make(folder)
                finished.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def mnist(root: Path, pytestconfig: pytest.Config, once: Once) -> Path:
    """The real idx files: the tree's own, or else fetched once into pytest's cache."""
    folder = root / "data" / "mnist"
    try:
        verify(folder)
    except NpvaeError:
        folder = pytestconfig.cache.mkdir("mnist")
        once("mnist", lambda _: fetch(folder))
    return folder


@pytest.fixture
def listing() -> Callable[[Path], list[str]]:
    """All names below a folder, hidden ones too; none where the folder is missing."""

    def names(folder: Path) -> list[str]:
        return sorted(
            os.path.relpath(Path(parent) / name, folder)
            for parent, folders, files in os.walk(folder)
            for name in folders + files
        )

    return names
