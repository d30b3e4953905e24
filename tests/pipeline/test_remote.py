"""Results shared through S3: a real server in a process of its own, on this machine."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.pipeline.project import Project

pytestmark = pytest.mark.skipif(
    not (find_spec("dvc_s3") and find_spec("moto")), reason="needs dvc-s3 and moto: make test-extras"
)
KEYS = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": "us-east-1"}


def address_of(server: subprocess.Popen[bytes], log: Path) -> str:
    """Where the server says that it listens."""
    for _ in range(300):
        if found := re.search(r"Running on (http://127\.0\.0\.1:\d+)", log.read_text()):
            return found[1]
        assert server.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(log.read_text())


@pytest.fixture
def shared(ran: Project, tmp_path: Path) -> Iterator[Project]:
    """A small project in which everything has run, with an empty bucket as its remote."""
    log = tmp_path / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", "0"],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | KEYS,
        )
    try:
        address = address_of(server, log)
        urlopen(Request(f"{address}/bucket", method="PUT"), timeout=30).close()
        ran.environment |= KEYS
        ran.run("dvc remote add --default storage s3://bucket/npvae")
        ran.run(f"dvc remote modify storage endpointurl {address}")
        ran.commit()
        yield ran
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def clone(shared: Project, tmp_path: Path) -> Callable[[], Project]:
    """A fresh clone of it, with nothing of DVC's."""

    def make() -> Project:
        shared.run(f"git clone -q . {tmp_path / 'clone'}")
        return Project(tmp_path / "clone", shared.environment)

    return make


def nothing_to_do(project: Project) -> None:
    assert "Nothing to be done" in project.run("snakemake --cores 2")
    assert "Data and pipelines are up to date." in project.run("dvc status dvc.yaml")


def test_after_push_and_pull_neither_door_runs_anything(shared, clone) -> None:
    shared.run("dvc push")
    assert "in sync" in shared.run("dvc status --cloud")
    pulled = clone()
    pulled.run("dvc pull")
    nothing_to_do(pulled)
    assert "every figure and metric is up to date" in pulled.run("npvae check")


def test_with_the_run_cache_what_ran_here_with_another_setting_runs_nowhere_again(shared, clone) -> None:
    weight = {"npvae": {"match_weight": 0.5}}
    shared.edit(weight)
    shared.run("dvc repro train@npvae-2")
    shared.run("dvc push --run-cache")
    shared.run("git checkout -q params.yaml dvc.lock")
    shared.run("dvc push --run-cache")
    pulled = clone()
    pulled.run("dvc pull --run-cache")
    nothing_to_do(pulled)
    pulled.edit(weight)
    said = pulled.run("dvc repro --pull train@npvae-2")
    assert "Stage 'train@npvae-2' is cached" in said
    assert "Running stage" not in said
    assert pulled.ledger()["train@npvae-2"]["params"]["params.yaml"]["npvae"]["match_weight"] == 0.5


def test_without_the_server_the_pull_fails_and_says_so(shared, clone) -> None:
    shared.run("dvc push")
    pulled = clone()
    pulled.run("dvc remote modify storage endpointurl http://127.0.0.1:9")
    assert "127.0.0.1:9" in pulled.run("dvc pull", fails=True)
