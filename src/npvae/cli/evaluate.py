"""``npvae evaluate``."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from npvae.cli.options import DEFAULT_PARAMS, Mnist, Model, Output, ParamsFile, ZDim


def evaluate(
    model: Model,
    z_dim: ZDim,
    data: Mnist,
    checkpoint: Annotated[list[Path], typer.Option(help="Checkpoint; give the option once for each.")],
    output: Output,
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Measure every seed of one model at one Z on the test images (JSON)."""
    import torch

    from npvae.checkpoint import load_models
    from npvae.data import load_splits
    from npvae.files import write_atomically
    from npvae.metrics import evaluate as measure
    from npvae.params import load_params

    loaded = load_params(params)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train, test = (split.to(device) for split in load_splits(data, **loaded.data.model_dump()))
    seeds = {}
    for path in checkpoint:
        for seed, trained in load_models(path, loaded.of_checkpoint(model, z_dim)).items():
            print(f"evaluate {model} Z={z_dim}: seed {seed}", file=sys.stderr, flush=True)
            seeds[f"seed_{seed}"] = measure(trained.to(device), train, test, **loaded.evaluate.model_dump())
    mean = {key: sum(one[key] for one in seeds.values()) / len(seeds) for key in seeds["seed_0"]}
    write_atomically(output, json.dumps({"mean": mean, **seeds}, indent=2) + "\n")
