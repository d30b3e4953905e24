"""A hundred kills of engines and jobs, spread over runs through both doors, in a project of small jobs."""

import itertools
import random
import subprocess
from collections import Counter

import pytest

from tests.kills import DOORS, MENDING, at_work, cure, start, strike, wait_for_the_end

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


@pytest.mark.faults
@pytest.mark.parametrize("part", range(5))
def test_a_hundred_kills(new_project, tmp_path, part):
    """Twenty in each part, one after the other, whatever is still at work from the one before."""
    project = new_project(tmp_path / "project", FILES)
    chance, kills, torn = random.Random(part), [], []
    while len(kills) < 20:
        command = chance.choice(DOORS)
        with (project.folder / "log").open("a") as log:
            engine = start(project, command, log)
            try:
                engine.wait(chance.uniform(0.5, 8))
            except subprocess.TimeoutExpired:
                kills.append(f"{command}: {strike(chance, engine)}")
            else:
                if "up to date" in project.run("dvc status || true"):
                    project.run("rm -rf .dvc/cache *.csv [a-f].txt table.md dvc.lock")  # all over again
            engine.wait(120)
        torn += cure(project.folder)
    print(*kills, *torn, sep="\n")
    wait_for_the_end(project)
    project.run(chance.choice(MENDING))
    # at what a killed Snakemake left unfinished, and DVC finished, the next one looks once more
    assert "Running stage" not in project.run("snakemake --cores 1")
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
