"""``npvae train`` and ``npvae replicate``."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from npvae.cli.options import DEFAULT_PARAMS, Mnist, Model, ParamsFile, State, ZDim
from npvae.cli.progress import progress

if TYPE_CHECKING:
    from npvae.params import Params

Checkpoint = Annotated[Path, typer.Option(help="Checkpoint to write (safetensors).")]
History = Annotated[Path, typer.Option(help="Table of the epochs to write (CSV).")]


def train(
    model: Model,
    z_dim: ZDim,
    data: Mnist,
    checkpoint: Checkpoint,
    history: History,
    state: State,
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Train one model at one Z from seed 0: all that the figures need."""
    from npvae.params import load_params

    _train(load_params(params), model, z_dim, [0], data, checkpoint, history, state)


def replicate(
    model: Model,
    z_dim: ZDim,
    data: Mnist,
    checkpoint: Checkpoint,
    history: History,
    state: State,
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Train one model at one Z from the other seeds, which only the evaluation needs."""
    from npvae.params import load_params

    loaded = load_params(params)
    _train(loaded, model, z_dim, list(range(1, loaded.seeds)), data, checkpoint, history, state)


def _train(
    params: "Params",
    model: Model,
    z_dim: int,
    seeds: list[int],
    data: Path,
    checkpoint: Path,
    history: Path,
    state: Path,
) -> None:
    import pandas as pd

    from npvae import machine
    from npvae.data.images import load_train_images
    from npvae.files import write_atomically
    from npvae.model.checkpoint import save_models
    from npvae.training.history import Epoch
    from npvae.training.resume import forget
    from npvae.training.seeds import fit_seeds

    machine.keep_freed_memory()
    recipe, device = params.recipe(model, z_dim), machine.fastest_device()
    images = load_train_images(
        data,
        skip=recipe.data.validation_images,
        count=recipe.data.train_images,
        shape=recipe.data.image_shape,
    )
    made = machine.describe(recipe.train.precision, device)
    print(f"{model} Z={z_dim}: {machine.sentence(made)}", file=sys.stderr, flush=True)
    if warning := machine.warning(recipe.train.precision, device):
        print(f"{model} Z={z_dim}: {warning}", file=sys.stderr, flush=True)
    with progress(f"{model} Z={z_dim}", len(seeds) * recipe.train.epochs, "epoch") as done:

        def report(epoch: Epoch) -> None:
            done(seed=epoch.seed, negative_elbo=f"{epoch.reconstruction + epoch.kl:.1f}")

        models, records = fit_seeds(recipe, seeds, images.to(device), on_epoch=report, states=state)
    save_models(checkpoint, models, recipe, made)
    write_atomically(history, pd.DataFrame(records, columns=Epoch._fields).to_csv(index=False))
    forget(state)
