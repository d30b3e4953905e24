"""``npvae sweep-point`` and ``npvae sweep``: one choice changed at a time."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from npvae.cli.options import DEFAULT_PARAMS, Mnist, Output, ParamsFile

Folder = Annotated[Path, typer.Option(help="Folder of the points' tables (CSV).")]


def sweep_point(
    point: Annotated[str, typer.Option(help="KEY=VALUE, as in params.yaml: npvae.match_weight=0.3")],
    data: Mnist,
    judge: Annotated[Path, typer.Option(help="The judge's weights (safetensors).")],
    output: Output,
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Train the nonparametric VAE with one parameter changed, and measure it (tidy CSV)."""
    import pandas as pd

    from npvae.checkpoint import new_model
    from npvae.files import write_atomically
    from npvae.inputs import fastest_device, read_inputs
    from npvae.judge import load_judge
    from npvae.measures.suite import Sizes, Yardstick, measure
    from npvae.metrics import evaluate
    from npvae.params import load_params
    from npvae.train import Epoch, fit

    loaded = load_params(params).changed(point)
    wanted = loaded.of_checkpoint("npvae", loaded.sweep.z_dim)
    device = fastest_device()
    train, test, reference = read_inputs(loaded, data, device)

    def report(epoch: Epoch) -> None:
        print(f"sweep {point}: epoch {epoch.epoch}/{loaded.train.epochs}", file=sys.stderr, flush=True)

    model = new_model(wanted, seed=0).to(device)
    options = loaded.train.model_dump(exclude={"seeds"}) | wanted["npvae"]
    options.pop("initial_length_scale")
    fit(model, train.images, seed=0, on_epoch=report, **options)
    yardstick = Yardstick(load_judge(judge).to(device), train, test, Sizes(**loaded.measure.model_dump()))
    measures = evaluate(model, train, test, reference, **loaded.evaluate.model_dump())
    measures |= measure(model, yardstick, reference)
    rows = [{"point": point, "measure": name, "value": value} for name, value in measures.items()]
    write_atomically(output, pd.DataFrame(rows).to_csv(index=False))


def sweep(
    points: Folder,
    page: Annotated[Path, typer.Option(help="Markdown file to write.")],
    output: Annotated[list[Path], typer.Option(help="PNG or PDF to write; give the option once for each.")],
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
