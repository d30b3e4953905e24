"""Own images of another shape than MNIST's, with labels and without: from their file to the pages."""

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from ruamel.yaml import YAML
from sklearn.datasets import load_digits

from npvae.provenance.artefacts import artefact_problems
from tests.pipeline.at_once import run
from tests.pipeline.project import Project

FIGURES = [f"figure{number}{model}" for number in (2, 3, 4) for model in ("", "-advised")]


LABELLED = pytest.param(True, marks=pytest.mark.faults, id="labelled")


@pytest.fixture(params=[LABELLED, pytest.param(False, id="unlabelled")])
def own(
    request: pytest.FixtureRequest, new_project: Callable[[Path], Project], tmp_path: Path
) -> tuple[Project, bool]:
    """A small project of scikit-learn's digits, the last column cut off: what a user types, and an edit."""
    project = new_project(tmp_path / "project")
    digits = load_digits()
    images, labels = (digits.images[:560, :, :7] * 15).astype(np.uint8), digits.target[:560]
    told = {"train_labels": labels[:500], "test_labels": labels[500:]} if request.param else {}
    np.savez(project.folder / "digits.npz", train_images=images[:500], test_images=images[500:], **told)
    printed = subprocess.run(
        shlex.split("npvae data --output data/digits --source digits.npz"),
        cwd=project.folder,
        env=project.environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    project.edit(YAML(typ="safe").load(printed) | {"classifier": {"epochs": 3, "seeds": 2}})
    return project, request.param


def test_every_command_of_the_dag_runs_on_them(
    own: tuple[Project, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    project, labelled = own
    monkeypatch.chdir(project.folder)
    run(record=False)
    look_at(project.folder, labelled)


@pytest.mark.faults
@pytest.mark.parametrize("door", ["dvc repro", "snakemake --cores 2"])
def test_both_doors_run_on_them(own: tuple[Project, bool], door: str) -> None:
    project, labelled = own
    project.freeze_comparators(False)  # of digits; a frozen stage would not wait for the model that it reads
    project.run(door)
    look_at(project.folder, labelled)
    assert "up to date" in project.run("dvc status dvc.yaml")
    project.run("npvae check")
    assert ("accuracy" in project.run("dvc metrics show")) == labelled


def look_at(folder: Path, labelled: bool) -> None:
    """What of labels is there, and what is not."""
    results = folder / "results"
    for name in FIGURES:
        assert not list(artefact_problems(results / f"figures/{name}.png", name))
        with Image.open(results / f"figures/{name}.png") as image:
            assert image.height > 200  # a figure, and no line in its place
    for path in results.glob("metrics/*.json"):
        assert not list(artefact_problems(path, path.name))
    page, explorer = ((results / name).read_text() for name in ("claims.md", "explorer.html"))
    names = set(pd.concat(map(pd.read_csv, results.glob("measures/*.csv")))["measure"])
    assert ("digit_accuracy" in names) == ("linear_x_midpoint_mmd2_loo" in names) == labelled
    assert {"sample_mmd2_pixels", "trustworthiness", "negative_log_likelihood_x_loo", "kl"} <= names
    assert ("Without what needs labels: the training images of digits have no labels" in page) != labelled
    assert "**Reconstruction is not sacrificed.**" in page
    assert ("10-nearest-neighbour" in page) == labelled
    assert "real test image of digits" in explorer
    assert 'width="7" height="8"' in explorer
    assert ('class="legend"' in explorer) == labelled
