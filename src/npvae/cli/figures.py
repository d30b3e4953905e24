"""``npvae figure-data`` gathers what the figures show; ``npvae figure1`` to ``figure4`` draw it."""

from pathlib import Path
from typing import Annotated

import typer

from npvae.cli.options import DEFAULT_PARAMS, Drawings, Model, ParamsFile, one_of_each
from npvae.errors import NpvaeError

Tables = Annotated[str, typer.Option(help="The embeddings (parquet), as a pattern of {model} and {z}.")]
Arrays = Annotated[str, typer.Option(help="The interpolants (npz), as a pattern of {model} and {z}.")]
Generated = Annotated[str, typer.Option(help="The images from X (npz), as a pattern of {model} and {z}.")]
Folder = Annotated[Path, typer.Option(help="Folder of the figures' data.")]


def figure_data(
    embeddings: Tables,
    interpolants: Arrays,
    generated: Generated,
    output: Folder,
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Gather what figures 2 to 4 show, for every model: small tables, and images in one.

    Without DVC's cache, these are enough to draw the figures again.
    """
    import numpy as np
    import pandas as pd

    from npvae.figures.data import parquet, read_table, rounded, tiled
    from npvae.files import read_arrays, write_atomically
    from npvae.params import load_params

    loaded = load_params(params)
    first, last = loaded.z_dims[0], loaded.z_dims[-1]
    tables = {
        (model, z_dim): read_table(
            one_of_each(embeddings, model, z_dim),
            ("model", "z_dim", "split", "digit", *(("x1", "x2") if model != "vae" else ())),
        ).astype({"digit": "uint8"})
        for model in loaded.models
        for z_dim in loaded.z_dims
    }

    plane = pd.concat([rounded(tables[model, last]) for model in loaded.with_x])
    write_atomically(output / "figure2.parquet", parquet(plane[["model", "split", "digit", "x1", "x2"]]))
    places, images = [], []
    for model in loaded.with_x:
        arrays = read_arrays(one_of_each(generated, model, last), "locations", "side", "images")
        table = rounded(pd.DataFrame(arrays["locations"], columns=["x1", "x2"]))
        places.append(table.assign(model=model, side=float(arrays["side"])))
        images.append(arrays["images"])
    write_atomically(output / "figure2.csv", pd.concat(places).to_csv(index=False))
    shape = loaded.data.image_shape
    write_atomically(output / "figure2.png", tiled(np.concatenate(images).reshape(-1, 1, *shape)))

    drawable = [table[table["split"] == "test"] for table in tables.values() if {"x1", "z1"} & {*table}]
    shown = pd.concat(map(rounded, drawable))
    columns = ["model", "z_dim", "digit", "x1", "x2", "z1", "z2"]
    write_atomically(output / "figure3.parquet", parquet(shown.reindex(columns=columns)))

    rows, images = [], []
    for model in loaded.models:
        for z_dim in dict.fromkeys((first, last)):
            images.append(read_arrays(one_of_each(interpolants, model, z_dim), "images")["images"])
            rows.append({"model": model, "z_dim": z_dim})
    write_atomically(output / "figure4.csv", pd.DataFrame(rows).to_csv(index=False))
    across = np.stack(images)
    write_atomically(output / "figure4.png", tiled(across.reshape(*across.shape[:2], *shape)))


def figure1(output: Drawings) -> None:
    """Draw the graphical models (a) to (e)."""
    from npvae.figures import figure1, style

    style.save(figure1.draw(), *output)


def figure2(model: Model, data: Folder, output: Drawings, params: ParamsFile = DEFAULT_PARAMS) -> None:
    """Draw X of training and test images, and images decoded from X, at the largest Z."""
    from npvae.figures import figure2, style
    from npvae.figures.data import read_table, untiled
    from npvae.params import load_params

    points = read_table(_of(data, "figure2.parquet"), ("model", "split", "digit", "x1", "x2"))
    places = read_table(_of(data, "figure2.csv"), ("model", "x1", "x2", "side"))
    chosen = places["model"] == model
    if not chosen.any():
        return style.save(style.absent(model), *output)
    loaded = load_params(params)
    images = untiled(_of(data, "figure2.png"), loaded.data.image_shape)
    _require_as_many(data / "figure2.csv", len(places), data / "figure2.png", len(images))
    images, places = images[chosen, 0], places[chosen]
    figure = figure2.draw(
        points[points["model"] == model],
        places[["x1", "x2"]].to_numpy(),
        images,
        places["side"].iloc[0],
        loaded.z_dims[-1],
        style.kind(loaded.data.name),
    )
    style.save(figure, *output)


def figure3(model: Model, data: Folder, output: Drawings, params: ParamsFile = DEFAULT_PARAMS) -> None:
    """Draw Z of the plain VAE above X of a model, for each dimension of Z."""
    from npvae.figures import figure3, style
    from npvae.figures.data import read_table
    from npvae.params import load_params

    axes = ["x1", "x2", "z1", "z2"]
    table = read_table(_of(data, "figure3.parquet"), ("model", "z_dim", "digit", *axes), gaps=True)
    if (table[axes].notna().sum(axis=1) != 2).any():
        raise NpvaeError(f"{data / 'figure3.parquet'}: a dot has no place; `dvc repro` makes it again")
    groups = dict(iter(table.groupby(["model", "z_dim"])))
    there = any(name == model for name, _ in groups)
    what = style.kind(load_params(params).data.name)
    style.save(figure3.draw(groups, model, what) if there else style.absent(model), *output)


def figure4(model: Model, data: Folder, output: Drawings, params: ParamsFile = DEFAULT_PARAMS) -> None:
    """Draw interpolants between two training images, in Z of the plain VAE and in X of a model."""
    from npvae.figures import figure4, style
    from npvae.figures.data import read_table, untiled
    from npvae.params import load_params

    index = read_table(_of(data, "figure4.csv"), ("model", "z_dim"))[["model", "z_dim"]]
    images = untiled(_of(data, "figure4.png"), load_params(params).data.image_shape)
    _require_as_many(data / "figure4.csv", len(index), data / "figure4.png", len(images))
    rows = dict(zip(index.itertuples(index=False, name=None), images, strict=True))
    chosen = {key: row for key, row in rows.items() if key[0] in ("vae", model)}
    there = any(name == model for name, _ in rows)
    style.save(figure4.draw(chosen) if there else style.absent(model), *output)


def _require_as_many(table: Path, rows: int, picture: Path, images: int) -> None:
    if rows != images:
        raise NpvaeError(
            f"{table}: {rows} rows for the {images} of {picture.name}; `dvc repro` makes both again"
        )


def _of(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise NpvaeError(f"{path}: missing; `git checkout` brings it back, the stage figure_data makes it")
    return path
