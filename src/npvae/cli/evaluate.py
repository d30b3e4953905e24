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
    from npvae.checkpoint import load_models
    from npvae.files import write_atomically
    from npvae.inputs import fastest_device, read_inputs
    from npvae.metrics import evaluate as measure
    from npvae.params import load_params

    loaded = load_params(params)
    device = fastest_device()
    inputs = read_inputs(loaded, data, device)
    seeds = {}
    for path in checkpoint:
        for seed, trained in load_models(path, loaded.of_checkpoint(model, z_dim)).items():
            print(f"evaluate {model} Z={z_dim}: seed {seed}", file=sys.stderr, flush=True)
            seeds[f"seed_{seed}"] = measure(trained.to(device), *inputs, **loaded.evaluate.model_dump())
    mean = {key: sum(one[key] for one in seeds.values()) / len(seeds) for key in seeds["seed_0"]}
    write_atomically(output, json.dumps({"mean": mean, **seeds}, indent=2) + "\n")
