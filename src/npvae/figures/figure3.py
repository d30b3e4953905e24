"""Figure 3: Z of the plain VAE, where it can be drawn, above X of a model that has one."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from npvae.figures import style
from npvae.settings import ModelName

_GAP, _LABEL, _HEAD, _FOOT = 0.1, 0.42, 0.24, 0.46  # inches
_LARGEST = 2.2


def _dimensions(z_dim: int) -> str:
    return f"Z of {z_dim} {'dimension' if z_dim == 1 else 'dimensions'}"


def _explain(axes: Axes, z_dim: int) -> None:
    axes.text(
        0.5,
        0.5,
        f"{_dimensions(z_dim)}:\nit cannot be drawn\nin the plane",
        transform=axes.transAxes,
        ha="center",
        va="center",
        size=style.SMALL,
        color=style.MUTED,
        linespacing=1.5,
    )
    for spine in axes.spines.values():
        spine.set_linestyle((0, (4, 4)))


def draw(
    embeddings: Mapping[tuple[ModelName, int], pd.DataFrame],
    model: ModelName = "npvae",
    what: str = "digit",
) -> Figure:
    """A column for each dimension of Z: the plain VAE's Z above the X of ``model``.

    The paper does not say which images its Figure 3 shows; these are the test images.

    Args:
        embeddings: by model and dimension of Z, tables of the images to show: column ``digit`` and ``x1``,
            ``x2`` or, of the plain VAE where Z has two dimensions, ``z1``, ``z2``.
        model: whose X is shown.
        what: the labels tell.
    """
    rows: tuple[tuple[ModelName, str, str], ...] = (
        ("vae", "z", "Z of the VAE"),
        (model, "x", f"X of the\n{style.NAMES[model]}"),
    )
    z_dims = sorted(z_dim for name, z_dim in embeddings if name == model)
    side = min(_LARGEST, (style.TEXT - style.MARGIN - _LABEL - _GAP * (len(z_dims) - 1)) / len(z_dims))
    across = len(z_dims) * (side + _GAP) - _GAP
    width = max(style.COLUMN, _LABEL + across + style.MARGIN)
    colours = style.palette(np.concatenate([table["digit"] for table in embeddings.values()]))
    left = _LABEL + (width - _LABEL - style.MARGIN - across) / 2
    with style.styled():
        figure = Figure(figsize=(width, _FOOT + 2 * side + _GAP + _HEAD))
        for row, (shown, space, name) in enumerate(rows):
            for column, z_dim in enumerate(z_dims):
                bottom = _FOOT + (1 - row) * (side + _GAP)
                axes = style.panel(figure, left + column * (side + _GAP), bottom, side, side)
                axes.set_label(f"{shown} {z_dim}")
                if row == 0:
                    axes.set_title(_dimensions(z_dim), pad=4)
                if column == 0:
                    axes.set_ylabel(name, labelpad=4)
                if shown == "vae" and z_dim != 2:
                    _explain(axes, z_dim)
                    continue
                table = embeddings[shown, z_dim]
                points = table[[f"{space}1", f"{space}2"]].to_numpy()
                view = style.window(points, ratios=(1, 1))
                style.scatter(axes, points, table["digit"].to_numpy(), view, colours)
        style.legend(figure, colours, what)
        note = f"Each dot is one of the {len(table):,} test images."
        figure.text(0.5, 0.3 / figure.get_figheight(), note, ha="center", size=style.SMALL, color=style.MUTED)
    return figure
