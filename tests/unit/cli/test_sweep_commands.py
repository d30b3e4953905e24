"""The sweep's two commands, on a few images: what a point's table holds, and what is made of all of them."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from ruamel.yaml import YAML

from npvae.cli.sweep import sweep, sweep_point
from npvae.errors import NpvaeError
from npvae.figures.differences import MEASURES
from npvae.measures.classifier import Classifier, save_classifiers

POINTS = ["z2-default", "z2-npvae.divergence=predictive"]


@pytest.fixture
def params(root: Path, tmp_path: Path) -> Path:
    yaml = YAML()
    values = yaml.load(root / "params.yaml")
    values["data"] |= {"validation_images": 0, "train_images": 200, "test_images": 60}
    values["network"]["hidden_units"] = 8
    values["train"] |= {"epochs": 1, "batch_size": 50}
    values["predict"]["reference_images"] = 100
    values["classifier"]["seeds"] = 2
    values["measure"] |= {"samples": 20, "importance_samples": 3, "likelihood_images": 4, "subset": 20}
    values["measure"] |= {"pairs": 5, "steps": 3, "mixture_components": 2}
    values["sweep"] = {"seeds": 2, "points": POINTS}
    yaml.dump(values, tmp_path / "params.yaml")
    return tmp_path / "params.yaml"


def test_points_are_trained_measured_and_compared(params: Path, tmp_path: Path, mnist: Path) -> None:
    classifier = tmp_path / "classifier.safetensors"
    save_classifiers(classifier, [Classifier(), Classifier()])
    folder = tmp_path / "sweep"
    for point in POINTS:
        output, state = folder / f"{point}.csv", tmp_path / "state" / point
        torch.manual_seed(0)
        sweep_point(point, mnist, classifier, output, state, params)
        table = pd.read_csv(output)
        assert list(table.columns) == ["model", "z_dim", "seed", "classifier", "measure", "value"]
        assert set(table["model"]) == {"npvae"}
        assert set(table["z_dim"]) == {2}
        assert set(table["seed"]) == {0, 1}
        assert set(MEASURES) <= set(table["measure"])
        assert set(table.loc[table["measure"] == "sample_mmd2", "classifier"]) == {0, 1}
        process = {"z_coverage", "match_r2_process"} & set(table["measure"])
        assert len(process) == (2 if "predictive" in point else 0)
        assert not state.exists()
    (folder / "npvae.match_weight=1.0.csv").write_text("of an older sweep")
    drawing, page = tmp_path / "sweep.png", tmp_path / "sweep.md"
    sweep(folder, page, [drawing], params)
    assert drawing.stat().st_size > 1_000
    assert "exact, left out (Eqs. 2, 3)" in page.read_text()
    assert "How far the Gaussian process can be believed" in page.read_text()
    (folder / f"{POINTS[1]}.csv").unlink()
    with pytest.raises(NpvaeError, match=r"predictive\.csv"):
        sweep(folder, page, [drawing], params)


def test_a_point_that_clashes_is_refused_before_anything_is_read(params: Path, tmp_path: Path) -> None:
    point, nowhere = "z2-train.batch_size=512", tmp_path / "nowhere"
    with pytest.raises(NpvaeError, match=r"train\.batch_size is larger than data\.train_images"):
        sweep_point(point, nowhere, nowhere, tmp_path / "out.csv", nowhere, params)
