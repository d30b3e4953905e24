"""What a user can mend ends in one sentence that says how."""

import subprocess
import sys

import pytest
from dvc.repo import Repo

from dvcrules import repro
from dvcrules.errors import BridgeError
from dvcrules.ledger import read_ledger
from dvcrules.pipeline import Pipeline
from dvcrules.prune import prune
from dvcrules.stale import stale_jobs

STAGES = """\
stages:
  copy:
    foreach: ${names}
    do:
      cmd: mkdir -p ${item}.d && cp in.txt ${item}.txt && cp in.txt ${item}.d/in.txt
      deps: [in.txt]
      outs: ["${item}.txt", "${item}.d"]
"""
FILES = {
    "in.txt": "in",
    "params.yaml": "names: [a, b]\n",
    "dvc.yaml": STAGES,
    "Snakefile": "from dvcrules import EVERY_STAGE\n\ninclude: EVERY_STAGE\n",
}


@pytest.fixture
def project(new_project, tmp_path):
    return new_project(tmp_path / "project", FILES)


@pytest.fixture
def built(project, monkeypatch):
    monkeypatch.chdir(project.folder)
    with Repo() as repo:
        repo.reproduce()
    return project


def sentence(folder) -> str:
    """What the bridge says of a project."""
    with pytest.raises(BridgeError) as raised:
        stale_jobs(Pipeline(folder))
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"dvc.lock": ""}, "dvc.lock: empty, or not valid YAML; take it from git"),
        (
            {"dvc.lock": "<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> x\n"},
            "dvc.lock: empty, or not valid YAML; take it from git",
        ),
        ({"dvc.yaml": "stages:\n  s: {cmd: x, outs: ['s3://bucket/x']}\n"}, "dvc-s3"),
        ({"dvc.yaml": "stages:\n  s: {cmd: x, outs: ['{x}.txt']}\n"}, "dvc.yaml: s: {x}.txt: "),
        ({"params.yaml": "names: ['{', b]\n"}, "dvc.yaml: copy: {"),
        ({".dvc/config": "[hydra]\n    enabled = true\n"}, "hydra.enabled"),
        ({"params.yaml": "other: 1\n"}, "names"),
        ({"dvc.yaml": "stages:\n  s: {cmd: x, deps: [a], outs: [a]}\n"}, "both a dependency and an output"),
    ],
)
def test_a_project_that_can_not_be_read(project, files, says):
    (project.folder / ".dvc/tmp").mkdir(exist_ok=True)
    project.write(files)
    assert says in sentence(project.folder)


def test_folders_in_which_it_can_not_run(project, tmp_path):
    (project.folder / "sub").mkdir()
    assert "DVC's root is" in sentence(project.folder / "sub")
    (tmp_path / "br{a}ce").mkdir()
    assert "braces" in sentence(tmp_path / "br{a}ce")
    assert "no DVC project" in sentence(tmp_path)
    project.run("rm -rf .git")
    assert "no git repository" in sentence(project.folder)


def test_a_stage_that_is_not_there(project):
    with pytest.raises(BridgeError, match=r"no dvc.yaml has one stage 'train'.*copy"):
        Pipeline(project.folder)["train"]


def test_snakemake_ends_with_the_sentence(project):
    project.write({"dvc.lock": ""})
    output = project.run("snakemake --cores 1", fails=True)
    assert output.rstrip().splitlines()[-1].startswith("dvcrules: dvc.lock: empty, or not")


@pytest.mark.parametrize("torn", ["", '{"write": {"/'])
def test_a_torn_lock_of_dvcs_is_mended_unless_a_dvc_is_at_work(project, monkeypatch, torn):
    monkeypatch.chdir(project.folder)
    project.write({".dvc/tmp/rwlock": torn})
    with repro.at_work():
        assert sentence(project.folder).startswith(".dvc/tmp/rwlock: broken")
    project.run(f"{sys.executable} -P {repro.__file__} copy@a")
    project.write({".dvc/tmp/rwlock": torn})
    stale, _ = stale_jobs(Pipeline(project.folder))
    assert stale == {"dvc.yaml:copy@b"}


def test_prune_removes_what_a_stage_wrote_and_nothing_else(built):
    built.write({"c.txt": "in", "params.yaml": "names: [b]\n"})
    pruned = prune(built.folder, "dvc.yaml")
    assert pruned.removed == ["a.txt", "copy@a"]
    assert pruned.left == ["a.d"]  # a folder is left to its owner
    assert sorted(path.name for path in built.folder.glob("*.txt")) == ["b.txt", "c.txt", "in.txt"]
    assert set(read_ledger(built.folder / "dvc.lock")["stages"]) == {"copy@b"}
    assert prune(built.folder, "dvc.yaml") == ([], [])


def test_prune_leaves_what_was_changed(built):
    built.write({"a.txt": "mine", "params.yaml": "names: [b]\n"})
    assert "a.txt" in prune(built.folder, "dvc.yaml").left
    assert (built.folder / "a.txt").read_text() == "mine"


def test_prune_of_another_dvc_yaml_starts_from_its_folder(built):
    built.run("mkdir sub && git mv -k dvc.yaml sub && mv dvc.yaml dvc.lock a.* b.* params.yaml in.txt sub")
    built.write({"sub/params.yaml": "names: [b]\n"})
    assert prune(built.folder, "sub/dvc.yaml").removed == ["sub/a.txt", "copy@a"]


def test_prune_where_there_is_no_ledger_or_no_dvc_yaml(project):
    assert prune(project.folder, "dvc.yaml") == ([], [])
    with pytest.raises(BridgeError, match=r"other/dvc.yaml: not there"):
        prune(project.folder, "other/dvc.yaml")
    project.write({"dvc.lock": ""})
    with pytest.raises(BridgeError, match=r"dvc.lock: empty"):
        prune(project.folder, "dvc.yaml")


@pytest.mark.faults
def test_two_prunes_at_once(built):
    built.write({"params.yaml": "names: [b]\n"})
    code = "from pathlib import Path; from dvcrules.prune import prune; prune(Path.cwd(), 'dvc.yaml')"
    prunes = [subprocess.Popen([sys.executable, "-c", code], env=built.environment) for _ in range(3)]
    assert [prune.wait(60) for prune in prunes] == [0, 0, 0]
    assert set(read_ledger(built.folder / "dvc.lock")["stages"]) == {"copy@b"}
