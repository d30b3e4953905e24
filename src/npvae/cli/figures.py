"""``npvae figure1`` to ``npvae figure4``."""

from pathlib import Path
from typing import Annotated

import typer

from npvae.cli.options import DEFAULT_PARAMS, Drawings, ParamsFile, one_of_each

Tables = Annotated[str, typer.Option(help="The embeddings (parquet), as a pattern of {model} and {z}.")]
Arrays = Annotated[str, typer.Option(help="The interpolants (npz), as a pattern of {model} and {z}.")]
Generated = Annotated[Path, typer.Option(help="Images generated from X (npz).")]


def figure1(output: Drawings) -> None:
    """Draw the graphical models (a) to (e)."""
    from npvae.figures import figure1, style

    style.save(figure1.draw(), *output)


def figure2(
    embeddings: Tables, generated: Generated, output: Drawings, params: ParamsFile = DEFAULT_PARAMS
) -> None:
    """Draw X of training and test images, and images decoded from X, at the largest Z."""
    import numpy as np
    import pandas as pd

    from npvae.figures import figure2, style
    from npvae.params import load_params

    z_dim = load_params(params).z_dims[-1]
    table = pd.read_parquet(one_of_each(embeddings, "npvae", z_dim))
    with np.load(generated) as arrays:
        figure = figure2.draw(table, arrays["locations"], arrays["images"], float(arrays["side"]), z_dim)
    style.save(figure, *output)


def figure3(embeddings: Tables, output: Drawings, params: ParamsFile = DEFAULT_PARAMS) -> None:
    """Draw Z of the plain VAE above X of the nonparametric VAE, for each dimension of Z."""
    import pandas as pd

    from npvae.figures import figure3, style
    from npvae.params import load_params

    loaded = load_params(params)
    tables = {
        (model, z_dim): pd.read_parquet(one_of_each(embeddings, model, z_dim))
        for model in loaded.models
        for z_dim in loaded.z_dims
    }
    style.save(figure3.draw(tables), *output)


def figure4(interpolants: Arrays, output: Drawings, params: ParamsFile = DEFAULT_PARAMS) -> None:
    """Draw interpolants between two training images, in both models at the smallest and the largest Z."""
    import numpy as np

    from npvae.figures import figure4, style
    from npvae.params import load_params

    loaded = load_params(params)
    rows = {}
    for model in loaded.models:
        for z_dim in dict.fromkeys((loaded.z_dims[0], loaded.z_dims[-1])):
            with np.load(one_of_each(interpolants, model, z_dim)) as arrays:
                rows[model, z_dim] = arrays["images"]
    style.save(figure4.draw(rows), *output)
