"""What the figures share: sizes, colours, the scatter of embedded images, the legend and the files."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex, to_rgba_array
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from npvae.files import write_atomically
from npvae.settings import ModelName

Array = NDArray[Any]
Window = tuple[float, float, float, float]

COLUMN, TEXT = 3.35, 6.9  # widths in inches: of one column of a page, of its text
DPI = 300
MARGIN = 0.02  # in inches: keeps frames whole at the edge of the figure
SIZE, SMALL = 7.5, 6.5  # fonts, in points
INK, MUTED, FAINT = "#222222", "#5c5c5c", "#c4c4c4"
ACCENT, BLUE, VIOLET = "#bd1f01", "#3f90da", "#832db6"

# a colour for each digit: found by making the least CIEDE2000 difference among ten as large as possible, for
# normal sight and three colour-blind ones; digits that lie together (4, 7, 9; 3, 5, 8) differ most
PALETTE = (
    "#008976",
    "#ff3b89",
    "#ffb176",
    "#b1b1ff",
    "#4e4e00",
    "#898900",
    "#2714b1",
    "#b14eeb",
    "#76003b",
    "#4ed8c4",
)

NAMED = 24  # labels at most whose names stand among their dots

# what a figure calls each model
NAMES: dict[ModelName, str] = {"vae": "VAE", "npvae": "nonparametric VAE", "advised": "advised setting"}

_RC = {
    "font.size": SIZE,
    "axes.titlesize": SIZE,
    "legend.fontsize": SIZE,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.6,
    "pdf.fonttype": 42,
    "savefig.dpi": DPI,
}
_METADATA: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
}


def styled() -> AbstractContextManager[None]:
    """The style of every figure, whatever the user's own settings are."""
    return matplotlib.style.context(["default", _RC])


def panel(figure: Figure, left: float, bottom: float, width: float, height: float, **kwargs: Any) -> Axes:
    """Axes without ticks at a place given in inches from the figure's lower left corner."""
    across, up = figure.get_size_inches()
    rectangle = (left / across, bottom / up, width / across, height / up)
    return figure.add_axes(rectangle, xticks=[], yticks=[], **kwargs)


def window(points: Array, ratios: tuple[float, float]) -> Window:
    """The part of the plane to show, ``(left, right, bottom, top)``, of points ``[N, 2]``.

    All points, unless a few outliers would squeeze the rest: then the central 99.8 % along each axis.

    Args:
        points: the locations.
        ratios: least and greatest height over width; the shorter side is widened to reach them.
    """
    low, high = points.min(0), points.max(0)
    inner_low, inner_high = np.quantile(points, (0.001, 0.999), axis=0)
    outliers = high - low > 1.4 * (inner_high - inner_low)
    low, high = np.where(outliers, inner_low, low), np.where(outliers, inner_high, high)
    width, height = 1.06 * np.where(high > low, high - low, 1.0)
    width, height = max(width, height / ratios[1]), max(height, width * ratios[0])
    x, y = (low + high) / 2
    return float(x - width / 2), float(x + width / 2), float(y - height / 2), float(y + height / 2)


def show(axes: Axes, view: Window) -> None:
    """Limit the axes to a window, with one unit the same length along both."""
    axes.set(xlim=view[:2], ylim=view[2:], aspect="equal")


def kind(data: str) -> str:
    """What the labels of a data set tell, in a word."""
    return "digit" if data == "mnist" else "label"


def palette(labels: Array) -> dict[int, str]:
    """A colour for each label that occurs; where there is but one, it tells nothing and gets a plain one."""
    present = np.unique(labels).tolist()
    if len(present) == 1:
        return {present[0]: BLUE}
    if present[-1] < len(PALETTE):
        return {label: PALETTE[label] for label in present}
    if len(present) <= len(PALETTE):
        return dict(zip(present, PALETTE, strict=False))
    colours = matplotlib.colormaps["turbo"](np.linspace(0, 1, len(present)))
    return dict(zip(present, map(to_hex, colours), strict=True))


