"""``npvae figure1`` to ``npvae figure4``."""

from pathlib import Path
from typing import Annotated

import typer

from npvae.cli.options import DEFAULT_PARAMS, ParamsFile, ZDim
from npvae.errors import NpvaeError

Outputs = Annotated[list[Path], typer.Option(help="PNG or PDF to write; give the option once for each.")]
Folder = Annotated[Path, typer.Option(help="Folder of the tables of all models and Z.")]
Embedding = Annotated[Path, typer.Option(help="Table of the nonparametric VAE.")]
Sample = Annotated[Path, typer.Option(help="Images generated from X.")]
Samples = Annotated[list[Path], typer.Option(help="Interpolants, a row each; give the option once for each.")]
Labels = Annotated[list[str], typer.Option(help="Label of a row, in the same order.")]


def figure1(output: Outputs) -> None:
    """Draw the graphical models (a) to (e)."""
    from npvae.figures import figure1, style

    style.save(figure1.draw(), *output)


def figure2(embedding: Embedding, sample: Sample, z_dim: ZDim, output: Outputs) -> None:
    """Draw X of training and test images, and images decoded from X."""
    import numpy as np
    import pandas as pd

    from npvae.figures import figure2, style

    with np.load(sample) as arrays:
        figure = figure2.draw(
            pd.read_parquet(embedding), arrays["locations"], arrays["images"], float(arrays["side"]), z_dim
        )
    style.save(figure, *output)


def figure3(embeddings: Folder, output: Outputs, params: ParamsFile = DEFAULT_PARAMS) -> None:
    """Draw Z of the plain VAE above X of the nonparametric VAE, for each dimension of Z."""
    import pandas as pd

    from npvae.figures import figure3, style
    from npvae.params import load_params

    loaded = load_params(params)
    tables = {}
    for path in embeddings.glob("*.parquet"):
        table = pd.read_parquet(path)
        tables[table["model"].iat[0], int(table["z_dim"].iat[0])] = table
    wanted = [(model, z_dim) for model in loaded.models for z_dim in loaded.z_dims]
    if missing := [f"{model} at Z = {z_dim}" for model, z_dim in wanted if (model, z_dim) not in tables]:
        raise NpvaeError(f"{embeddings}: no embedding of {', '.join(missing)}; run `npvae embed` first")
    style.save(figure3.draw({key: tables[key] for key in wanted}), *output)


def figure4(sample: Samples, label: Labels, output: Outputs) -> None:
    """Draw interpolants between two training images."""
    import numpy as np

    from npvae.figures import figure4, style

    rows = [(name, np.load(path)["images"]) for name, path in zip(label, sample, strict=True)]
    style.save(figure4.draw(rows), *output)
