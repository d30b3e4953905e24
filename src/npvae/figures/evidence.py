"""The evidence for the paper's claims: a panel for each claim, a dot for each seed."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from sklearn.isotonic import isotonic_regression

from npvae.figures import style

# inches; beside the panels of the first and the last column there is room for the names of references
_LEFT, _FOOT, _TITLE, _APART = 0.47, 0.34, 0.34, 0.06
_RIGHT = (0.6, 0.08, 0.47)
_WIDTH, _HEIGHT = (style.TEXT - 3 * _LEFT - sum(_RIGHT)) / 3, 1.35
_ROW = _FOOT + _HEIGHT + _TITLE
_LINE, _LEADER = 8.0, 6.0  # points: from label to label, from a panel to a label


class _Series(NamedTuple):
    model: str
    name: str
    colour: str
    marker: str
    size: float
    face: str

    def mean(self) -> Line2D:
        large = {"marker": self.marker, "markersize": self.size, "markerfacecolor": self.face}
        return self._dots(markeredgewidth=0.8, **large)

    def seeds(self) -> Line2D:
        return self._dots(marker="o", markersize=2, markeredgewidth=0)

    def _dots(self, **kwargs: Any) -> Line2D:
        return Line2D([], [], linestyle="none", label=self.name, color=self.colour, clip_on=False, **kwargs)


_BLUE = style.PALETTE[7]
_VAE = _Series("vae", "plain VAE\nin (d): along lines in Z", _BLUE, "o", 3.7, _BLUE)
_ARC = _Series("vae", "plain VAE\nonly in (d): along arcs in Z", _BLUE, "o", 3.7, "white")
_NPVAE = _Series("npvae", "nonparametric VAE\nin (d): along lines in X", style.ACCENT, "s", 3.3, style.ACCENT)

# name, detail, unit
_PANELS = (
    ("(a) digits in the embedding", "10 nearest neighbours in X, or in Z of the VAE", "accuracy"),
    ("(b) reconstruction", "of test images, lower is better", "nats per image"),
    ("(c) samples", "against test images, lower is better", "unbiased MMD²"),
    ("(d) interpolation", "mean along paths between two digits", "classifier's confidence"),
    ("(e) match", "E[z] predicted from X, test images", "R²"),
)


def draw(measures: pd.DataFrame, comparators: pd.DataFrame, real: Mapping[str, float]) -> Figure:
    """Digits in X (a), reconstruction (b), samples (c), interpolation (d) and match (e), over Z.

    Interpolation only at the smallest and the largest Z.

    Args:
        measures: columns ``model`` (vae or npvae), ``z_dim``, ``seed``, ``measure``, ``value``.
        comparators: other embeddings, of which ``digit_accuracy`` is shown; columns ``method``, ``measure``,
            ``value``.
        real: what real images give, by measure: ``sample_mmd2`` and ``sample_confidence``.
    """
    z_dims = sorted(measures["z_dim"].unique().tolist())
    ends = list(dict.fromkeys((z_dims[0], z_dims[-1])))
    paths = {_VAE: "linear_z_confidence", _ARC: "slerp_z_confidence", _NPVAE: "linear_x_confidence"}
    others = comparators[comparators["measure"] == "digit_accuracy"].set_index("method")["value"]
    with style.styled():
        figure = Figure(figsize=(style.TEXT, 2 * _ROW + _APART))
        a, b, c, d, e = (_panel(figure, index, *words) for index, words in enumerate(_PANELS))
        for axes, measure in ((a, "digit_accuracy"), (b, "reconstruction"), (c, "sample_mmd2")):
            _points(axes, measures, z_dims, {_VAE: measure, _NPVAE: measure})
        _points(d, measures, ends, paths)
        _points(e, measures, z_dims, {_NPVAE: "match_r2"})
        e.set_ylim(min(0.0, e.get_ylim()[0]), 1)
        _references(a, {f"{method} {value:.3f}": value for method, value in others.items()})
        _references(c, {"real\nimages": real["sample_mmd2"]})
        _references(d, {"real\nimages": real["sample_confidence"]})
        _legend(figure)
    return figure


def _left(column: int) -> float:
    """Where a column's panels begin, in inches."""
    return _LEFT + column * (_WIDTH + _LEFT) + sum(_RIGHT[:column])


