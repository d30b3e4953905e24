"""Old against new: what differs is named, what does not is not."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from npvae.cli import app
from npvae.errors import NpvaeError
from npvae.provenance.compare import compare, page, summary


def draw(path: Path, *, grey: int = 255, spot: int = 255, size: tuple[int, int] = (80, 100)) -> None:
    pixels = np.full((*size, 3), grey, np.uint8)
    pixels[:8, :10] = spot
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    draw(folder / "figures/figure1.png")
    draw(folder / "figures/figure2.png", spot=0)
    draw(folder / "figures/data/figure2.png")  # data, not a figure
    claims = [{"claim": "Samples", "verdict": "supported", "conditions": [{"rule": "nearer", "holds": True}]}]
    (folder / "claims.json").write_text(json.dumps({"origin": ["here"], "claims": claims}))
    for part in ("metrics", "summary"):
        (folder / part).mkdir()
        (folder / part / "vae-z2.json").write_text(json.dumps({"mean": {"kl": 10.0, "r2": 0.5}}))
    return folder


@pytest.fixture
def other(results: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(results, tmp_path / "other"))


def test_the_same_is_the_same(results, other) -> None:
    assert compare(results, other) == ([], [], [], 2)


def test_pixels_are_counted_and_shown(results, other) -> None:
    draw(other / "figures/figure1.png", spot=0)  # one pixel in a hundred goes from 255 to 0
    [figure], _, _, _ = compare(results, other)
    assert figure.name == "figures/figure1.png"
    assert re.search(r"by 25\.5 of 255", figure.change)
    with Image.open(results / "figures/figure1.png") as image:
        size = image.size
    (other / "difference.png").write_bytes(figure.difference)
    with Image.open(other / "difference.png") as difference:
        assert difference.size == size
        assert difference.convert("L").getpixel((0, 0)) > 200
        assert difference.convert("L").getpixel((50, 50)) == 0


def test_what_another_rasteriser_changes_is_the_same(results, other) -> None:
    draw(other / "figures/figure1.png", grey=254)
    assert compare(results, other).figures == []
    assert len(compare(results, other, tolerance=0.5).figures) == 1


def test_other_sizes_and_missing_figures_differ(results, other) -> None:
    draw(other / "figures/figure1.png", size=(80, 101))
    (other / "figures/figure2.png").rename(other / "figures/figure3.png")
    changes = {figure.name: figure.change for figure in compare(results, other).figures}
    assert "sizes do not match" in changes["figures/figure1.png"]
    assert changes["figures/figure2.png"] == "removed"
    assert changes["figures/figure3.png"] == "added"


def test_numbers_and_verdicts_move(results, other) -> None:
    for part in ("metrics", "summary", "crate/results"):  # of which the first has it all
        (other / part).mkdir(parents=True, exist_ok=True)
        (other / part / "vae-z2.json").write_text(json.dumps({"mean": {"kl": 11.0, "r2": 0.9, "new": 1}}))
    text = (other / "claims.json").read_text()
    (other / "claims.json").write_text(
        text.replace('"supported"', '"not supported"').replace("true", "false")
    )
    comparison = compare(results, other)
    assert [(one.key, one.old, one.new) for one in comparison.verdicts] == [
        ("claims / Samples / verdict", "supported", "not supported")
    ]
    assert {(one.key, one.old, one.new) for one in comparison.numbers} == {
        ("claims / Samples / conditions / nearer / holds", True, False),
        ("mean / new", None, 1),
        ("mean / r2", 0.5, 0.9),
        ("mean / kl", 10.0, 11.0),
    }
    assert [one.key for one in comparison.numbers][-2:] == [
        "mean / r2",
        "mean / kl",
    ]  # what moved most goes first
    text = summary(comparison, most=3)
    assert "| metrics/vae-z2.json: mean / r2 | 0.5 | 0.9 |" in text
    assert "And 1 more numbers" in text
    assert "mean / kl" not in text


def test_the_page_holds_its_pictures_and_asks_nothing_of_a_network(results, other) -> None:
    draw(other / "figures/figure1.png", spot=0)
    text = page(compare(results, other), "v1 <&>", "here")
    assert text.count("data:image/png;base64,") == 3
    assert not re.search(r"https?://|<script|src=\"(?!data:)", text)
    assert "v1 &lt;&amp;&gt;" in text


def test_a_revision_is_compared_with_the_tree(results, monkeypatch) -> None:
    monkeypatch.chdir(results.parent)
    commit = "git init -q . && git add -A && git -c user.name=t -c user.email=t@example.org commit -qm 1"
    subprocess.run(commit, shell=True, check=True)
    run = CliRunner().invoke
    assert run(app, ["compare", "HEAD", "--same"], catch_exceptions=False).exit_code == 0
    draw(results / "figures/figure1.png", spot=0)
    arguments = ["compare", "HEAD", "--page", "page.html", "--summary", "summary.md"]
    assert run(app, arguments, catch_exceptions=False).exit_code == 0
    assert "1 of 2 figures" in Path("summary.md").read_text()
    assert "figure1.png" in Path("page.html").read_text()
    error = run(app, ["compare", "HEAD", "--same"]).exception
    assert isinstance(error, NpvaeError)
    assert "figures/figure1.png" in str(error)
    error = run(app, ["compare", "nothing"]).exception
    assert "neither a folder nor a revision" in str(error)
