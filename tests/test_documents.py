"""What the documents tell a reader to type, typed."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from npvae.cli import app

SMALL = {  # tiny numbers for what the document leaves to the reader
    "network": {"hidden_units": 8},
    "train": {"epochs": 1, "batch_size": 16},
    "advised": {"epochs": 1, "batch_size": 16},
    "predict": {"reference_images": 50},
}


def run(command: str, folder: Path, *, fails: bool = False) -> subprocess.CompletedProcess[str]:
    scripts = Path(sys.executable).parent
    environment = {"PATH": f"{scripts}:/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done


@pytest.fixture
def cells(tmp_path: Path) -> dict[str, np.ndarray]:
    """What is in the file cells.npz: 60 training and 20 test images of 6 x 7, without labels."""
    random = np.random.default_rng(0)
    arrays = {
        f"{split}_images": random.integers(256, size=(count, 6, 7), dtype=np.uint8)
        for split, count in (("train", 60), ("test", 20))
    }
    np.savez(tmp_path / "cells.npz", **arrays)
    return arrays


def test_the_lines_of_python_in_the_readme_run(root: Path, tmp_path: Path) -> None:
    [block] = re.findall(r"```python\n(.*?)```", (root / "README.md").read_text(), flags=re.DOTALL)
    assert len(block.strip().splitlines()) <= 11
    program = block.replace("epochs=50", "epochs=1, hidden_units=8").replace(
        ".images / 16", ".images[:200] / 16"
    )
    assert program.count("epochs=1") == program.count("[:200]") == 1
    scope: dict[str, Any] = {}
    exec(program.replace('"digits.safetensors"', repr(str(tmp_path / "digits.safetensors"))), scope)
    assert scope["x"].shape == (200, 2)
    assert scope["decoded"].shape == scope["between"].shape == scope["again"].shape == (10, 8, 8)


def test_the_notebook_runs(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = json.loads((root / "examples/own-images.ipynb").read_text())
    program = "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code")
    assert program.count("epochs=50") == 1
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    # UMAP compiles for half a minute; another transformer stands in for it
    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=lambda random_state: PCA(2)))
    scope: dict[str, Any] = {}
    exec(program.replace("epochs=50", "epochs=1, hidden_units=8"), scope)
    assert scope["again"].transform(scope["test"]).shape == (500, 2)
    assert all("outputs" in cell for cell in notebook["cells"] if cell["cell_type"] == "code")


def test_own_images_go_into_the_pipeline_as_the_readme_says(
    root: Path, cells: dict[str, np.ndarray], tmp_path: Path
) -> None:
    readme = (root / "README.md").read_text().partition("## Your own images")[2]
    command = re.search(r"^    (npvae data .*?)  +#", readme, flags=re.MULTILINE)
    assert command
    done = run(command[1], tmp_path)
    assert "cells: 60 training and 20 test images of 6 x 7, from cells.npz" in done.stderr
    assert "there are no labels" in done.stderr
    printed = YAML(typ="safe").load(done.stdout)
    assert printed == {
        "data": {
            "name": "cells",
            "image_shape": [6, 7],
            "validation_images": 0,
            "train_images": 60,
            "test_images": 20,
        }
    }
    yaml = YAML()
    values = yaml.load(root / "params.yaml")
    values["data"] = printed["data"]
    yaml.dump(values, tmp_path / "params.yaml")
    assert "larger than data.train_images" in run("npvae params", tmp_path, fails=True).stderr
    for section, changes in SMALL.items():
        values[section] |= changes
    values["figures"]["interpolate"] = [7, 12]
    yaml.dump(values, tmp_path / "params.yaml")
    run("npvae params", tmp_path)
    # the stage's own command takes what lies there
    assert "where they were" in run("npvae data --output data/cells", tmp_path).stderr
    run(
        "npvae train --model npvae --z-dim 2 --data data/cells --checkpoint c.safetensors --history h.csv "
        "--state state",
        tmp_path,
    )


def test_images_of_another_shape_are_trained_on_embedded_decoded_and_interpolated(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    images = load_digits().images.astype(np.uint8)
    np.savez("digits.npz", train_images=images[:200], test_images=images[200:230])
    values = YAML(typ="safe").load(root / "params.yaml")
    for section, changes in SMALL.items():
        values[section] |= changes
    values["data"] = {
        "name": "digits",
        "image_shape": [8, 8],
        "validation_images": 10,
        "train_images": 190,
        "test_images": 30,
    }
    values["figures"] = {"thumbnails": 4, "interpolate": [7, 12], "interpolation_steps": 3}
    YAML().dump(values, tmp_path / "params.yaml")
    app(["data", "--output", "data/digits", "--source", "digits.npz"], standalone_mode=False)
    model = ["--model", "npvae", "--z-dim", "2", "--data", "data/digits", "--checkpoint", "c.safetensors"]
    app(["train", *model, "--history", "h.csv", "--state", "state"], standalone_mode=False)
    for command, output in (("embed", "e.parquet"), ("generate", "g.npz"), ("interpolate", "i.npz")):
        app([command, *model, "--output", output], standalone_mode=False)
    table = pd.read_parquet("e.parquet")
    assert dict(table["split"].value_counts()) == {"train": 190, "test": 30}
    with np.load("g.npz") as generated:
        assert generated["images"].shape[1] == 64


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("npvae data --output data/cells", "put your own images there with `npvae data --output data/cells"),
        ("npvae data --output data/My_cells", "My_cells: no name for a data set"),
        ("npvae data --output data/cells --source cells.csv", "cells.csv: give an .npz file"),
        ("npvae data --output data/mnist --source .", "train-images-idx3-ubyte: missing"),
    ],
)
def test_what_cannot_be_taken_ends_in_one_sentence(command: str, says: str, tmp_path: Path) -> None:
    error = run(command, tmp_path, fails=True).stderr
    assert says in error
    assert "Traceback" not in error
    assert not list(tmp_path.rglob("*ubyte"))


def test_a_parameter_file_names_the_data_set_where_it_is_given(
    root: Path, cells: dict[str, np.ndarray], tmp_path: Path
) -> None:
    text = (root / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(re.sub(r"name: mnist .*", "name: kmnist", text))
    error = run("npvae data --output here --params params.yaml --source .", tmp_path, fails=True).stderr
    assert "no source gave Kuzushiji-MNIST" in error


def test_an_older_python_is_refused_before_anything_is_made(root: Path, tmp_path: Path) -> None:
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        shutil.copy(root / name, tmp_path)
    old = tmp_path / "old-python"
    pretend = "import sys; sys.version_info = (3, 10, 14); exec(sys.argv[1])"
    old.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{pretend}" "$2"\n')
    old.chmod(0o755)
    error = run(f"make check PYTHON={old}", tmp_path, fails=True).stderr
    assert f"{old} is Python 3.10, and npvae needs 3.11 or newer" in error
    assert not (tmp_path / ".venv").exists()


def test_every_measure_is_in_the_glossary(root: Path) -> None:
    text = (root / "docs/glossary.md").read_text()
    told = set(re.findall(r"`(?:…_)?(\w+)`", text))
    paths, endings = ("linear_x_", "linear_z_", "slerp_z_"), ("_mixture", "_kde", "_loo")
    assert all(path in text for path in paths)
    names = set()
    for table in (root / "results/measures").glob("*.csv"):
        with table.open() as file:
            names |= {row["measure"] for row in csv.DictReader(file)}
    assert names
    for name in names:
        for path in paths:
            name = name.removeprefix(path)
        for ending in endings:
            name = name.removesuffix(ending)
        assert name in told, name
