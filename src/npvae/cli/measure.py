"""``npvae measure`` and ``npvae real``: what the verdicts on the claims are made of."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from npvae.cli.options import DEFAULT_PARAMS, ClassifierFile, Mnist, Model, Output, ParamsFile, ZDim

if TYPE_CHECKING:
    from npvae.measures.yardstick import Yardstick
    from npvae.params import Params

Checkpoints = Annotated[list[Path], typer.Option(help="Checkpoint; give the option once for each.")]
Items = Annotated[Path, typer.Option(help="Table of measures by test image or pair to write (parquet).")]
Means = Annotated[Path, typer.Option(help="JSON of the means over seeds to write.")]


def measure(
    model: Model,
    z_dim: ZDim,
    data: Mnist,
    classifier: ClassifierFile,
    checkpoint: Checkpoints,
    output: Output,
    items: Items,
    means: Means,
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Measure every seed of one model at one Z on the test images (tidy CSV, and the means as JSON)."""
    import json

    import pandas as pd

    from npvae import machine
    from npvae.data.images import random_subset
    from npvae.files import write_atomically
    from npvae.measures.suite import READINGS
    from npvae.measures.suite import measure as all_measures
    from npvae.measures.tables import items_table, values_table
    from npvae.model.checkpoint import load_models, trained_on
    from npvae.params import load_params

    loaded, device = load_params(params), machine.fastest_device()
    yardstick = _yardstick(loaded, data, classifier)
    reference = random_subset(len(yardstick.train.labels), loaded.predict.reference_images, seed=0).to(device)
    # the advised setting is read with no other (npvae.verdicts.claims)
    length_scales = tuple(READINGS) if model != "advised" else ("leave-one-out",)
    found = {}
    for path in checkpoint:
        for seed, trained in load_models(path, loaded.recipe(model, z_dim)).items():
            print(f"measure {model} Z={z_dim}: seed {seed}", file=sys.stderr, flush=True)
            found[seed] = all_measures(
                trained.to(device), yardstick, reference, seed=seed, length_scales=length_scales
            )
    table = pd.concat(
        [values_table(one.values, model=model, z_dim=z_dim, seed=seed) for seed, one in found.items()]
    )
    origin = {
        "trained": [machine.sentence(trained_on(path)) for path in checkpoint],
        "measured": machine.sentence(machine.describe("float32", device)),
    }
    averages = table.groupby("measure", sort=False)["value"].mean().to_dict()
    write_atomically(items, items_table([one.items for one in found.values()]).to_parquet(index=False))
    write_atomically(output, table.to_csv(index=False))
    write_atomically(means, json.dumps({"mean": averages, "origin": origin}, indent=2) + "\n")


def real(
    data: Mnist, classifier: ClassifierFile, output: Output, params: ParamsFile = DEFAULT_PARAMS
) -> None:
    """Measure real images as if a model had generated them (JSON)."""
    import json

    from npvae.files import write_atomically
    from npvae.params import load_params

    measures = _yardstick(load_params(params), data, classifier).real_images()
    write_atomically(output, json.dumps(measures, indent=2) + "\n")


def _yardstick(params: "Params", data: Path, classifier: Path) -> "Yardstick":
    from npvae import machine
    from npvae.data.images import load_splits
    from npvae.measures.classifier import load_classifiers
    from npvae.measures.yardstick import Yardstick

    device = machine.fastest_device()
    train, test = (split.to(device) for split in load_splits(data, params.data))
    return Yardstick([one.to(device) for one in load_classifiers(classifier)], train, test, params.measure)
