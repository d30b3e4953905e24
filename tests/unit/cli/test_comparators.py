"""The comparators' command on small images, with labels and without; PCA stands for the slow methods."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML
from sklearn.datasets import load_digits
from typer.testing import CliRunner

from npvae.cli import app
from npvae.comparators import embeddings
from npvae.model.checkpoint import new_model, save_models
from npvae.params import load_params


@pytest.mark.parametrize("labelled", [True, False])
def test_what_compares_labels_is_measured_where_there_are_any(
    labelled: bool, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for method in ("t-SNE", "UMAP"):
        monkeypatch.setitem(embeddings.METHODS, method, embeddings.pca)
    digits = load_digits()
    images, labels = digits.images[:260, 1:, :6].astype(np.uint8), digits.target[:260]
    told = {"train_labels": labels[:200], "test_labels": labels[200:]} if labelled else {}
    np.savez("digits.npz", train_images=images[:200], test_images=images[200:], **told)
    values = YAML(typ="safe").load(root / "params.yaml")
    values["data"] = {"name": "digits", "image_shape": [7, 6], "validation_images": 0}
    values["data"] |= {"train_images": 200, "test_images": 60}
    values["predict"]["reference_images"] = 200
    YAML().dump(values, tmp_path / "params.yaml")
    recipe = load_params().recipe("vae", 3)
    save_models(Path("vae.safetensors"), {0: new_model(recipe, 0)}, recipe, {"precision": "float32"})
    for command in (
        "data --output data/digits --source digits.npz",
        "comparators --data data/digits --z-dim 3 --checkpoint vae.safetensors --output out.csv",
    ):
        result = CliRunner().invoke(app, command.split(), catch_exceptions=False)
        assert result.exit_code == 0, result.output
    table = pd.read_csv("out.csv").pivot(index="method", columns="measure", values="value")
    assert {"PCA", "UMAP of the plain VAE's E[z], Z = 3"} < set(table.index)
    told_by = {"digit_accuracy", "digit_accuracy_1nn", "silhouette"} if labelled else set()
    assert set(table.columns) == {"trustworthiness"} | told_by
    assert table.notna().all(axis=None)
    if labelled:
        assert table.loc["PCA", "digit_accuracy"] > 0.4  # of ten digits
