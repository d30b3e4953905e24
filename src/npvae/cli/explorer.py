"""``npvae explorer-part`` and ``npvae explorer``: X of every model, decoded in the reader's browser."""

import io
from pathlib import Path
from typing import Annotated

import typer

from npvae.cli.options import DEFAULT_PARAMS, Mnist, Model, Output, ParamsFile, ZDim, one_of_each, the_only


def explorer_part(
    model: Model,
    z_dim: ZDim,
    data: Mnist,
    checkpoint: Annotated[Path, typer.Option(help="Checkpoint of seed 0.")],
    output: Output,
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Reduce one model at one Z to what a page can carry, and measure what that costs (npz)."""
    import numpy as np

    from npvae.data.images import load_splits, random_subset
    from npvae.explorer.part import IMAGES, part
    from npvae.files import write_atomically
    from npvae.latent.spaces import space_of
    from npvae.model.checkpoint import load_models
    from npvae.params import load_params

    loaded = load_params(params)
    trained = the_only(load_models(checkpoint, loaded.recipe(model, z_dim)), checkpoint)
    train, test = load_splits(data, loaded.data)
    reference = random_subset(len(train.labels), loaded.predict.reference_images, seed=0)
    shown = test.draw(IMAGES, seed=0)
    space = space_of(trained, train.images, reference, loaded.predict.length_scale.of(model))
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **part(space, shown.images))  # type: ignore[arg-type]
    write_atomically(output, buffer.getvalue())


def explorer(
    parts: Annotated[str, typer.Option(help="The parts (npz), as a pattern of {model} and {z}.")],
    data: Mnist,
    output: Output,
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Make the page on which X can be explored: one file, which asks nothing of any server (HTML)."""
    from npvae.data.images import load_test
    from npvae.explorer.page import page
    from npvae.files import read_arrays, write_atomically
    from npvae.params import load_params

    loaded = load_params(params)
    gathered = {}
    for model in loaded.models:
        for z_dim in loaded.z_dims:
            gathered[model, z_dim] = read_arrays(one_of_each(parts, model, z_dim))
    test = load_test(data, count=loaded.data.test_images, shape=loaded.data.image_shape)
    some = next(iter(gathered.values()))
    shown = test.draw(len(some["mu"]), seed=0)
    images = shown.images.numpy().reshape(-1, *loaded.data.image_shape)
    content = page(gathered, images, shown.labels.numpy(), of=len(test.labels), data=loaded.data.name)
    write_atomically(output, content)
