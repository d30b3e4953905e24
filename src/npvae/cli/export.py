"""``npvae embed`` and ``npvae sample``: what the figures read."""

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


def sample(
    model: Model,
    z_dim: ZDim,
    data: Mnist,
    checkpoint: Checkpoint,
    output: Output,
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Images that figures 2 and 4 show (npz).

    ``interpolants``: the two real images and those between them. A nonparametric VAE adds ``locations``
    in X of thinned test images, ``images`` decoded there and ``side``, their side in units of X.
    """
    import numpy as np
    import torch

    from npvae.checkpoint import load_models
    from npvae.data import load_splits
    from npvae.embed import locations
    from npvae.files import write_atomically
    from npvae.model import NonparametricVAE
    from npvae.params import load_params
    from npvae.sample import decode_x, interpolants, thin, thumbnail_side

    loaded = load_params(params)
    [trained] = load_models(checkpoint, loaded.of_checkpoint(model, z_dim)).values()
    (train, _), (test, _) = load_splits(data, **loaded.data.model_dump())
    first, last = train[list(loaded.figures.interpolate)]
    between = interpolants(trained, first, last, loaded.figures.interpolation_steps, train)
    arrays: dict[str, Any] = {"interpolants": torch.cat([first[None], between, last[None]]).numpy()}
    if isinstance(trained, NonparametricVAE):
        x = locations(trained, test)
        side = thumbnail_side(x, loaded.figures.thumbnails)
        thinned = x[thin(x, side)]
        arrays |= {
            "locations": thinned.numpy(),
            "images": decode_x(trained, thinned, train).numpy(),
            "side": side,
        }
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_atomically(output, buffer.getvalue())