def scatter(
    axes: Axes, points: Array, digits: Array, view: Window, colours: Mapping[int, str]
) -> PathCollection:
    """Draw images as dots in their labels' colours, each label named once: ``[N, 2]``, ``[N]``.

    The order is shuffled, always alike, so that no label covers another. Says how many dots lie outside
    the window, if any.
    """
    order = np.random.default_rng(0).permutation(len(points))
    present, which = np.unique(digits[order], return_inverse=True)
    each = to_rgba_array([colours[label] for label in present.tolist()])[which]
    area = np.clip(12_000 / len(points), 0.5, 4)
    x, y = points[order].T
    dots = axes.scatter(x, y, s=area, c=each, linewidths=0, rasterized=True)
    show(axes, view)
    named = middles(points, digits, view) if 1 < len(colours) <= NAMED else {}
    for digit, place in named.items():
        axes.text(
            *place,
            str(digit),
            ha="center",
            va="center",
            size=9,
            weight="bold",
            path_effects=[withStroke(linewidth=2, foreground="white")],
        )
    left, right, bottom, top = view
    outside = np.any((points < (left, bottom)) | (points > (right, top)), axis=1).sum()
    if outside:
        corner: dict[str, Any] = {
            "xy": (1, 0),
            "xycoords": "axes fraction",
            "xytext": (-2, 2),
            "textcoords": "offset points",
        }
        axes.annotate(f"{outside:,} outside", **corner, ha="right", va="bottom", size=SMALL, color=MUTED)
    return dots


def middles(points: Array, digits: Array, view: Window) -> dict[int, tuple[float, float]]:
    """Where to name each digit: where its images lie densely and alone, in the plane smoothed a little.

    A digit that lies in two parts is named in the larger one, which a mean would miss; one that lies among
    others everywhere, where it does so least.

    Args:
        points: ``[N, 2]``.
        digits: ``[N]``.
        view: the window; what lies outside does not count.
    """
    cells, smoothing = 64, 4
    edges = [np.linspace(low, high, cells + 1) for low, high in (view[:2], view[2:])]

    def density(chosen: Array) -> Array:
        return gaussian_filter(np.histogramdd(points[chosen], edges)[0], smoothing)

    everything, places = density(np.ones(len(points), bool)), {}
    for digit in np.unique(digits).tolist():
        own = density(digits == digit)
        score = own**2 / np.maximum(everything, np.finfo(float).tiny)  # the density times the share
        cell = np.unravel_index(np.argmax(score), everything.shape)
        x, y = (float(edge[i : i + 2].mean()) for edge, i in zip(edges, cell, strict=True))
        places[digit] = (x, y)
    return places


def title(axes: Axes, name: str, detail: str) -> None:
    """Two lines above a panel, the second one smaller."""
    above: dict[str, Any] = {
        "xycoords": "axes fraction",
        "textcoords": "offset points",
        "annotation_clip": False,
    }
    axes.annotate(name, (0, 1), (0, 14), **above)
    axes.annotate(detail, (0, 1), (0, 4.5), size=SMALL, color=MUTED, **above)


def absent(model: ModelName) -> Figure:
    """What stands for the figure of a model that ``models`` in params.yaml leaves out."""
    with styled():
        figure = Figure(figsize=(COLUMN, 0.4))
        figure.text(0.5, 0.5, f"params.yaml leaves the {NAMES[model]} out", ha="center", va="center")
    return figure


def legend(figure: Figure, colours: Mapping[int, str], what: str) -> None:
    """One line at the foot of the figure: which colour is which label, where the line has room for all."""
    if not 1 < len(colours) <= len(PALETTE):
        return
    name = Line2D([], [], linestyle="none", label=what)
    dots = [
        Line2D(
            [],
            [],
            linestyle="none",
            marker="o",
            markersize=4.5,
            markeredgewidth=0,
            color=colour,
            label=str(label),
        )
        for label, colour in colours.items()
    ]
    figure.legend(
        handles=[name, *dots],
        ncols=len(dots) + 1,
        loc="lower center",
        frameon=False,
        borderaxespad=0.2,
        handlelength=0.6,
        handletextpad=0.3,
        columnspacing=0.9,
    )


def save(figure: Figure, *paths: Path) -> None:
    """Write the figure as PNG or PDF, by suffix: the same bytes each time, all of a file or none of it."""
    for path in paths:
        kind = path.suffix.removeprefix(".")
        content = BytesIO()
        with styled():
            figure.savefig(content, format=kind, metadata=_METADATA[kind])
        if kind == "png":
            content = _palette(content)
        write_atomically(path, content.getvalue())


def _palette(png: BytesIO) -> BytesIO:
    """The same image in 256 colours, which the figures do with: a third of the bytes for git to keep."""
    small = BytesIO()
    with Image.open(png) as image:
        colours = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    colours.save(small, "PNG", optimize=True, dpi=(DPI, DPI))
    return small
