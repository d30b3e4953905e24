"""Engines side by side, and after one that was killed: a job runs once, and nobody has to clear a lock."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from dvcrules import repro
from tests import kills

# A job says when it starts and ends; it goes on while the file `hold` is there.
JOB = """\
import os, sys, time
from pathlib import Path

if len(sys.argv) > 2:
    from dvcrules import turns

    turns.GRACE = 600  # the test says when it ends
    turns.alone()

def note(what):
    with open("runs.txt", "a") as runs:
        print(what, os.getpid(), file=runs)

note("start")
try:
    while Path("hold").exists():
        time.sleep(0.01)
except KeyboardInterrupt:
    while Path("linger").exists():
        time.sleep(0.01)
    note("interrupted")
    raise
Path(sys.argv[1]).write_text("done")
note("end")
"""
FILES = {
    "job.py": JOB,
    "hold": "",
    "dvc.yaml": """\
stages:
  one:
    cmd: python job.py one.txt
    outs: [one.txt]
  two:
    cmd: cat one.txt > two.txt
    deps: [one.txt]
    outs: [two.txt]
""",
    "Snakefile": """\
from dvcrules import EVERY_STAGE

include: EVERY_STAGE

rule all:
    input: DVC.targets()
""",
}
SNAKEMAKE = "snakemake --cores 2"
WAITING_DVC = f"{sys.executable} -P {repro.__file__}"


@pytest.fixture
def project(new_project, tmp_path):
    return new_project(tmp_path / "project", FILES)


@pytest.fixture
def start(project) -> Iterator[Callable[[str], subprocess.Popen]]:
    """Starts a command in the project, whose output is in the file it is given; it ends with the test."""
    started = []

    def begin(command: str, log: str = "log") -> subprocess.Popen:
        with (project.folder / log).open("w") as output:
            started.append(kills.start(project, command, output))
        return started[-1]

    yield begin
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def at_work(project) -> list[psutil.Process]:
    """The jobs' own processes."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "cwd"])
        if process.info["cwd"] == str(project.folder) and "job.py" in (process.info["cmdline"] or [])[1:2]
    ]


def runs(project) -> list[str]:
    path = project.folder / "runs.txt"
    return [line.partition(" ")[0] for line in path.read_text().splitlines()] if path.exists() else []


def wait_until(condition: Callable[[], object]) -> None:
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < 60
        time.sleep(0.02)


def go_on(project) -> None:
    (project.folder / "hold").unlink()


def says(project, log: str, sentence: str) -> None:
    wait_until(lambda: sentence in (project.folder / log).read_text())


def is_whole(project) -> None:
    assert (project.folder / "two.txt").read_text() == "done"
    assert not project.named()


@pytest.mark.parametrize(
    "number",
    [signal.SIGKILL, *(pytest.param(n, marks=pytest.mark.faults) for n in (signal.SIGTERM, signal.SIGINT))],
    ids=lambda number: number.name,
)
def test_after_a_killed_snakemake_the_next_one_just_runs(project, start, number):
    engine = start(SNAKEMAKE)
    wait_until(lambda: runs(project) == ["start"])
    os.killpg(engine.pid, number)
    engine.wait(60)
    wait_until(lambda: not at_work(project))
    go_on(project)
    assert ("that was killed" in project.run(SNAKEMAKE)) is (number == signal.SIGKILL)
    assert runs(project)[-2:] == ["start", "end"]
    is_whole(project)


@pytest.mark.faults
def test_a_lock_of_somebody_elses_stays(project):
    project.write({".snakemake/locks/0.output.lock": "one.txt\n"})
    assert "--unlock" in project.run(SNAKEMAKE, fails=True)


@pytest.mark.faults
def test_the_job_of_a_killed_snakemake_ends_and_is_taken_as_its_successors(project, start):
    engine = start(SNAKEMAKE)
    wait_until(lambda: runs(project) == ["start"])
    engine.kill()
    successor = start(SNAKEMAKE, "successor")
    says(project, "successor", "waiting for process")
    go_on(project)
    assert successor.wait(60) == 0
    assert runs(project) == ["start", "end"]
    is_whole(project)


@pytest.mark.faults
def test_a_second_snakemake_waits_for_the_first(project, start):
    first = start(SNAKEMAKE)
    wait_until(lambda: runs(project) == ["start"])
    second = start(SNAKEMAKE, "second")
    says(project, "second", "Waiting for the Snakemake that is at work here")
    go_on(project)
    assert [first.wait(60), second.wait(60)] == [0, 0]
    assert "Nothing to be done" in (project.folder / "second").read_text()
    assert runs(project) == ["start", "end"]
    is_whole(project)


