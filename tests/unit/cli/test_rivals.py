"""The commands of the VampPrior and the GP-LVM on small images, with labels and without."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML
from sklearn.datasets import load_digits
from typer.testing import CliRunner

from npvae.cli import app
from npvae.measures.classifier import Classifier, save_classifiers


@pytest.mark.parametrize("labelled", [True, False])
def test_both_are_trained_and_measured(
    labelled: bool, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    digits = load_digits()
    images, labels = digits.images[:260, 1:, :6].astype(np.uint8) * 15, digits.target[:260]
    told = {"train_labels": labels[:200], "test_labels": labels[200:]} if labelled else {}
    np.savez("digits.npz", train_images=images[:200], test_images=images[200:], **told)
    values = YAML(typ="safe").load(root / "params.yaml")
    values["data"] = {"name": "digits", "image_shape": [7, 6], "validation_images": 0}
    values["data"] |= {"train_images": 200, "test_images": 60}
    values["predict"]["reference_images"] = 200
    values["network"]["hidden_units"] = 32
    values["train"]["epochs"] = 2
    values["measure"] |= {"samples": 50, "likelihood_images": 10, "importance_samples": 5, "pairs": 20}
    YAML().dump(values, tmp_path / "params.yaml")
    classifiers = [Classifier((7, 6)) for _ in range(2)] if labelled else []
    save_classifiers(Path("classifier.safetensors"), classifiers)
    for command in (
        "data --output data/digits --source digits.npz",
        "vampprior --data data/digits --z-dim 3 --classifier classifier.safetensors --output vampprior.csv",
        "gplvm --data data/digits --classifier classifier.safetensors --output gplvm.csv",
    ):
        result = CliRunner().invoke(app, command.split(), catch_exceptions=False)
        assert result.exit_code == 0, result.output
    vampprior, gplvm = (pd.read_csv(f"{name}.csv") for name in ("vampprior", "gplvm"))
    assert {"reconstruction", "negative_log_likelihood", "sample_mmd2_pixels"} <= set(vampprior["measure"])
    assert {"trustworthiness", "sample_mmd2_pixels_kde", "linear_x_nearest"} <= set(gplvm["measure"])
    for table in (vampprior, gplvm):
        assert table["value"].notna().all()
        eyes = (table["measure"] == "sample_mmd2").sum()
        assert eyes == (2 if labelled else 0)  # of two classifiers
    value = gplvm.groupby("measure")["value"].mean()
    assert ("digit_accuracy" in value) is labelled
    if labelled:
        assert value["digit_accuracy"] > 0.3  # of ten digits
