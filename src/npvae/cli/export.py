"""``npvae embed``, ``interpolate`` and ``generate``: what the figures read."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from npvae.cli.options import DEFAULT_PARAMS, Mnist, Model, Output, ParamsFile, ZDim, the_only

if TYPE_CHECKING:
    from npvae.data.images import Split
    from npvae.latent.spaces import Space
    from npvae.params import Params

Checkpoint = Annotated[Path, typer.Option(help="Checkpoint of seed 0.")]


def embed(
    model: Model,
    z_dim: ZDim,
    data: Mnist,
    checkpoint: Checkpoint,
    output: Output,
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Table of where all images lie in X or, of the plain VAE, in a Z of two dimensions (parquet)."""
    from npvae.files import write_atomically
    from npvae.latent.export import embedding_table
    from npvae.params import load_params

    space, train, test = _open(load_params(params), model, z_dim, data, checkpoint)
    table = embedding_table(space, {"train": train, "test": test}).assign(model=model, z_dim=z_dim, seed=0)
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
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
    from npvae.latent.export import interpolants
    from npvae.params import load_params

    loaded = load_params(params)
    space, train, _ = _open(loaded, model, z_dim, data, checkpoint)
    ends = train.images[list(loaded.figures.interpolate)]
    _save(output, images=interpolants(space, ends, loaded.figures.interpolation_steps).numpy())


def generate(
    model: Model,
    z_dim: ZDim,
    data: Mnist,
    checkpoint: Checkpoint,
    output: Output,
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Images decoded from X at the places of test images, thinned so that they do not overlap (npz).

    ``locations`` in X, ``images`` decoded there, ``side``, their side in units of X, and ``z_dim``.
    """
    from npvae.latent.export import thumbnails
    from npvae.params import load_params

    loaded = load_params(params)
    space, _, test = _open(loaded, model, z_dim, data, checkpoint)
    places, images, side = thumbnails(space, test.images, loaded.figures.thumbnails)
    _save(output, locations=places.numpy(), images=images.numpy(), side=side, z_dim=z_dim)


def _open(
    params: "Params", model: Model, z_dim: int, data: Path, checkpoint: Path
) -> "tuple[Space, Split, Split]":
    from npvae.data.images import load_splits, random_subset
    from npvae.latent.spaces import space_of
    from npvae.model.checkpoint import load_models

    trained = the_only(load_models(checkpoint, params.recipe(model, z_dim)), checkpoint)
    train, test = load_splits(data, params.data)
    reference = random_subset(len(train.labels), params.predict.reference_images, seed=0)
    space = space_of(trained, train.images, reference, params.predict.length_scale.of(model))
    return space, train, test


def _save(path: Path, **arrays: Any) -> None:
    import numpy as np

    from npvae.files import write_atomically

    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_atomically(path, buffer.getvalue())
