"""Figure 2: X of a model that has one, and images generated from it."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from npvae.figures import style
from npvae.figures.style import Array, Window

_GAP, _TITLE, _FOOT = 0.12, 0.34, 0.28  # inches


def _compose(locations: Array, images: Array, side: float, view: Window) -> tuple[Array, Window]:
    """One picture of thumbnails that touch the window, each at its place to half a pixel.

    Each lies in the middle of a square of ``side``. Where two overlap, the darker pixel shows.

    Returns:
        Pixels ``[H, W]``, row 0 at the bottom, and the window that they fill.
    """
    left, right, bottom, top = view
    height, width = images.shape[1:]
    longer = max(height, width)
    pixel = side / longer
    columns, rows = np.ceil(np.array([right - left, top - bottom]) / pixel).astype(int) + 2 * longer
    left, bottom = left - side, bottom - side  # a margin, for thumbnails that the window cuts
    picture = np.zeros((rows, columns), np.float32)
    half = side / 2 * np.array([width / longer, height / longer])
    corners = np.rint((locations - half - (left, bottom)) / pixel).astype(int)
    for (column, row), image in zip(corners, images, strict=True):
        place = picture[row : row + height, column : column + width]
        np.maximum(place, image[::-1], out=place)
    return picture, (left, left + columns * pixel, bottom, bottom + rows * pixel)


def draw(
    embedding: pd.DataFrame, locations: Array, images: Array, side: float, z_dim: int, what: str = "digit"
) -> Figure:
    """X of the training images (a), of the test images (b), and images generated from X (c).

    Args:
        embedding: columns ``split`` (train or test), ``digit``, ``x1``, ``x2``.
        locations: where in X the images come from, ``[N, 2]``.
        images: ``[N, height, width]`` in [0, 1].
        side: of a thumbnail's longer side, in units of X.
        z_dim: the dimension of Z that the images were decoded from.
        what: the labels tell.
    """
    colours = style.palette(embedding["digit"].to_numpy())
    view = style.window(embedding[["x1", "x2"]].to_numpy(), ratios=(0.7, 1.3))
    low, high = np.reshape(view, (2, 2)).T
    width = (style.TEXT - 2 * style.MARGIN - 2 * _GAP) / 3
    height = width * (view[3] - view[2]) / (view[1] - view[0])
    with style.styled():
        figure = Figure(figsize=(style.TEXT, _FOOT + height + _TITLE))
        panels = [
            style.panel(figure, style.MARGIN + i * (width + _GAP), _FOOT, width, height) for i in range(3)
        ]
        for axes, letter, split, name in zip(
            panels, "ab", ("train", "test"), ("training", "test"), strict=False
        ):
            table = embedding[embedding["split"] == split]
            style.scatter(axes, table[["x1", "x2"]].to_numpy(), table["digit"].to_numpy(), view, colours)
            style.title(axes, f"({letter}) X of the {name} data", f"{len(table):,} images")
        shown = np.all((locations > low - side / 2) & (locations < high + side / 2), axis=1)
        picture, extent = _compose(locations[shown], images[shown], side, view)
        panels[2].imshow(picture, cmap="gray_r", vmin=0, vmax=1, extent=extent, origin="lower")
        style.show(panels[2], view)
        style.title(panels[2], "(c) generated from X", f"at {shown.sum():,} places of (b), {z_dim}-dim. Z")
        style.legend(figure, colours, what)
    return figure
