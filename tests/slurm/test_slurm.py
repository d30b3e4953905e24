"""The DAG of a small project through a real Slurm: all of it, and with a job or Snakemake ended meanwhile."""

import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable

import pytest
from ruamel.yaml import YAML

from tests.pipeline.project import duplicate

pytestmark = [pytest.mark.slurm, pytest.mark.usefixtures("slurm")]

# As one types it on a cluster with GPUs. Slurm is only asked more often, for the jobs here take seconds.
SNAKEMAKE = (
    "snakemake --profile workflow/profiles/gpu --profile workflow/profiles/slurm "
    "--slurm-init-seconds-before-status-checks 2"
)
APART = "--default-resources slurm_partition=apart mem_mb=8000 runtime=480"
EPOCHS = 100
TRAINED = [f"{model}-{z}" for model in ("vae", "npvae") for z in (2, 5)]
CHECKPOINTS = " ".join(f"results/checkpoints/{name.replace('-', '-z')}.safetensors" for name in TRAINED)
COUNTING = '''

_ask = stale_jobs


def stale_jobs(*arguments, **options):
    """Write down who asks."""
    import os

    with open("asked.txt", "a") as file:
        file.write(os.environ.get("SLURM_JOB_ID", "not a job") + "\\n")
    return _ask(*arguments, **options)
'''


def slurm_jobs(printed: str) -> list[dict[str, str]]:
    """What Slurm knows of the jobs that a Snakemake submitted, which printed this."""
    runs = re.findall(r"SLURM run ID: (\S+)", printed)
    command = ["scontrol", "--oneliner", "show", "job"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in shown.splitlines()]
    return [job for job in found if job.get("JobName") in runs]


def rule(job: dict[str, str]) -> str:
    """The rule of a job, from the comment that the plugin gave it."""
    return job["Comment"].removeprefix("rule_").partition("_wildcards_")[0]


def stages_of(project) -> list[str]:
    """The jobs in both ledgers."""
    studies = YAML(typ="safe").load(project.folder / "studies/dvc.lock")["stages"]
    return [*project.ledger(), *studies]


def wait_until(condition: Callable[[], object]) -> None:
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < 900, "waited in vain"
        time.sleep(0.05)


