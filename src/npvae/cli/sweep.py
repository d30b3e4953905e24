"""``npvae sweep-point`` and ``npvae sweep``: one choice changed at a time."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from npvae.cli.options import DEFAULT_PARAMS, ClassifierFile, Drawings, Mnist, Output, ParamsFile, State

Folder = Annotated[Path, typer.Option(help="Folder of the points' tables (CSV).")]


def sweep_point(
    point: Annotated[str, typer.Option(help="KEY=VALUE, as in params.yaml: npvae.match_weight=0.3")],
    data: Mnist,
    classifier: ClassifierFile,
    output: Output,
    state: State,
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Train the nonparametric VAE with one parameter changed, and measure it (tidy CSV)."""
    import pandas as pd

    from npvae import machine
    from npvae.data.images import load_splits, random_subset
    from npvae.files import write_atomically
    from npvae.measures.classifier import load_classifier
    from npvae.measures.suite import measure
    from npvae.measures.yardstick import Yardstick
    from npvae.params import load_params
    from npvae.training.history import Epoch
    from npvae.training.resume import forget
    from npvae.training.seeds import fit_seeds

    machine.keep_freed_memory()
    loaded, device = load_params(params).changed(point), machine.fastest_device()
    train, test = (split.to(device) for split in load_splits(data, loaded.data))
    reference = random_subset(len(train.labels), loaded.predict.reference_images, seed=0).to(device)

    def report(epoch: Epoch) -> None:
        print(f"sweep {point}: epoch {epoch.epoch}/{loaded.train.epochs}", file=sys.stderr, flush=True)

    recipe = loaded.recipe("npvae", loaded.sweep.z_dim)
    models, _ = fit_seeds(recipe, [0], train.images, on_epoch=report, states=state)
    yardstick = Yardstick(load_classifier(classifier).to(device), train, test, loaded.measure)
    measures = measure(models[0], yardstick, reference)
    rows = [{"point": point, "measure": name, "value": value} for name, value in measures.items()]
    write_atomically(output, pd.DataFrame(rows).to_csv(index=False))
    forget(state)


def sweep(
    points: Folder,
    page: Annotated[Path, typer.Option(help="Markdown file to write.")],
    output: Drawings,
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Show which choice moves which claim: a table and a figure."""
    import pandas as pd

    from npvae.figures import style
    from npvae.figures import sweep as figure
    from npvae.files import write_atomically
    from npvae.params import load_params

    loaded = load_params(params)
    table = pd.concat([pd.read_csv(path) for path in points.glob("*.csv")])
    wide = table.pivot(index="point", columns="measure", values="value").loc[list(loaded.sweep.points)]
    shown = wide[list(figure.MEASURES)]
    header = " | ".join(["choice changed", *figure.MEASURES.values()]).replace("\n", " ")
    lines = [
        "# Which choices move which claim",
        "",
        f"The nonparametric VAE with Z = {loaded.sweep.z_dim}, one training (seed 0) for each point; the "
        "first row is the default. Differences below the spread over seeds in `claims.md` mean nothing.",
        "",
        f"| {header} |",
        "|---" * (len(figure.MEASURES) + 1) + "|",
        *(
            f"| `{point}` | " + " | ".join(f"{value:.4g}" for value in row) + " |"
            for point, row in zip(shown.index, shown.to_numpy(), strict=True)
        ),
        "",
    ]
    write_atomically(page, "\n".join(lines))
    style.save(figure.draw(shown), *output)
