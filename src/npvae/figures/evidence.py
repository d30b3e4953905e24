"""The evidence for the paper's claims: a panel a claim, a dot a seed."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from npvae.figures import style

# label, colour, marker, offset from the category's middle
_SERIES = {
    "vae": ("plain VAE\n(interpolation: line in Z)", style.PALETTE[7], "o", -0.12),
    "arc": ("plain VAE, arc in Z", style.PALETTE[8], "^", 0.0),
    "npvae": ("nonparametric VAE\n(interpolation: line in X)", style.ACCENT, "s", 0.12),
}
_WIDTH, _HEIGHT = 1.42, 1.45  # of a panel, in inches
_LEFT, _FOOT, _ACROSS, _UP = 0.42, 0.2, 0.92, 0.68
_HEAD = 0.36


def draw(measures: pd.DataFrame, comparators: pd.DataFrame, real: Mapping[str, float]) -> Figure:
    """One panel for each claim.

    Args:
        measures: columns ``model`` (vae or npvae), ``z_dim``, ``seed``, ``measure``, ``value``.
        comparators: columns ``method``, ``measure``, ``value``; ``knn_10`` is shown.
        real: what real images give: ``sample_mmd2`` and ``sample_confidence``.
    """
    z_dims = sorted(measures["z_dim"].unique().tolist())
    ends = sorted({z_dims[0], z_dims[-1]})
    with style.styled():
        figure = Figure(figsize=(style.TEXT, _FOOT + 2 * _HEIGHT + _UP + _HEAD))
        panels = [
            style.panel(
                figure,
                _LEFT + (i % 3) * (_WIDTH + _ACROSS),
                _FOOT + (1 - i // 3) * (_HEIGHT + _UP),
                _WIDTH,
                _HEIGHT,
            )
            for i in range(5)
        ]
        embedding, reconstruction, samples, interpolation, match = panels
        _points(embedding, measures, z_dims, {"vae": "knn_10", "npvae": "knn_10"})
        style.title(embedding, "Digits in the embedding", "10-nearest-neighbour accuracy")
        others = comparators[comparators["measure"] == "knn_10"].set_index("method")["value"].sort_values()
        _references(embedding, {f"{method} {value:.2f}": value for method, value in others.items()})
        _points(reconstruction, measures, z_dims, {"vae": "reconstruction", "npvae": "reconstruction"})
        style.title(reconstruction, "Reconstruction", "nats a test image, from E[z]")
        _points(samples, measures, z_dims, {"vae": "sample_mmd2", "npvae": "sample_mmd2"})
        _references(samples, {"real": real["sample_mmd2"]})
        style.title(samples, "Samples", "MMD² to real test images")
        paths = {"vae": "linear_z_confidence", "arc": "slerp_z_confidence", "npvae": "linear_x_confidence"}
        _points(interpolation, measures, ends, paths)
        _references(interpolation, {"real": real["sample_confidence"]})
        style.title(interpolation, "Interpolation", "mean confidence of the classifier")
        _points(match, measures, z_dims, {"npvae": "match_r2"})
        match.set_ylim(min(0.0, match.get_ylim()[0]), 1)
        style.title(match, "Match", "R² of E[z] by z~, test images")
        _legend(figure)
    return figure


def _points(axes: Axes, measures: pd.DataFrame, z_dims: list[int], names: Mapping[str, str]) -> None:
    """Every seed as a dot and the mean as a larger one, at each Z where the measure exists."""
    for series, name in names.items():
        _, colour, marker, offset = _SERIES[series]
        model = "npvae" if series == "npvae" else "vae"
        table = measures[(measures["model"] == model) & (measures["measure"] == name)]
        for place, z_dim in enumerate(z_dims):
            values = table.loc[table["z_dim"] == z_dim, "value"].to_numpy()
            if not len(values):
                continue
            spots = np.full(len(values), place + offset)
            axes.plot(spots, values, ".", color=colour, markersize=3, alpha=0.5, markeredgewidth=0)
            axes.plot(place + offset, values.mean(), marker, color=colour, markersize=4.5, alpha=0.8)
    axes.set_xlim(-0.5, len(z_dims) - 0.5)
    axes.set_xticks(range(len(z_dims)), [f"Z = {z_dim}" for z_dim in z_dims])
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.tick_params(length=2, width=0.6, pad=2, labelsize=style.SMALL)
    axes.margins(y=0.12)
    axes.spines[["top", "right"]].set_visible(False)


def _references(axes: Axes, values: Mapping[str, float]) -> None:
    """Thin labelled lines; labels that would touch are moved apart."""
    for value in values.values():
        axes.axhline(value, color=style.MUTED, linewidth=0.6, linestyle=(0, (4, 3)), zorder=0)
    low, high = axes.get_ylim()
    room = 0.075 * (high - low)
    at = -np.inf
    for label, value in sorted(values.items(), key=lambda item: item[1]):
        at = max(at + room, value)
        axes.annotate(
            label,
            (1, at),
            xycoords=("axes fraction", "data"),
            xytext=(2, 0),
            textcoords="offset points",
            va="center",
            size=style.SMALL,
            color=style.MUTED,
            annotation_clip=False,
        )
    axes.set_ylim(low, high)


def _legend(figure: Figure) -> None:
    handles = [
        Line2D([], [], linestyle="none", marker=marker, markersize=4.5, color=colour, label=label)
        for label, colour, marker, _ in _SERIES.values()
    ]
    handles += [
        Line2D([], [], linestyle="none", marker=".", markersize=4, color=style.MUTED, label="one seed"),
        Line2D([], [], linewidth=0.6, linestyle=(0, (4, 3)), color=style.MUTED, label="reference"),
    ]
    left = (_LEFT + 2 * (_WIDTH + _ACROSS) - 0.35) / style.TEXT
    top = (_FOOT + _HEIGHT) / figure.get_figheight()
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(left, top),
        frameon=False,
        borderaxespad=0,
        handlelength=1.4,
        labelspacing=0.7,
        fontsize=style.SMALL,
    )
