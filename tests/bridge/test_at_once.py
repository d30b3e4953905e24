"""Several engines at once in one tree, many jobs at once, and experiments beside them: each job runs once."""

import re
import subprocess
import sys
import time
from collections import Counter

import pytest

from dvcrules import repro

pytestmark = pytest.mark.faults

NAMES = "abcdefghijkl"
FILES = {
    "params.yaml": f"names: [{', '.join(NAMES)}]\nword: one\n",
    "dvc.yaml": f"""\
stages:
  write:
    foreach: ${{names}}
    do:
      cmd: echo ${{item}} >> runs && sleep 0.5 && echo ${{word}} ${{item}} > ${{item}}.txt
      params: [word]
      outs: ["${{item}}.txt"]
  read:
    foreach: ${{names}}
    do:
      cmd: wc -c < ${{item}}.txt > ${{item}}.csv
      deps: ["${{item}}.txt"]
      metrics: ["${{item}}.csv": {{cache: false}}]
  table:
    cmd: cat *.txt > table.md
    deps: [{", ".join(f"{name}.txt, {name}.csv" for name in NAMES)}]
    outs: [table.md]
""",
    ".gitignore": "runs\n",
    "Snakefile": """\
from dvcrules import EVERY_STAGE

include: EVERY_STAGE

rule all:
    input: DVC.targets()
""",
}
SNAKEMAKE, WAITING_DVC = "snakemake --cores 2", f"{sys.executable} -P {repro.__file__}"
JOBS = {f"{stage}@{name}" for stage in ("write", "read") for name in NAMES} | {"table"}


@pytest.fixture
def project(new_project, tmp_path):
    return new_project(tmp_path / "project", FILES)


def at_once(project, *commands: str) -> str:
    """What these print, all started together; all must succeed."""
    started = [
        subprocess.Popen(
            command,
            cwd=project.folder,
            env=project.environment,
            shell=True,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for command in commands
    ]
    printed = [process.communicate()[0] for process in started]
    for process, output in zip(started, printed, strict=True):
        assert process.returncode == 0, output
    return "".join(printed)


def is_whole(project, word: str) -> None:
    assert set(re.findall(r"^  (\S+):$", (project.folder / "dvc.lock").read_text(), re.MULTILINE)) == JOBS
    assert (project.folder / "table.md").read_text() == "".join(f"{word} {name}\n" for name in NAMES)
    assert not project.named()


@pytest.mark.parametrize(
    "commands",
    [
        [SNAKEMAKE, SNAKEMAKE],
        [SNAKEMAKE, WAITING_DVC],
        [WAITING_DVC, WAITING_DVC],
        [SNAKEMAKE, WAITING_DVC, SNAKEMAKE, WAITING_DVC],
        ["snakemake --cores 12"],
        ["snakemake --cores 12", WAITING_DVC],
    ],
    ids=["snakemakes", "both", "dvcs", "four", "twelve-jobs", "twelve-jobs-and-dvc"],
)
def test_each_job_runs_once_and_is_recorded(project, commands):
    printed = at_once(project, *commands)
    ran = Counter(re.findall(r"Running stage '(.*?)':", printed))
    assert ran == dict.fromkeys(JOBS, 1)
    assert sorted((project.folder / "runs").read_text().split()) == list(NAMES)
    is_whole(project, "one")


def test_two_workers_of_a_queue_and_a_folder_of_its_own(project):
    project.run(SNAKEMAKE)
    project.commit()
    for word in ("two", "three"):
        project.run(f"dvc exp run --queue --name {word} -S word={word}")
    project.run("dvc queue start --jobs 2")
    at_once(project, "dvc exp run --temp --name four -S word=four", SNAKEMAKE)
    start = time.monotonic()
    while re.search("Running|Queued", status := project.run("dvc queue status")):
        assert time.monotonic() - start < 300, status
        time.sleep(1)
    assert status.count("Success") == 2, status
    is_whole(project, "one")
    for word in ("two", "three", "four"):
        project.run(f"dvc exp apply {word}")
        is_whole(project, word)
        assert "Nothing to be done" in project.run(SNAKEMAKE)