def _panel(figure: Figure, index: int, name: str, detail: str, unit: str) -> Axes:
    row, column = divmod(index, 3)
    axes = style.panel(figure, _left(column), _FOOT + (1 - row) * (_ROW + _APART), _WIDTH, _HEIGHT)
    style.title(axes, name, detail)
    axes.set_xlabel("dimensions of Z", labelpad=2)
    axes.set_ylabel(unit, labelpad=3)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.ticklabel_format(axis="y", style="plain", useOffset=False)
    axes.tick_params(length=2, width=0.6, pad=2, color=style.FAINT, labelcolor=style.INK)
    axes.tick_params(labelsize=style.SMALL)
    axes.margins(y=0.1)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _points(axes: Axes, measures: pd.DataFrame, z_dims: Sequence[int], series: Mapping[_Series, str]) -> None:
    """At each Z and for each series, the mean over the seeds and, to its right, the seeds."""
    axes.set_xlim(-0.5, len(z_dims) - 0.5)
    axes.set_xticks(range(len(z_dims)), [str(z_dim) for z_dim in z_dims])
    point = len(z_dims) / (72 * _WIDTH)  # in units of the axis
    pitch = min(13 * point, 0.86 / len(series))
    aside = 0.36 * pitch
    for order, (one, measure) in enumerate(series.items()):
        offset = (order - (len(series) - 1) / 2) * pitch - aside / 2
        chosen = measures[(measures["model"] == one.model) & (measures["measure"] == measure)]
        for place, z_dim in enumerate(z_dims):
            values = chosen.loc[chosen["z_dim"] == z_dim, "value"].to_numpy()
            if len(values):
                mean, seeds = one.mean(), one.seeds()
                mean.set_data([place + offset], [values.mean()])
                seeds.set_data(np.full(len(values), place + offset + aside), values)
                axes.add_line(mean)
                axes.add_line(seeds)
    axes.autoscale_view(scalex=False)


def _references(axes: Axes, values: Mapping[str, float]) -> None:
    """Lines across the panel, named at its right; names that would touch are moved apart."""
    if not values:
        return
    thin: dict[str, Any] = {"color": style.MUTED, "linewidth": 0.5, "zorder": 0}
    names = sorted(values, key=values.__getitem__)
    for name in names:
        axes.axhline(values[name], **thin)
    axes.autoscale_view(scalex=False)
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom, top)
    steps = np.arange(len(names)) * _LINE / (72 * _HEIGHT) * (top - bottom)
    heights = steps + isotonic_regression([values[name] for name in names] - steps, y_max=top - steps[-1])
    edge, beside = 1, 1 + _LEADER / (72 * _WIDTH)
    for name, height in zip(names, heights, strict=True):
        across = axes.get_yaxis_transform()
        axes.plot([edge, beside], [values[name], height], transform=across, clip_on=False, **thin)
        where: dict[str, Any] = {"xycoords": across, "textcoords": "offset points", "annotation_clip": False}
        axes.annotate(
            name, (beside, height), (1.5, 0), va="center", size=style.SMALL, color=style.MUTED, **where
        )


def _legend(figure: Figure) -> None:
    """In the free cell: which marker is which model, and what is large and small."""
    left, height = _left(2) / style.TEXT, figure.get_figheight()
    figure.legend(
        handles=[one.mean() for one in (_VAE, _ARC, _NPVAE)],
        loc="upper left",
        bbox_to_anchor=(left, (_FOOT + _HEIGHT) / height),
        frameon=False,
        borderpad=0,
        borderaxespad=0,
        handlelength=0.8,
        labelspacing=0.9,
    )
    note = "large: mean over the seeds\nsmall, to its right: each seed"
    figure.text(left, _FOOT / height, note, size=style.SMALL, color=style.MUTED, linespacing=1.4)
