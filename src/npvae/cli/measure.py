"""``npvae judge``, ``npvae measure`` and ``npvae comparators``: what the claims are decided by."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from npvae.cli.options import DEFAULT_PARAMS, Mnist, Model, Output, ParamsFile, ZDim

Checkpoint = Annotated[Path, typer.Option(help="The judge's weights (safetensors).")]


def judge(data: Mnist, checkpoint: Checkpoint, output: Output, params: ParamsFile = DEFAULT_PARAMS) -> None:
    """Train the classifier that judges generated images, and measure real ones with it (JSON)."""
    import json
    import platform

    import torch

    from npvae.files import write_atomically
    from npvae.inputs import fastest_device, read_inputs
    from npvae.judge import fit_judge, judge_accuracy, save_judge
    from npvae.measures.suite import Sizes, Yardstick, real_measures
    from npvae.params import load_params

    loaded = load_params(params)
    device = fastest_device()
    train, test, _ = read_inputs(loaded, data, device)

    def report(epoch: int, loss: float) -> None:
        print(f"judge: epoch {epoch}/{loaded.judge.epochs}, {loss:.3f} nats", file=sys.stderr, flush=True)

    trained = fit_judge(train, **loaded.judge.model_dump(), on_epoch=report)
    measures = {
        "accuracy": judge_accuracy(trained, test),
        "real": real_measures(Yardstick(trained, train, test, Sizes(**loaded.measure.model_dump()))),
        "origin": {
            "device": torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {platform.machine()}",
            "torch": torch.__version__,
        },
    }
    save_judge(checkpoint, trained)
    write_atomically(output, json.dumps(measures, indent=2) + "\n")


def measure(
    model: Model,
    z_dim: ZDim,
    data: Mnist,
    judge: Checkpoint,
    checkpoint: Annotated[list[Path], typer.Option(help="Checkpoint; give the option once for each.")],
    evaluation: Annotated[Path, typer.Option(help="What `npvae evaluate` wrote of the same model and Z.")],
    output: Output,
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Measure what the paper claims, for every seed of one model at one Z (tidy CSV, evaluation included)."""
    import json

    import pandas as pd

    from npvae.checkpoint import load_models
    from npvae.files import write_atomically
    from npvae.inputs import fastest_device, read_inputs
    from npvae.judge import load_judge
    from npvae.measures.suite import Sizes, Yardstick
    from npvae.measures.suite import measure as all_measures
    from npvae.params import load_params

    loaded = load_params(params)
    device = fastest_device()
    train, test, reference = read_inputs(loaded, data, device)
    yardstick = Yardstick(load_judge(judge).to(device), train, test, Sizes(**loaded.measure.model_dump()))
    evaluated = json.loads(evaluation.read_text())
    rows = []
    for path in checkpoint:
        for seed, trained in load_models(path, loaded.of_checkpoint(model, z_dim)).items():
            print(f"measure {model} Z={z_dim}: seed {seed}", file=sys.stderr, flush=True)
            measures = all_measures(trained.to(device), yardstick, reference)
            for name, value in {**evaluated[f"seed_{seed}"], **measures}.items():
                rows.append({"model": model, "z_dim": z_dim, "seed": seed, "measure": name, "value": value})
    write_atomically(output, pd.DataFrame(rows).to_csv(index=False))


def comparators(data: Mnist, output: Output, params: ParamsFile = DEFAULT_PARAMS) -> None:
    """Embed the same images by PCA, t-SNE and UMAP, and measure as for X (tidy CSV; minutes)."""
    import pandas as pd
    import torch

    from npvae.comparators import METHODS, embed
    from npvae.data import load_splits
    from npvae.files import write_atomically
    from npvae.measures.embedding import embedding_measures
    from npvae.params import load_params

    loaded = load_params(params)
    train, test = load_splits(data, **loaded.data.model_dump())
    rows = []
    for method in METHODS:
        print(f"comparators: {method}", file=sys.stderr, flush=True)
        points = embed(method, train.images.numpy(), test.images.numpy(), seed=loaded.measure.seed)
        tensors = (torch.from_numpy(one) for one in points)
        sizes = loaded.measure.model_dump(include={"subset", "seed"})
        for name, value in embedding_measures(train, test, *tensors, **sizes).items():
            rows.append({"method": method, "measure": name, "value": value})
    write_atomically(output, pd.DataFrame(rows).to_csv(index=False))
