"""The cluster that all tests here share, and the small project of tests/pipeline."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.pipeline.conftest import (  # noqa: F401 - fixtures
    _dvcs_own,
    as_project,
    copy_tree,
    done,
    new_project,
    smallest,
)
from tests.slurm.cluster import cluster, missing

Once = Callable[[str, Callable], Path]


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory, once: Once) -> Iterator[None]:
    """A Slurm, whose nodes share the folder of all temporary files."""
    if reason := missing():
        pytest.fail(reason, pytrace=False)
    with cluster(tmp_path_factory.getbasetemp(), private=(once("dvc", Path.mkdir),)):
        yield
