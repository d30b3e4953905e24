"""ONNX files give what the model gives; where nothing can write them, a sentence says so."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from npvae.errors import NpvaeError
from npvae.model.vae import build
from npvae.onnx import export
from npvae.settings import Network


def test_the_files_compute_what_the_model_computes(tiny: Network, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    model = build("npvae", 3, tiny, pixels=20, seed=0).eval()
    files = export(model, tmp_path)
    assert [file.name for file in files] == ["encoder.onnx", "decoder.onnx", "x_encoder.onnx"]
    images, z = torch.rand(7, 20), torch.randn(5, 3)
    with torch.no_grad():
        wanted = {
            "encoder": ({"images": images}, model.encode(images)),
            "decoder": ({"z": z}, (model.decode(z).sigmoid(),)),
            "x_encoder": ({"images": images}, (model.embed(images),)),
        }
    for name, (given, expected) in wanted.items():
        session = runtime.InferenceSession(str(tmp_path / f"{name}.onnx"), providers=["CPUExecutionProvider"])
        got = session.run(None, {key: value.numpy() for key, value in given.items()})
        for ours, theirs in zip(got, expected, strict=True):
            np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-4, atol=1e-5)


def test_a_plain_vae_has_no_x_encoder(tiny: Network, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    files = export(build("vae", 3, tiny, pixels=20, seed=0).eval(), tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(files)
    assert len(files) == 2


@pytest.mark.skipif(importlib.util.find_spec("onnxscript") is not None, reason="it can be written here")
def test_a_package_that_is_missing_is_named(tiny: Network, tmp_path: Path) -> None:
    assert "onnxscript" not in sys.modules
    with pytest.raises(NpvaeError, match=r"pip install --editable"):
        export(build("vae", 3, tiny, pixels=20, seed=0).eval(), tmp_path)
