"""``npvae sweep-point`` and ``npvae sweep``: one choice changed at a time."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from npvae.cli.options import DEFAULT_PARAMS, ClassifierFile, Drawings, Mnist, Output, ParamsFile, State
from npvae.cli.progress import progress

Point = Annotated[str, typer.Option(help="z20-default, or z20-KEY=VALUE with a key of params.yaml.")]
Folder = Annotated[Path, typer.Option(help="Folder of the points' tables (CSV).")]


def sweep_point(
    point: Point,
    data: Mnist,
    classifier: ClassifierFile,
    output: Output,
    state: State,
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Train the nonparametric VAE with one parameter changed, and measure every seed (tidy CSV)."""
    import pandas as pd

    from npvae import machine
    from npvae.data.images import load_splits, random_subset
    from npvae.files import write_atomically
    from npvae.measures.calibration import calibration
    from npvae.measures.classifier import load_classifiers
    from npvae.measures.suite import measure
    from npvae.measures.tables import values_table
    from npvae.measures.yardstick import Eye, Yardstick
    from npvae.params import load_params, split_point
    from npvae.training.resume import forget
    from npvae.training.seeds import fit_seeds

    machine.keep_freed_memory()
    default, device = load_params(params), machine.fastest_device()
    z_dim, change = split_point(point)
    loaded = default.changed(change) if change else default
    train, test = (split.to(device) for split in load_splits(data, loaded.data))
    reference = random_subset(len(train.labels), loaded.predict.reference_images, seed=0).to(device)

    seeds, name = range(loaded.sweep.seeds), f"sweep {point}"
    with progress(name, len(seeds) * loaded.train.epochs, "epoch") as done:
        models, _ = fit_seeds(
            loaded.recipe("npvae", z_dim),
            seeds,
            train.images,
            on_epoch=lambda epoch: done(seed=epoch.seed),
            states=state,
        )
    classifiers = [one.to(device) for one in load_classifiers(classifier)]
    yardstick, tables = Yardstick(classifiers, train, test, loaded.measure), []
    for seed, model in models.items():
        print(f"{name}: measuring seed {seed}", file=sys.stderr, flush=True)
        values = measure(model, yardstick, reference, seed=seed).values
        calibrated = calibration(model, train.images, test.images, seed=loaded.measure.seed)
        values |= {Eye(name): value for name, value in calibrated.items()}
        tables.append(values_table(values, model="npvae", z_dim=z_dim, seed=seed))
    write_atomically(output, pd.concat(tables).to_csv(index=False))
    forget(state)


def sweep(
    points: Folder,
    page: Annotated[Path, typer.Option(help="Markdown file to write.")],
    output: Drawings,
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Show which choice moves which claim: differences to the default, as a table and a figure."""
    import pandas as pd

    from npvae.figures import differences, style
    from npvae.figures import sweep as figure
    from npvae.files import write_atomically
    from npvae.params import load_params, split_point
    from npvae.verdicts.tables import read_measures

    loaded = load_params(params)
    tables = [
        read_measures(
            points / f"{point}.csv", seeds=loaded.sweep.seeds, classifiers=loaded.classifier.seeds
        ).assign(change=split_point(point)[1] or differences.DEFAULT)
        for point in loaded.sweep.points
    ]
    found = differences.differences(pd.concat(tables))
    write_atomically(page, differences.page(found, seeds=loaded.sweep.seeds))
    style.save(figure.draw(found), *output)
