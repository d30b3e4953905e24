"""``npvae train`` and ``npvae replicate``."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from npvae.cli.options import DEFAULT_PARAMS, Mnist, Model, ParamsFile, ZDim

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
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Train one model at one Z from seed 0: all that the figures need."""
    from npvae.params import load_params

    _train(load_params(params), model, z_dim, [0], data, checkpoint, history)


def replicate(
    model: Model,
    z_dim: ZDim,
    data: Mnist,
    checkpoint: Checkpoint,
    history: History,
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Train one model at one Z from the other seeds, which only the evaluation needs."""
    from npvae.params import load_params

    loaded = load_params(params)
    _train(loaded, model, z_dim, list(range(1, loaded.train.seeds)), data, checkpoint, history)


def _train(
    params: "Params", model: Model, z_dim: int, seeds: list[int], data: Path, checkpoint: Path, history: Path
) -> None:
    import pandas as pd
    import torch
    from tqdm import tqdm

    from npvae.checkpoint import new_model, save_models
    from npvae.data import load_splits
    from npvae.files import write_atomically
    from npvae.stacked import fit_stacked
    from npvae.train import Epoch, fit

    wanted = params.of_checkpoint(model, z_dim)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train, _ = load_splits(data, **params.data.model_dump())
    images = train.images.to(device)
    options = params.train.model_dump(exclude={"seeds"}) | wanted.get("npvae", {})
    options.pop("initial_length_scale", None)
    records = list[Epoch]()
    terminal = sys.stderr.isatty()
    with (
        Path(os.devnull).open("w") as nowhere,
        tqdm(
            total=len(seeds) * params.train.epochs,
            desc=f"{model} Z={z_dim} on {device.type}",
            unit="epoch",
            file=sys.stderr if terminal else nowhere,
        ) as progress,
    ):

        def report(epoch: Epoch) -> None:
            records.append(epoch)
            progress.set_postfix(seed=epoch.seed, negative_elbo=f"{epoch.reconstruction + epoch.kl:.1f}")
            progress.update()
            if not terminal:  # a log gets lines instead of a bar
                print(progress, file=sys.stderr, flush=True)

        models = {seed: new_model(wanted, seed).to(device) for seed in seeds}
        if models and device.type == "cuda":
            fit_stacked(models, images, on_epoch=report, **options)
        else:
            for seed, one in models.items():
                fit(one, images, seed=seed, on_epoch=report, **options)
    save_models(checkpoint, models, wanted)
    write_atomically(history, pd.DataFrame(records, columns=Epoch._fields).to_csv(index=False))
