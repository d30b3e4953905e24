"""Whatever is killed, whoever else is at work: the bits of an undisturbed run, and nothing trained twice."""

import random
import re
import subprocess
import time
from collections import Counter

import psutil
import pytest

from tests.kills import DOORS, MENDING, at_work, cure, start, strike, wait_for_the_end
from tests.pipeline.project import duplicate

CHANGE = {"train": {"learning_rate": 0.002}}
STUDIES = ("sweep_point", "sweep")  # which no door runs unless asked
IN_NO_CACHE = {"claims", "figure_data", "figure1"} | {
    f"figure{n}{kind}" for n in (2, 3, 4) for kind in ("", "_advised")
}
EPOCH = re.compile("epoch/s|s/epoch")


def door(name: str, model: str) -> str:
    """How one trains a model through a door."""
    if name == "dvc":
        return f"dvc repro --single-item train@{model}-2"
    return f"snakemake --cores 1 results/checkpoints/{model}-z2.safetensors"


def wait_for_state(project, engine, name: str) -> None:
    """Wait until a training has finished some epochs."""
    state = project.folder / f"results/state/{name}/seed-0.safetensors"
    while not state.exists():
        assert engine.poll() is None, "ended before it could be killed"
        time.sleep(0.01)


def kill_in_training(project, command: str, model: str) -> None:
    """Start a door, and kill the training itself once it has finished some epochs."""
    engine = start(project, command)
    wait_for_state(project, engine, f"{model}-z2")
    for process in psutil.Process(engine.pid).children(recursive=True):
        if "train" in process.cmdline():  # not a shell or a door, whose words are others
            process.kill()
    assert engine.wait(timeout=60)


@pytest.fixture(scope="module")
def project(new_project, tmp_path_factory):
    project = new_project(tmp_path_factory.mktemp("interrupted") / "project")
    project.edit({"train": {"epochs": 100}})
    project.put_mnist()
    return project


@pytest.mark.faults
@pytest.mark.parametrize(
    ("model", "first", "second"), [("npvae", "dvc", "snakemake"), ("vae", "snakemake", "dvc")]
)
def test_a_killed_training_goes_on_through_the_other_door(project, model, first, second):
    kill_in_training(project, door(first, model), model)
    assert not (project.folder / f"results/checkpoints/{model}-z2.safetensors").exists()
    output = project.run(door(second, model))
    done = int(re.search(r"the training goes on after epoch (\d+)", output)[1])
    assert 0 < done < 100
    assert len(EPOCH.findall(output)) == 100 - done
    assert not list((project.folder / "results/state").rglob("*.safetensors*"))
    resumed = project.ledger()[f"train@{model}-2"]
    project.run(f"dvc repro --force --single-item train@{model}-2")
    assert project.ledger()[f"train@{model}-2"] == resumed


@pytest.mark.faults
def test_a_training_ends_with_its_dvc_and_its_successor_goes_on(project):
    """Of 100 epochs none is trained twice but the one that was interrupted, and none beside another."""
    with (project.folder / "killed.log").open("w+") as log:
        engine = start(project, "dvc repro --single-item train@vae-5", log)
        wait_for_state(project, engine, "vae-z5")
        engine.kill()
        output = project.run("snakemake --cores 1 results/checkpoints/vae-z5.safetensors")
        log.seek(0)
        before = log.read()
    done = int(re.search(r"the training goes on after epoch (\d+)", output)[1])
    assert 0 < done < 100
    assert len(EPOCH.findall(before)) - done in (0, 1)
    assert len(EPOCH.findall(output)) == 100 - done
    assert not at_work(project)


def made(project) -> set[str]:
    """The files of data and results, hidden ones too, without Snakemake's logs and times."""
    paths = (path for folder in ("data", "results") for path in (project.folder / folder).rglob("*"))
    names = {path.relative_to(project.folder).as_posix() for path in paths if path.is_file()}
    return {name for name in names if not name.startswith(("results/logs/", "results/benchmarks/"))}


def is_as(project, aim) -> None:
    """There is nothing to do, and all is as in another project."""
    # at what a killed Snakemake left unfinished, and DVC finished, the next one looks once more
    assert "Running stage" not in project.run("snakemake --cores 1")
    assert "Nothing to be done" in project.run("snakemake --cores 1")
    assert "Data and pipelines are up to date." in project.run("dvc repro")
    assert "up to date" in project.run("npvae check")
    assert project.ledger() == aim.ledger()
    assert made(project) == made(aim)


@pytest.fixture(scope="session")
def undisturbed(smallest, as_project, once):
    """The same after an undisturbed run."""
    return as_project(once("undisturbed", lambda folder: smallest(folder).run_at_once(*STUDIES)))


@pytest.fixture(scope="session")
def undisturbed_change(undisturbed, as_project, once):
    """The same after a change on which all trainings depend, and another undisturbed run."""

    def make(folder):
        project = duplicate(undisturbed, folder)
        project.edit(CHANGE)
        project.run_at_once(*STUDIES)

    return as_project(once("undisturbed-change", make))


@pytest.mark.faults
@pytest.mark.parametrize("part", range(5))
def test_a_hundred_kills(smallest, undisturbed, tmp_path, request, part):
    """Twenty in each part, one after the other, whatever is still at work from the one before."""
    if part % 2:
        project, aim = (
            duplicate(undisturbed, tmp_path / "project"),
            request.getfixturevalue("undisturbed_change"),
        )
        project.edit(CHANGE)
    else:
        project, aim = smallest(tmp_path / "project"), undisturbed
    chance, kills, torn = random.Random(part), [], []
    while len(kills) < 20:
        command = chance.choice(DOORS)
        engine = start(project, command)
        try:
            engine.wait(chance.uniform(1, 20))
        except subprocess.TimeoutExpired:
            kills.append(f"{command}: {strike(chance, engine)}")
        engine.wait(300)
        torn += cure(project.folder)
    print(*kills, *torn, sep="\n")
    wait_for_the_end(project)
    project.run(chance.choice(MENDING))
    is_as(project, aim)
    assert not at_work(project)


@pytest.mark.faults
def test_engines_beside_each_other_train_and_measure_once(smallest, undisturbed, tmp_path):
    project = smallest(tmp_path / "project")
    commands = [MENDING[1], *MENDING]
    with (tmp_path / "log").open("w+") as log:
        engines = [start(project, command, log) for command in commands]
        codes = [engine.wait() for engine in engines]
        log.seek(0)
        output = log.read()
    assert codes == [0, 0, 0], output[-4000:]
    runs = Counter(re.findall(r"Running stage '(.*?)':", output))
    # what others record after its start, a DVC restores from its cache or else makes again
    assert {name for name, times in runs.items() if times > 1} <= IN_NO_CACHE
    is_as(project, undisturbed)
