"""The check of the committed artefacts: green as they are, red for whatever makes them stale.

In a copy of this tree without DVC's cache, data or checkpoints: what CI has.
"""

import os
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from npvae.errors import NpvaeError
from npvae.provenance.artefacts import artefact_problems
from npvae.provenance.check import check


@pytest.fixture(scope="module")
def committed(copy_tree, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("committed") / "copy"
    copy_tree(folder)
    return folder


@pytest.fixture
def copy(committed, tmp_path) -> Path:
    return Path(shutil.copytree(committed, tmp_path / "copy"))


def test_the_committed_artefacts_are_up_to_date(committed):
    assert check(committed).problems == []
    assert not (committed / "results/checkpoints").exists()


def test_right_files_that_were_put_there_by_hand_are_taken(copy, as_project, mnist):
    for file in mnist.glob("*-ubyte"):
        (copy / "data/mnist").mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy / "data/mnist")
    project = as_project(copy)
    project.environment["NPVAE_MNIST_DIR"] = "/nowhere"
    assert "four files verified, from data/mnist, where they were" in project.run("snakemake data --cores 1")
    assert "Nothing to be done" in project.run("snakemake data --cores 1")
    assert "didn't change, skipping" in project.run("dvc repro data")
    assert len(list((copy / "data/mnist").iterdir())) == 4


def test_a_clone_on_a_system_with_other_line_ends_is_the_same(committed, as_project, tmp_path):
    project = as_project(committed)
    project.commit()
    project.run(f"git clone -q -c core.autocrlf=true . {tmp_path / 'clone'}")
    clone = as_project(tmp_path / "clone")
    assert not clone.run("git status --porcelain")
    assert check(clone.folder).problems == []


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def substitute(path: Path, pattern: str, replacement: str) -> None:
    text, count = re.subn(pattern, replacement, path.read_text(), count=1, flags=re.DOTALL)
    assert count
    path.write_text(text)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:300])


def shrink(path: Path) -> None:
    with Image.open(path) as image:
        small = image.resize((50, 50))
    small.save(path)


def blank(path: Path) -> None:
    with Image.open(path) as image:
        size = image.size
    Image.new("RGB", size, "white").save(path)


TRAINED, EMBEDDED = (rf"(\n  {job}:.*?outs:.*?md5: )\w{{32}}" for job in ("train@npvae-500", "embed@vae-20"))
FORGED = r"\g<1>" + "a" * 32


# What is done to a copy, and what must then be said of it; none of these hides another
CHANGES = [
    {
        r"train@npvae-2: src/npvae/model: changed": lambda d: append(d / "src/npvae/model/kernel.py", "#"),
        r"figure1: src/npvae/figures: changed": lambda d: (d / "src/npvae/figures/figure1.py").unlink(),
        r"train@vae-2: src/npvae/machine.py: missing": lambda d: (d / "src/npvae/machine.py").unlink(),
        r"train@vae-20: parameter": lambda d: substitute(d / "params.yaml", "epochs: 20", "epochs: 21"),
        r"figure1: its command": lambda d: substitute(d / "dvc.yaml", "npvae figure1", "npvae  figure1"),
        r"figure2: \S+figure2.pdf: missing": lambda d: (d / "results/figures/figure2.pdf").unlink(),
        r"measure@vae-2: \S+vae-z2.json: not the": lambda d: append(d / "results/metrics/vae-z2.json", " "),
        r"embed@npvae-500: results/checkpoints/npvae-z500.safetensors: made from another version": (
            lambda d: substitute(d / "dvc.lock", TRAINED, FORGED)
        ),
        r"figure_data: results/embeddings: made from another version": (
            lambda d: substitute(d / "dvc.lock", EMBEDDED, FORGED)
        ),
    },
    {
        r"figure3: src/npvae/figures: changed": lambda d: append(d / "src/npvae/figures/style.py", "#"),
        r"train@vae-500: recorded, but": (
            lambda d: substitute(d / "params.yaml", r"\[2, 20, 500\]", "[2, 20]")
        ),
        r"figure_data: parameter z_dims": lambda d: None,  # the same change
        r"figure1: params.yaml: its parameters are new": (
            lambda d: substitute(d / "dvc.yaml", r"(cmd: npvae figure1[^\n]*\n)", r"\1    params: [seeds]\n")
        ),
        r"figure2: \S+figure2.png: not the file": lambda d: cut(d / "results/figures/figure2.png"),
    },
    {
        r"train@vae-9: never run": lambda d: substitute(d / "params.yaml", r"\[2, 20, 500\]", "[2, 9]"),
    },
]


