"""``npvae onnx``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from npvae.cli.options import DEFAULT_PARAMS, Model, ParamsFile, ZDim
from npvae.errors import NpvaeError


def onnx(
    model: Model,
    z_dim: ZDim,
    checkpoint: Annotated[Path, typer.Option(help="The model's checkpoint (safetensors).")],
    output: Annotated[Path, typer.Option(help="Folder for encoder.onnx, decoder.onnx and x_encoder.onnx.")],
    seed: Annotated[int, typer.Option(min=0, help="Of the training in the checkpoint.")] = 0,
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Write the networks of a trained model as ONNX files, for programs without torch."""
    from npvae.model.checkpoint import load_models
    from npvae.onnx import export
    from npvae.params import load_params

    models = load_models(checkpoint, load_params(params).recipe(model, z_dim))
    if seed not in models:
        raise NpvaeError(f"{checkpoint}: no seed {seed}; there are {', '.join(map(str, models)) or 'none'}")
    files = export(models[seed], output)
    print(f"{model} Z={z_dim}: {', '.join(map(str, files))}", file=sys.stderr)
