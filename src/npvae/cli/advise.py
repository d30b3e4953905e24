"""``npvae advise`` and ``npvae advise-replicates``: the setting we would advise."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from npvae.cli.options import DEFAULT_PARAMS, Mnist, ParamsFile, ZDim
from npvae.cli.progress import progress

if TYPE_CHECKING:
    from npvae.params import Params

Plain = Annotated[Path, typer.Option(help="Checkpoint of plain VAEs at the same Z.")]
Checkpoint = Annotated[Path, typer.Option(help="Checkpoint to write (safetensors).")]
History = Annotated[Path, typer.Option(help="Table of the epochs to write (CSV).")]


def advise(
    z_dim: ZDim,
    data: Mnist,
    plain: Plain,
    checkpoint: Checkpoint,
    history: History,
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Fit an X to the plain VAE of seed 0: all that the figures need."""
    from npvae.params import load_params

    _advise(load_params(params), z_dim, [0], data, plain, checkpoint, history)


def advise_replicates(
    z_dim: ZDim,
    data: Mnist,
    plain: Plain,
    checkpoint: Checkpoint,
    history: History,
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Fit an X to the plain VAEs of the other seeds, which only the evaluation needs."""
    from npvae.params import load_params

    loaded = load_params(params)
    _advise(loaded, z_dim, list(range(1, loaded.seeds)), data, plain, checkpoint, history)


def _advise(
    params: "Params", z_dim: int, seeds: list[int], data: Path, plain: Path, checkpoint: Path, history: Path
) -> None:
    import pandas as pd

    from npvae import machine
    from npvae.data.images import load_train_images
    from npvae.errors import NpvaeError
    from npvae.files import write_atomically
    from npvae.fitting.afterwards import Fitted, fit_x_seeds
    from npvae.model.checkpoint import load_models, save_models

    machine.keep_freed_memory()
    recipe, device = params.recipe("advised", z_dim), machine.fastest_device()
    trained = load_models(plain, params.recipe("vae", z_dim))
    if sorted(trained) != seeds:
        raise NpvaeError(f"{plain}: of seeds {sorted(trained)}, not {seeds}; train it again")
    images = load_train_images(
        data,
        skip=recipe.data.validation_images,
        count=recipe.data.train_images,
        shape=recipe.data.image_shape,
    )
    made, name = machine.describe(recipe.train.precision, device), f"advised Z={z_dim}"
    print(f"{name}: {machine.sentence(made)}", file=sys.stderr, flush=True)
    if warning := machine.warning(recipe.train.precision, device):
        print(f"{name}: {warning}", file=sys.stderr, flush=True)
    with progress(name, len(seeds) * params.advised.epochs, "epoch") as done:

        def report(epoch: Fitted) -> None:
            done(seed=epoch.seed, match=f"{epoch.match:.2f}")

        models, records = fit_x_seeds(recipe, trained, images.to(device), on_epoch=report)
    save_models(checkpoint, models, recipe, made)
    write_atomically(history, pd.DataFrame(records, columns=Fitted._fields).to_csv(index=False))
