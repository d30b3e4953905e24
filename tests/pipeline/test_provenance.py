"""``npvae trace`` and ``npvae verify``, on a project of three small jobs."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from npvae.errors import NpvaeError
from npvae.provenance.ledger import Job, Ledger
from npvae.provenance.trace import trace
from npvae.provenance.verify import broken_links, remade

PIPELINE = """\
stages:
  data:
    cmd: printf '3\\n1\\n2\\n' > data.txt
    deps: [src/data.sh]
    outs: [data.txt]
  sort:
    matrix: {way: [up, down]}
    cmd: sort data.txt > results/${item.way}.txt
    params: [depth]
    deps: [data.txt, src/sort.sh]
    outs:
      - results/${item.way}.txt:
          cache: false
  count:
    cmd: >-
      python3 -c "import json; n = len(open('results/up.txt').readlines());
      json.dump({'lines': n / 3, 'origin': {'measured': 'a slide rule'}}, open('results/count.json', 'w'))"
    deps: [results/up.txt]
    outs:
      - results/count.json:
          cache: false
"""


def shell(command: str, folder: Path) -> None:
    subprocess.run(command, shell=True, check=True, cwd=folder, capture_output=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "project"
    for name, text in {
        "dvc.yaml": PIPELINE,
        "studies/dvc.yaml": "stages: {}\n",
        "params.yaml": "depth: 7\n",
        "src/data.sh": "",
        "src/sort.sh": "",
        ".gitignore": "/data.txt\n",
        "results/.gitkeep": "",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "results/.gitkeep").unlink()
    shell("git init -q . && dvc init -q && dvc repro", folder)
    commit(folder)
    return folder


def commit(folder: Path) -> None:
    shell("git add -A && git -c user.name=t -c user.email=t@example.org commit -qm state", folder)


@pytest.fixture
def project(made, tmp_path) -> Path:
    """A copy without the data and without a cache, as a clone is."""
    folder = Path(shutil.copytree(made, tmp_path / "project"))
    shutil.rmtree(folder / ".dvc/cache")
    (folder / "data.txt").unlink()
    return folder


def printed(root: Path, path: str) -> str:
    console = Console(width=500, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(trace(root, path))
    return console.export_text()


def test_jobs_come_after_those_that_they_read_from(project) -> None:
    names = [job.name for job in Ledger(project).in_order()]
    assert sorted(names) == ["count", "data", "sort@down", "sort@up"]
    assert names.index("data") < names.index("sort@up") < names.index("count")


def test_a_trace_goes_down_to_the_data(project) -> None:
    text = printed(project, "results/count.json")
    assert [text.index(f"made by {job} ") for job in ("count", "sort@up", "data")] == sorted(
        text.index(f"made by {job} ") for job in ("count", "sort@up", "data")
    )
    assert "parameter  depth: 7" in text
    assert "command  sort data.txt > results/up.txt" in text
    assert "machine  a slide rule" in text
    assert "source  src/sort.sh  md5 d41d8cd98f00b204e9800998ecf8427e" in text  # of an empty file
    assert "sort@down" not in text


def test_what_nobody_made_has_no_trace(project) -> None:
    with pytest.raises(NpvaeError, match=r"notes.txt: no recorded stage made it"):
        trace(project, "notes.txt")


def test_a_whole_chain_holds_without_a_cache(project) -> None:
    assert list(broken_links(project)) == []


def test_a_stranger_among_the_results_is_named(project) -> None:
    (project / "results/notes.txt").write_text("mine")
    assert list(broken_links(project)) == []  # git does not hold it
    commit(project)
    assert list(broken_links(project)) == ["results/notes.txt: no stage makes it, with these parameters"]


def test_the_first_broken_link_comes_first(project) -> None:
    (project / "results/count.json").write_text("{}")
    (project / "src/sort.sh").write_text("# changed")
    first, *rest = broken_links(project)
    assert first.startswith("sort@")
    assert "src/sort.sh: changed" in first
    assert any("results/count.json: not the file" in problem for problem in rest)


def forge(project: Path, path: str, content: str) -> None:
    """Changes a result and its record, so that only making it again can tell."""
    job = Ledger(project).maker(path)
    assert job
    before = job.outs[path]
    (project / path).write_text(content)
    done = subprocess.run(["md5sum", path], cwd=project, check=True, capture_output=True, text=True)
    lock = project / "dvc.lock"
    size = len(content)
    text = lock.read_text()
    start = text.index(f"md5: {before}")
    end = text.index("\n", text.index("size:", start))
    lock.write_text(f"{text[:start]}md5: {done.stdout.split()[0]}\n      size: {size}{text[end:]}")


@pytest.mark.parametrize(("lines", "differs"), [(2.0, True), (1.0 + 1e-9, False), (1.001, True)])
def test_a_forged_record_is_found_by_making_the_result_again(project, lines, differs) -> None:
    forge(project, "results/count.json", json.dumps({"lines": lines, "origin": {"measured": "a slide rule"}}))
    expected = ["count: results/count.json: made again, its numbers differ"] if differs else []
    assert list(broken_links(project)) == expected


def test_a_named_job_is_made_again_where_its_inputs_are(project, made) -> None:
    job = Ledger(project).jobs["sort@up"]
    with pytest.raises(NpvaeError, match=r"sort@up: data.txt is not here"):
        list(remade(project, job))
    shutil.copy(made / "data.txt", project)
    assert list(remade(project, job)) == []
    (project / "results/up.txt").write_text("otherwise")
    assert list(remade(project, job)) == ["sort@up: results/up.txt: made again, it differs"]
    assert (project / "results/up.txt").read_text() == "otherwise"


@pytest.mark.parametrize(("grey", "differs"), [(254, False), (200, True)])
def test_a_figure_may_differ_as_another_machine_draws_it(project, tmp_path, grey, differs) -> None:
    Image.fromarray(np.full((20, 30), grey, np.uint8)).save(tmp_path / "drawn.png")
    Image.fromarray(np.full((20, 30), 255, np.uint8)).save(project / "results/figure.png")
    command = f"cp {tmp_path / 'drawn.png'} results/figure.png"
    problems = list(remade(project, Job("draw", "dvc.yaml", (command,), outs={"results/figure.png": ""})))
    assert len(problems) == differs
    assert all("its pixels differ by 55.0 of 255" in problem for problem in problems)