@pytest.mark.parametrize("changes", CHANGES)
def test_red_for(copy, changes):
    for change in changes.values():
        change(copy)
    problems = "\n".join(check(copy).problems)
    for says in changes:
        assert re.search(says, problems)


def test_bytes_are_hashed_anew_whatever_dvc_remembers(copy):
    path = copy / "results/measures/vae-z2.csv"
    assert not check(copy).problems
    before, content = path.stat(), path.read_bytes()
    path.write_bytes(content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert any("vae-z2.csv: not the file that was recorded" in problem for problem in check(copy).problems)


# as a kill left it once: cut off, and still YAML
TORN = b"schema: '2.0'\nstages:\n  figure1:\n    cmd: npvae figure1\n    deps:\n    - path:\n"


@pytest.mark.parametrize("content", [b"", TORN, b"<<<<<<< HEAD\nschema: '2.0'\n", b"\xff\xfe", b"- 1\n"])
def test_a_ledger_that_is_none_ends_in_a_cure(copy, content):
    (copy / "dvc.lock").write_bytes(content)
    with pytest.raises(NpvaeError, match=r"dvc\.lock.*`git checkout`") as refused:
        check(copy)
    assert "\n" not in str(refused.value)


def test_a_study_that_is_older_than_the_tree_is_named_and_is_no_problem(copy):
    append(copy / "src/npvae/comparators/embeddings.py", "\n# an edit\n")
    problems, older = check(copy)
    assert problems == []
    assert "comparators: src/npvae/comparators: changed since it ran" in older


def test_what_is_merely_not_here_raises_no_alarm(ran):
    for name in ("embeddings/vae-z2.parquet", "history/vae-z2.csv", "checkpoints/classifier.safetensors"):
        (ran.folder / "results" / name).unlink()
    assert check(ran.folder).problems == []
    for file in (ran.folder / "results/embeddings").iterdir():
        file.unlink()
    assert check(ran.folder).problems == []


def test_an_object_damaged_in_dvcs_cache_is_named_and_so_is_the_cure(ran):
    md5 = ran.ledger()["embed@vae-2"]["outs"][0]["md5"]
    name, held = "results/embeddings/vae-z2.parquet", f".dvc/cache/files/md5/{md5[:2]}/{md5[2:]}"
    content = (ran.folder / held).read_bytes()
    (ran.folder / held).unlink()  # another project's link
    (ran.folder / held).write_bytes(content[:-9])
    (ran.folder / held).chmod(0o444)
    (ran.folder / name).unlink()
    ran.run("dvc checkout")  # DVC trusts a read-only object
    output = ran.run("npvae check", fails=True)
    assert f"embed@vae-2: {name}: not the file that was recorded" in output
    assert f"damaged in DVC's cache; delete it and {held}, then `dvc repro`" in output
    (ran.folder / held).unlink()
    (ran.folder / name).unlink()
    ran.run("dvc repro embed@vae-2")
    assert "up to date" in ran.run("npvae check")
    assert (ran.folder / held).read_bytes() == content


@pytest.mark.parametrize(
    ("name", "spoil", "says"),
    [
        ("figures/figure2.png", cut, "does not decode"),
        ("figures/figure2.pdf", cut, "does not decode"),
        ("figures/figure3.png", blank, "blank"),
        ("figures/figure4.png", shrink, "50 pixels wide"),
        ("metrics/vae-z2.json", lambda path: path.write_text('{"kl": NaN}'), "not finite"),
        ("metrics/vae-z2.json", cut, "does not decode"),
    ],
)
def test_red_for_a_broken_artefact_even_if_recorded(copy, name, spoil, says):
    path = copy / "results" / name
    assert not list(artefact_problems(path, name))
    spoil(path)
    [problem] = artefact_problems(path, name)
    assert name in problem
    assert says in problem
