"""A hundred kills of engines and jobs, spread over runs through both doors, in a project of small jobs."""

import contextlib
import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import psutil
import pytest

from dvcrules import repro
from dvcrules.errors import BridgeError
from dvcrules.ledger import read_ledger

STEPS = 30
# A training in small: it goes on where it was, and says of each step when it began and ended.
TRAIN = """\
import os, sys, time
from pathlib import Path

from dvcrules.turns import alone

alone()
name = sys.argv[1]
state, log = Path(f"state-{name}"), f"{name}.steps"
done = int(state.read_text()) if state.exists() else 0
for step in range(done, int(sys.argv[2])):
    begin = time.monotonic()
    time.sleep(0.1)
    with open(log, "a") as file:
        file.write(f"{step} {begin} {time.monotonic()} {os.getpid()}\\n")
    new = Path(f".{name}-new")
    new.write_text(str(step + 1))
    new.replace(state)
out = Path(f".{name}.txt-new")
out.write_text(f"{name}: {sys.argv[2]} steps\\n")
out.replace(f"{name}.txt")
state.unlink(missing_ok=True)
"""
NAMES = ["a", "b", "c", "d", "e", "f"]
FILES = {
    "train.py": TRAIN,
    "dvc.yaml": f"""\
stages:
  train:
    foreach: [{", ".join(NAMES)}]
    do:
      cmd: python train.py ${{item}} {STEPS}
      deps: [train.py]
      outs: ["${{item}}.txt"]
  measure:
    foreach: [{", ".join(NAMES)}]
    do:
      cmd: wc -c < ${{item}}.txt > ${{item}}.csv
      deps: ["${{item}}.txt"]
      metrics: ["${{item}}.csv": {{cache: false}}]
  table:
    cmd: cat *.csv > table.md
    deps: [{", ".join(f"{name}.csv" for name in NAMES)}]
    outs: [table.md]
""",
    "profiles/default/config.yaml": "rerun-triggers: mtime\nrerun-incomplete: true\n",
    "Snakefile": """\
from dvcrules import EVERY_STAGE

include: EVERY_STAGE

rule all:
    input: DVC.targets()
""",
}
DOORS = ("dvc repro", "snakemake --cores 2")
FINAL = (f"{sys.executable} -P {repro.__file__}", DOORS[1])  # which mend DVC's read-write lock, if need be


@pytest.fixture(autouse=True)
def _ctrl_c() -> None:
    """What a shell starts in the background ignores Ctrl-C, and so would all that the tests start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def at_work(project) -> list[psutil.Process]:
    """The processes in the project's folder."""
    found = psutil.process_iter(["cwd"])
    return [process for process in found if process.info["cwd"] == str(project.folder)]


def strike(chance: random.Random, engine: subprocess.Popen) -> str:
    """Ctrl-C, or TERM or KILL to the engine with its jobs, to it alone, or to one process below it."""
    below = psutil.Process(engine.pid).children(recursive=True)
    number = chance.choice([signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    target = "all" if number == signal.SIGINT else chance.choice(["all", "engine", "job"])
    if target == "all" or not below:
        os.killpg(engine.pid, number)
    elif target == "engine":
        engine.send_signal(number)
    else:
        with contextlib.suppress(psutil.NoSuchProcess):
            chance.choice(below).send_signal(number)
    return f"{number.name} {target}"


def cured(project) -> list[str]:
    """What a killed DVC left torn, after what the one sentence about it says was done."""
    found = []
    try:
        read_ledger(project.folder / "dvc.lock")
    except BridgeError:
        (project.folder / "dvc.lock").unlink()
        found.append("dvc.lock")
    return found


@pytest.mark.faults
@pytest.mark.parametrize("part", range(5))
def test_a_hundred_kills(new_project, tmp_path, part):
    """Twenty in each part, one after the other, whatever is still at work from the one before."""
    project = new_project(tmp_path / "project", FILES)
    chance, kills, torn = random.Random(part), [], []
    while len(kills) < 20:
        command = chance.choice(DOORS)
        with (project.folder / "log").open("a") as log:
            engine = subprocess.Popen(
                f"exec {command}",
                cwd=project.folder,
                env=project.environment,
                shell=True,
                start_new_session=True,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            try:
                engine.wait(chance.uniform(0.5, 8))
            except subprocess.TimeoutExpired:
                kills.append(f"{command}: {strike(chance, engine)}")
            else:
                if "up to date" in project.run("dvc status"):
                    project.run("rm -rf .dvc/cache *.csv [a-f].txt table.md dvc.lock")  # all over again
            engine.wait(120)
        torn += cured(project)
    print(*kills, *torn, sep="\n")
    deadline = time.monotonic() + 120
    while at_work(project):
        assert time.monotonic() < deadline, at_work(project)
        time.sleep(0.1)
    project.run(chance.choice(FINAL))
    assert "Nothing to be done" in project.run("snakemake --cores 1")
    assert "up to date" in project.run("dvc repro")
    assert (project.folder / "table.md").read_text() == "12\n" * len(NAMES)  # characters of a: 30 steps
    left = {path.name for path in project.folder.iterdir()} - {"log", "dvc.lock", ".gitignore", *FILES}
    assert {name for name in left if name.startswith(".")} <= {".dvc", ".git", ".snakemake"}
    assert not [name for name in left if name.startswith("state-")]
    assert not at_work(project)
    for name in NAMES:
        never_twice(project.folder / f"{name}.steps", len(kills))


def never_twice(log, kills: int) -> None:
    """No two processes were at work on one file at once, and no step was made again but after a kill."""
    steps = [line.split() for line in log.read_text().splitlines()]
    for (_, _, end, one), (_, begin, _, other) in itertools.pairwise(steps):
        assert one == other or float(begin) >= float(end)
    assert {int(step) for step, *_ in steps} == set(range(STEPS))
    rounds = Counter(int(step) for step, *_ in steps)[STEPS - 1]
    assert len(steps) - rounds * STEPS <= kills