def queue() -> str:
    """What waits or runs."""
    return subprocess.run(["squeue", "--noheader"], check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def by_slurm(slurm, smallest, tmp_path_factory):
    """A small project that has run through Slurm, what Snakemake printed, and who asked DVC of all stages."""
    project = smallest(tmp_path_factory.mktemp("by-slurm") / "project")
    with (project.folder / "src/dvcrules/stale.py").open("a") as file:
        file.write(COUNTING)
    printed = project.run(f"{SNAKEMAKE} --set-threads figure1=2 -- figures") + project.run(SNAKEMAKE)
    return project, printed, (project.folder / "asked.txt").read_text()


def test_all_of_it_runs_through_slurm_to_the_bits_of_a_local_run(by_slurm, done):
    project, printed, _ = by_slurm
    assert project.ledger() == done.ledger()
    jobs = slurm_jobs(printed)
    assert {job["JobState"] for job in jobs} == {"COMPLETED"}
    stages = Counter(name.partition("@")[0] for name in stages_of(project))
    assert Counter(map(rule, jobs)) == stages
    assert "Nothing to be done" in project.run("snakemake --cores 1")
    assert "Data and pipelines are up to date." in project.run("dvc repro")


def test_a_job_gets_what_the_profiles_say(by_slurm):
    project, printed, _ = by_slurm
    profiles = [
        YAML(typ="safe").load(project.folder / f"workflow/profiles/{name}/config.yaml")
        for name in ("gpu", "slurm")
    ]
    with_gpu = set(profiles[0]["set-resources"])
    for job in slurm_jobs(printed):
        assert job.get("TresPerJob") == ("gres:gpu:1" if rule(job) in with_gpu else None), job["Comment"]
        assert job["CPUs/Task"] == ("2" if rule(job) == "figure1" else "1"), job["Comment"]
        assert job["MinMemoryNode"] == f"{profiles[1]['default-resources']['mem_mb']}M"
        hours, minutes = divmod(profiles[1]["default-resources"]["runtime"], 60)
        assert job["TimeLimit"] == f"{hours:02}:{minutes:02}:00"


def test_logs_and_timings_are_where_the_rules_say(by_slurm):
    project, _, _ = by_slurm
    for folder, kind in (("logs", "log"), ("benchmarks", "tsv")):
        files = list((project.folder / "results" / folder).iterdir())
        names = {f"{name.replace('@', '-')}.{kind}" for name in stages_of(project)}
        assert {file.name for file in files} == names
        assert all(file.read_text() for file in files)


def test_only_who_plans_asks_dvc_for_all_stages(by_slurm):
    _, _, asked = by_slurm
    assert asked == "not a job\n" * 2  # of two runs


def test_two_nodes_that_know_of_each_other_as_little_as_two_machines(smallest, done, tmp_path):
    project = smallest(tmp_path / "project")
    project.run("dvc config --local core.hardlink_lock true")
    printed = project.run(f"{SNAKEMAKE} {APART} -- figures")
    assert {job["NodeList"] for job in slurm_jobs(printed)} == {"left", "right"}
    recorded = project.ledger()
    assert len(recorded) == len(slurm_jobs(printed))
    assert recorded.items() <= done.ledger().items()


@pytest.fixture(scope="module")
def long(new_project, tmp_path_factory):
    """A small project in which nothing has run and a training takes seconds."""
    project = new_project(tmp_path_factory.mktemp("long") / "project")
    project.edit({"train": {"epochs": EPOCHS}})
    return project


@pytest.fixture
def training(long, tmp_path):
    """A copy of it, and a Snakemake through Slurm that has npvae-2 in training."""
    project = duplicate(long, tmp_path / "project")
    log = project.folder / "snakemake.txt"
    with log.open("w") as file:
        running = subprocess.Popen(
            f"exec env --default-signal=INT {SNAKEMAKE} {CHECKPOINTS}",  # which a shell's background ignores
            cwd=project.folder,
            env=project.environment,
            shell=True,
            stdout=file,
            stderr=file,
        )
    try:
        wait_until((project.folder / "results/state/npvae-z2/seed-0.safetensors").exists)
        yield project, running, log
    finally:
        running.kill()
        running.wait()
        subprocess.run(["scancel", "--user", "root"], check=True)


def submitted(printed: str) -> dict[str, dict[str, str]]:
    """Slurm's jobs of trainings, by model and Z."""
    return {
        job["Comment"].partition("_wildcards_")[2].replace("_", "-"): job
        for job in slurm_jobs(printed)
        if rule(job) == "train"
    }


def assert_bits_of_an_undisturbed_training(project, name):
    recorded = project.ledger()[f"train@{name}"]
    project.run(f"dvc repro --force --single-item train@{name}")
    assert project.ledger()[f"train@{name}"] == recorded


def test_a_cancelled_job_takes_no_other_along_and_a_rerun_goes_on_with_it_alone(training):
    project, running, log = training
    subprocess.run(["scancel", submitted(log.read_text())["npvae-2"]["JobId"]], check=True)
    assert running.wait(timeout=900)
    states = {name: job["JobState"] for name, job in submitted(log.read_text()).items()}
    assert states == {name: "CANCELLED" if name == "npvae-2" else "COMPLETED" for name in TRAINED}
    others = project.ledger()
    assert set(others) == {"data", *(f"train@{name}" for name in TRAINED if name != "npvae-2")}
    again = project.run(f"{SNAKEMAKE} {CHECKPOINTS}")
    assert list(submitted(again)) == ["npvae-2"]
    assert len(slurm_jobs(again)) == 1
    told = (project.folder / "results/logs/train-npvae-2.log").read_text()
    assert 0 < int(re.search(r"the training goes on after epoch (\d+)", told)[1]) < EPOCHS
    assert {name: project.ledger()[name] for name in others} == others
    assert_bits_of_an_undisturbed_training(project, "npvae-2")


def test_ctrl_c_cancels_the_jobs(training):
    project, running, log = training
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=300)
    wait_until(lambda: not queue())
    assert submitted(log.read_text())["npvae-2"]["JobState"] == "CANCELLED"
    project.run(f"{SNAKEMAKE} {CHECKPOINTS}")
    assert set(project.ledger()) == {"data", *(f"train@{name}" for name in TRAINED)}
    assert_bits_of_an_undisturbed_training(project, "npvae-2")


def test_jobs_whose_snakemake_is_killed_end_and_are_recorded(training):
    project, running, log = training
    wait_until(lambda: len(submitted(log.read_text())) == len(TRAINED))
    running.kill()
    running.wait()
    wait_until(lambda: not queue())
    assert {job["JobState"] for job in submitted(log.read_text()).values()} == {"COMPLETED"}
    recorded = project.ledger()
    assert set(recorded) == {"data", *(f"train@{name}" for name in TRAINED)}
    assert not slurm_jobs(project.run(f"{SNAKEMAKE} {CHECKPOINTS}"))
    assert project.ledger() == recorded


def test_a_job_that_fails_leaves_what_was_there(slurm, new_project, tmp_path):
    project = new_project(tmp_path / "project")  # in which the comparators' checkpoint is missing
    table = (project.folder / "results/comparators.csv").read_bytes()
    printed = subprocess.run(
        f"{SNAKEMAKE} comparators",
        cwd=project.folder,
        env=project.environment,
        shell=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ).stdout
    assert [job["JobState"] for job in slurm_jobs(printed)] == ["FAILED"]
    assert (project.folder / "results/comparators.csv").read_bytes() == table