@pytest.mark.faults
@pytest.mark.parametrize(
    "second",
    [
        pytest.param(SNAKEMAKE, id="snakemake"),
        pytest.param(WAITING_DVC, id="dvc"),
    ],
)
def test_beside_a_dvc_the_other_waits(project, start, second):
    first = start("dvc repro")
    wait_until(lambda: runs(project) == ["start"])
    other = start(second, "other")
    says(project, "other", "one.txt': waiting for process")
    go_on(project)
    assert [first.wait(60), other.wait(60)] == [0, 0]
    assert runs(project) == ["start", "end"]
    is_whole(project)


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["zombie", "other"])
def test_a_dead_processes_record_is_no_obstacle(project, kind):
    """The number of a dead DVC is another process's now, or nobody has taken notice of its death."""
    go_on(project)
    with subprocess.Popen(["true"] if kind == "zombie" else ["sleep", "60"]) as process:
        wait_until(lambda: kind == "other" or psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
        dead = {"pid": process.pid, "cmd": "/bin/dvc repro"}
        living = {"pid": os.getpid(), "cmd": " ".join(sys.argv)}
        path = str(project.folder / "one.txt")
        locks = {"write": {path: dead, "/other": living}, "read": {path: [dead], "/other": [living]}}
        project.write({".dvc/tmp/rwlock": json.dumps(locks)})
        project.run(SNAKEMAKE)
        assert json.loads((project.folder / ".dvc/tmp/rwlock").read_text()) == {
            "write": {"/other": living},
            "read": {"/other": [living]},
        }
        process.kill()
    is_whole(project)


@pytest.mark.faults
def test_patience_has_an_end(project, start, monkeypatch, capfd):
    start("dvc repro")
    wait_until(lambda: runs(project) == ["start"])
    monkeypatch.chdir(project.folder)
    monkeypatch.setattr(repro, "PATIENCE", 0.1)
    assert repro.repro(["one"]) == 255
    assert "one.txt' is busy" in capfd.readouterr().err
    assert runs(project) == ["start"]


@pytest.mark.faults
def test_the_exit_code_and_the_error_are_dvcs(project):
    go_on(project)
    project.replace("dvc.yaml", "python job.py one.txt", "exit 3")
    waiting = project.run(f"{WAITING_DVC} one; echo $?")
    assert waiting == project.run("dvc repro one; echo $?")
    assert "exited with 3" in waiting


@pytest.mark.faults
def test_a_terminated_job_takes_its_command_along(project, start):
    job = start(f"{WAITING_DVC} one")
    wait_until(lambda: runs(project) == ["start"])
    job.terminate()
    assert job.wait(60) == 128 + signal.SIGTERM
    wait_until(lambda: not at_work(project))
    go_on(project)
    project.run("dvc repro")
    is_whole(project)


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])  # dash stays beside the command, bash becomes it
def test_a_command_ends_with_its_dvc_and_never_runs_beside_itself(project, start, shell):
    project.environment["SHELL"] = shell  # which DVC runs commands in
    project.replace("dvc.yaml", "job.py one.txt", "job.py one.txt alone")
    project.write({"linger": ""})
    engine = start("dvc repro")
    wait_until(lambda: runs(project) == ["start"])
    engine.kill()
    engine.wait()
    successor = start("dvc repro", "successor")
    says(project, "successor", "one: waiting for the end of a command that a killed DVC left at work")
    (project.folder / "linger").unlink()
    wait_until(lambda: runs(project) == ["start", "interrupted", "start"])
    go_on(project)
    assert successor.wait(60) == 0
    assert runs(project) == ["start", "interrupted", "start", "end"]
    is_whole(project)


@pytest.mark.faults
def test_a_command_outlives_what_started_its_dvc(project, start):
    """A DVC that `python -c` started looks like a shell."""
    project.environment["SHELL"] = "/bin/bash"  # which becomes the command
    project.replace("dvc.yaml", "job.py one.txt", "job.py one.txt alone")
    dvc = [sys.executable, "-c", "from dvc.cli import main; main(['repro'])"]
    project.write({"starts.py": f"import subprocess; subprocess.run({dvc})"})
    above = start("python starts.py")
    wait_until(lambda: runs(project) == ["start"])
    above.kill()
    time.sleep(2)  # it looks every half second
    go_on(project)
    ledger = project.folder / "dvc.lock"
    wait_until(lambda: ledger.exists() and "path: two.txt" in ledger.read_text())
    assert runs(project) == ["start", "end"]


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGKILL], ids=["TERM", "KILL"])
@pytest.mark.parametrize("log", ["", " > >(tee job.log) 2>&1"], ids=["plain", "with a log"])
def test_what_snakemake_puts_back_is_not_recorded_by_a_dvc_that_outlives_its_job(
    new_project, tmp_path, log, signal_number
):
    """Snakemake restores a killed job's outputs at once: a DVC behind a shell would take them for its own."""
    project = new_project(
        tmp_path / "project",
        {
            "setting.txt": "old",
            "dvc.yaml": """\
stages:
  one:
    cmd: cat setting.txt > one.txt && while [ -e hold ]; do sleep 0.01; done
    deps: [setting.txt]
    outs: [one.txt]
""",
            "Snakefile": f"""\
from dvcrules.rules import Rules

DVC = Rules(workflow)

rule one:
    input: DVC.inputs("one")
    output: DVC.outputs("one")
    shell: DVC.repro("one") + {log!r}
""",
        },
    )
    out = project.folder / "one.txt"
    project.run("snakemake --cores 1")
    project.write({"setting.txt": "new", "hold": ""})
    engine = kills.start(project, "snakemake --cores 1")
    wait_until(lambda: "new" in project.run("cat one.txt 2>&1 || true"))  # it is gone for a moment
    [job] = [
        child for child in psutil.Process(engine.pid).children() if "repro.py" in " ".join(child.cmdline())
    ]
    job.send_signal(signal_number)
    assert engine.wait(60)
    assert out.read_text() == "old"
    (project.folder / "hold").unlink()
    kills.wait_for_the_end(project)
    assert "one:" in project.run("dvc status")
    project.run("snakemake --cores 1 --rerun-incomplete")
    assert out.read_text() == "new"
    assert "up to date" in project.run("dvc status")
