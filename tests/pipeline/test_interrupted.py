"""A killed training goes on where it was, through either door, and ends in the bits of an undisturbed one."""

import os
import random
import re
import signal
import subprocess
import time

import psutil
import pytest

from tests.pipeline.project import duplicate

DOORS = ("dvc repro", "snakemake --cores 2")


def door(name: str, model: str) -> str:
    """How one trains a model through a door."""
    if name == "dvc":
        return f"dvc repro --single-item train@{model}-2"
    return f"snakemake --cores 1 results/checkpoints/{model}-z2.safetensors"


def kill_in_training(project, command: str, model: str) -> None:
    """Start a door, and kill the training itself once it has finished some epochs."""
    state = project.folder / f"results/state/{model}-z2/seed-0.safetensors"
    running = subprocess.Popen(
        command,
        cwd=project.folder,
        env=project.environment,
        shell=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not state.exists():
        assert running.poll() is None, "ended before it could be killed"
        time.sleep(0.01)
    for process in psutil.Process(running.pid).children(recursive=True):
        if "train" in process.cmdline():  # not a shell or a door, whose words are others
            process.kill()
    assert running.wait(timeout=60)


@pytest.fixture(scope="module")
def project(new_project, tmp_path_factory):
    project = new_project(tmp_path_factory.mktemp("interrupted") / "project")
    project.edit({"train": {"epochs": 100}})
    project.put_mnist()
    return project


@pytest.mark.parametrize(
    ("model", "first", "second"), [("npvae", "dvc", "snakemake"), ("vae", "snakemake", "dvc")]
)
def test_a_killed_training_goes_on_through_the_other_door(project, model, first, second):
    kill_in_training(project, door(first, model), model)
    assert not (project.folder / f"results/checkpoints/{model}-z2.safetensors").exists()
    output = project.run(door(second, model))
    done = int(re.search(r"the training goes on after epoch (\d+)", output)[1])
    assert 0 < done < 100
    assert len(re.findall(r"epoch/s|s/epoch", output)) == 100 - done
    assert not list((project.folder / "results/state").rglob("*.safetensors*"))
    resumed = project.ledger()[f"train@{model}-2"]
    project.run(f"dvc repro --force --single-item train@{model}-2")
    assert project.ledger()[f"train@{model}-2"] == resumed


@pytest.fixture(scope="session")
def undisturbed(first_run, once):
    """The small project after a change that half of its stages depend on."""

    def make(folder):
        project = duplicate(first_run.project, folder)
        project.edit({"predict": {"reference_images": 400}})
        project.run("snakemake --cores 2")

    return type(first_run.project)(once("undisturbed", make), first_run.project.environment)


@pytest.mark.faults
@pytest.mark.parametrize("second", DOORS)
@pytest.mark.parametrize("first", DOORS)
@pytest.mark.parametrize("moment", range(5))
def test_whatever_is_killed_when_either_door_finishes_it(ran, undisturbed, first, second, moment):
    ran.edit({"predict": {"reference_images": 400}})
    running = subprocess.Popen(
        first,
        cwd=ran.folder,
        env=ran.environment,
        shell=True,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(random.Random(f"{moment} {first} {second}").uniform(2, 40))
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    ran.run(second)
    assert "Nothing to be done" in ran.run("snakemake --cores 1")
    assert "Data and pipelines are up to date." in ran.run("dvc repro")
    assert "up to date" in ran.run("npvae check")
    assert ran.ledger() == undisturbed.ledger()
