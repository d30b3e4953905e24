"""The sweep: which choices move which claim."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from npvae.figures import style
from npvae.figures.differences import DEFAULT, MINUS, grouped, in_words, shown

_ACROSS = 4  # panels in a band
_LABELS, _GAP, _LINE, _HEAD, _FOOT, _APART = 1.42, 0.1, 0.105, 0.36, 0.17, 0.08  # inches
_WIDTH = (style.TEXT - style.MARGIN - _LABELS) / _ACROSS - _GAP
_HEADING, _BETWEEN = 1.3, 0.35  # lines
_OUTLIER = 3.0  # times what three quarters of the differences stay below
_LOOKS = (("#1a68ad", "o", 3.6), (style.ACCENT, "s", 3.2), (style.VIOLET, "D", 3.0), (style.INK, "^", 3.6))


class _Rows(NamedTuple):
    """Where everything stands, in lines from the top: headings by group, places by change and Z."""

    headings: dict[str, float]
    places: dict[tuple[str, int], float]
    labels: dict[str, float]
    height: float


def draw(found: pd.DataFrame) -> Figure:
    """A row per change and a panel for each measure that :func:`npvae.figures.differences.shown` names.

    The line at 0 is the default of the same Z. What would squeeze the rest is clipped: an arrow at the edge
    with its value.

    Args:
        found: what :func:`npvae.figures.differences.differences` returns.
    """
    rows, measures = _rows(found), shown(found)
    looks = dict(zip(found["z_dim"].unique().tolist(), _LOOKS, strict=False))
    bands = -(-(len(measures) + 1) // _ACROSS)  # the key takes the place of a panel
    height = rows.height * _LINE
    band = _FOOT + height + _HEAD
    with style.styled():
        figure = Figure(figsize=(style.TEXT, bands * band + (bands - 1) * _APART))
        for index, (measure, (name, unit)) in enumerate(measures.items()):
            row, column = divmod(index, _ACROSS)
            left = _LABELS + column * (_WIDTH + _GAP)
            bottom = (bands - 1 - row) * (band + _APART) + _FOOT
            axes = style.panel(figure, left, bottom, _WIDTH, height)
            style.title(axes, name, unit)
            axes.set_ylim(rows.height, 0)
            if column == 0:
                _names(axes, rows)
            _show(axes, found[found["measure"] == measure], rows, looks)
        row, column = divmod(len(measures), _ACROSS)
        left = _LABELS + column * (_WIDTH + _GAP)
        bottom = (bands - 1 - row) * (band + _APART) + _FOOT
        _key(style.panel(figure, left, bottom, _WIDTH, height, frameon=False), looks)
    return figure


def window(difference: np.ndarray, half: np.ndarray) -> tuple[float, float]:
    """The part of the axis to show: 0, and all differences with their intervals, except for outliers."""
    reach = _OUTLIER * float(np.quantile(np.abs(difference), 0.75)) or float(np.abs(difference).max()) or 1.0
    kept = np.abs(difference) <= reach
    half = np.where(np.isfinite(half), half, 0.0)
    low = min(0.0, float(np.maximum(difference - half, -reach)[kept].min(initial=0.0)))
    high = max(0.0, float(np.minimum(difference + half, reach)[kept].max(initial=0.0)))
    margin = 0.08 * (high - low) or 1.0
    return low - margin, high + margin


def _rows(found: pd.DataFrame) -> _Rows:
    present = set(zip(found["change"], found["z_dim"], strict=True))
    z_dims = found["z_dim"].unique().tolist()
    y, headings, places, labels = 0.2, {}, {}, {}

    def add(change: str) -> None:
        nonlocal y
        own = [z_dim for z_dim in z_dims if (change, z_dim) in present]
        places.update({(change, z_dim): y + line + 0.5 for line, z_dim in enumerate(own)})
        labels[change] = y + len(own) / 2
        y += len(own) + _BETWEEN

    add(DEFAULT)
    for group, changes in grouped(found["change"].unique()).items():
        headings[group] = y + _HEADING / 2
        y += _HEADING
        for change in changes:
            add(change)
    return _Rows(headings, places, labels, y)


def _names(axes: Axes, rows: _Rows) -> None:
    across: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "center", "ha": "right"}
    for change, y in rows.labels.items():
        words = "the default" if change == DEFAULT else in_words(change).words
        axes.text(-0.04, y, words, size=style.SMALL, **across)
    for group, y in rows.headings.items():
        axes.text(-0.04, y, group, size=style.SMALL, weight="bold", **across)


def _show(axes: Axes, found: pd.DataFrame, rows: _Rows, looks: dict[int, tuple[str, str, float]]) -> None:
    changed = found[found["change"] != DEFAULT]
    low, high = window(changed["difference"].to_numpy(), changed["half"].to_numpy())
    axes.set_xlim(low, high)
    top = max((y for (change, _), y in rows.places.items() if change == DEFAULT), default=0.0) + 0.5
    axes.plot([0, 0], [top, rows.height], color=style.MUTED, linewidth=0.6, zorder=0)
    for y in rows.headings.values():
        axes.axhline(y, color=style.FAINT, linewidth=0.4, zorder=0)
    for one in found.itertuples():
        y = rows.places[one.change, one.z_dim]
        colour, marker, size = looks[one.z_dim]
        if one.change == DEFAULT:
            _value(axes, min(max(0.0, low), high), y, f"{one.mean:.3g}", colour, "center")
        elif low <= one.difference <= high:
            decided = one.half < abs(one.difference)
            if np.isfinite(one.half):
                ends = [one.difference - one.half, one.difference + one.half]
                axes.plot(ends, [y, y], color=colour, linewidth=0.9, solid_capstyle="butt")
            face = colour if decided else "white"
            look: dict[str, Any] = {"markersize": size, "markerfacecolor": face, "markeredgewidth": 0.7}
            axes.plot([one.difference], [y], marker, color=colour, **look)
        else:
            _outlier(axes, one.difference, y, colour)
    axes.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(_tick)
    axes.tick_params(length=2, width=0.5, pad=1.5, color=style.FAINT, labelsize=style.SMALL)


def _tick(value: float, _: object) -> str:
    return "0" if abs(value) < 1e-12 else f"{value:+g}".replace("-", MINUS)


def _outlier(axes: Axes, difference: float, y: float, colour: str) -> None:
    right = difference > 0
    edge = axes.get_xlim()[int(right)]
    inwards = -1 if right else 1
    axes.plot(
        [edge], [y], ">" if right else "<", color=colour, markersize=4, markeredgewidth=0, clip_on=False
    )
    text = f"{difference:+.3g}".replace("-", MINUS)
    _value(axes, edge, y, text, colour, "right" if right else "left", offset=4.5 * inwards)


def _value(
    axes: Axes, x: float, y: float, text: str, colour: str, align: str, *, offset: float = 0.0
) -> None:
    place: dict[str, Any] = {"xytext": (offset, 0), "textcoords": "offset points", "annotation_clip": False}
    halo = [withStroke(linewidth=1.5, foreground="white")]
    font: dict[str, Any] = {"size": style.SMALL - 0.5, "color": colour, "path_effects": halo}
    axes.annotate(text, (x, y), **place, ha=align, va="center", **font)


def _key(axes: Axes, looks: dict[int, tuple[str, str, float]]) -> None:
    def dot(colour: str, marker: str, size: float, face: str, label: str) -> Line2D:
        look: dict[str, Any] = {"markersize": size, "markerfacecolor": face, "markeredgewidth": 0.7}
        return Line2D([], [], color=colour, marker=marker, linewidth=0.9, label=label, **look)

    handles = [
        dot(colour, marker, size, colour, f"{z_dim} dimension{'' if z_dim == 1 else 's'} of Z")
        for z_dim, (colour, marker, size) in looks.items()
    ]
    muted, zero = style.MUTED, "0: the default of\nthe same Z, whose\nvalues stand above"
    beyond: dict[str, Any] = {"marker": ">", "markersize": 4, "linestyle": "none"}
    handles += [
        dot(muted, "o", 3.6, muted, "95 % interval\nwithout 0"),
        dot(muted, "o", 3.6, "white", "95 % interval\nwith 0"),
        Line2D([], [], color=muted, label="beyond the panel,\nwith its value", **beyond),
        Line2D([], [], color=muted, linewidth=0.6, label=zero),
    ]
    place: dict[str, Any] = {"loc": "upper left", "borderpad": 0.0, "handlelength": 1.6}
    axes.legend(handles=handles, fontsize=style.SMALL, frameon=False, **place)
