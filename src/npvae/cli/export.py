"""``npvae embed``, ``interpolate`` and ``generate``: what the figures read."""

import io
from pathlib import Path
from typing import Annotated, Any

import typer

from npvae.cli.options import DEFAULT_PARAMS, Mnist, Model, Output, ParamsFile, ZDim

Checkpoint = Annotated[Path, typer.Option(help="Checkpoint of seed 0.")]


def embed(
    model: Model,
    z_dim: ZDim,
    data: Mnist,
    checkpoint: Checkpoint,
    output: Output,
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Table of where all images lie in X and, where Z has two dimensions, in Z (parquet)."""
    from npvae.checkpoint import load_models
    from npvae.data import load_splits
    from npvae.embed import embedding_table
    from npvae.files import write_atomically
    from npvae.params import load_params

    loaded = load_params(params)
    [(seed, trained)] = load_models(checkpoint, loaded.of_checkpoint(model, z_dim)).items()
    train, test = load_splits(data, **loaded.data.model_dump())
    buffer = io.BytesIO()
    table = embedding_table(trained, {"train": train, "test": test})
    table.assign(model=model, z_dim=z_dim, seed=seed).to_parquet(buffer, index=False)
    write_atomically(output, buffer.getvalue())


def interpolate(
    model: Model,
    z_dim: ZDim,
    data: Mnist,
    checkpoint: Checkpoint,
    output: Output,
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Two training images and those between them, on a line in X or, for the plain VAE, in Z (npz)."""
    import torch

    from npvae.checkpoint import load_models
    from npvae.inputs import read_inputs
    from npvae.params import load_params
    from npvae.sample import interpolants

    loaded = load_params(params)
    [trained] = load_models(checkpoint, loaded.of_checkpoint(model, z_dim)).values()
    (train, _), _, reference = read_inputs(loaded, data)
    first, last = train[list(loaded.figures.interpolate)]
    between = interpolants(trained, first, last, loaded.figures.interpolation_steps, train[reference])
    _save(output, images=torch.cat([first[None], between, last[None]]).numpy())


def generate(
    z_dim: ZDim, data: Mnist, checkpoint: Checkpoint, output: Output, params: ParamsFile = DEFAULT_PARAMS
) -> None:
    """Images decoded from X at the places of test images, thinned so that they do not overlap (npz).

    ``locations`` in X, ``images`` decoded there, and ``side``, their side in units of X.
    """
    from npvae.checkpoint import load_models
    from npvae.embed import Reference, locations
    from npvae.inputs import read_inputs
    from npvae.model import NonparametricVAE
    from npvae.params import load_params
    from npvae.sample import decode_x, thin, thumbnail_side

    loaded = load_params(params)
    [trained] = load_models(checkpoint, loaded.of_checkpoint("npvae", z_dim)).values()
    assert isinstance(trained, NonparametricVAE)
    (train, _), (test, _), reference = read_inputs(loaded, data)
    x = locations(trained, test)
    side = thumbnail_side(x, loaded.figures.thumbnails)
    x = x[thin(x, side)]
    images = decode_x(trained, x, Reference.of(trained, train[reference]))
    _save(output, locations=x.numpy(), images=images.numpy(), side=side)


def _save(path: Path, **arrays: Any) -> None:
    import numpy as np

    from npvae.files import write_atomically

    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_atomically(path, buffer.getvalue())
