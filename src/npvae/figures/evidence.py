"""The evidence for the paper's claims as a forest plot, drawn from claims.json: a row for each condition."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from npvae.figures import style

# inches
_WIDTH, _BESIDE, _GAP = style.TEXT / 2, 0.78, 0.15  # of a column; of its names, and of its outcomes; between
_TITLE, _FOOT, _LEGEND, _APART, _ROW, _REST = 0.22, 0.32, 0.26, 0.08, 0.16, 0.11
_TINT, _LIGHT = "#e9f2f8", 0.55


class _Look(NamedTuple):
    colour: str
    marker: str


# Okabe and Ito's colours, some darker; the markers tell the same
LOOKS = {
    "supported": _Look("#0072b2", "o"),
    "contradicted": _Look("#d55e00", "D"),
    "equivalent": _Look("#b0578d", "s"),
    "undecided": _Look("#767676", "^"),
    "mixed": _Look("#8a6d00", ""),
    "no verdict": _Look("#767676", "x"),
}
# what is beside the learned length scale, in fewer words
_SHORT = {"leave-one-out length scale": "leave-one-out l", "advised setting": "advised"}
_AXES = {
    "nats": "more nats than the plain VAE's, %",
    "accuracy": "difference in accuracy",
    "MMD²": "difference in MMD²",
    "confidence": "difference in confidence",
}


class _Row(NamedTuple):
    name: str
    condition: Mapping[str, Any]
    main: bool
    place: float  # inches below the panel's upper edge


def draw(claims: Mapping[str, Any]) -> Figure:
    """A panel for each claim: differences with 95 % (thin) and 90 % intervals (thick), bounds and outcomes.

    To the right of a bound a difference speaks for the claim, whichever its sign. First comes the reading
    that decides; below it, lighter, the others.

    Args:
        claims: what ``npvae claims`` writes as JSON.
    """
    panels = [(claim, _rows(claim)) for claim in claims["claims"]]
    panels = [(claim, rows) for claim, rows in panels if rows]
    half = (len(panels) + 1) // 2
    columns = [panels[:half], panels[half:]]
    height = max(sum(_height(rows) for _, rows in column) for column in columns) + _LEGEND
    with style.styled():
        figure = Figure(figsize=(style.TEXT, height))
        for index, column in enumerate(columns):
            top = height
            for claim, rows in column:
                _panel(figure, claim, rows, style.MARGIN + index * _WIDTH, top)
                top -= _height(rows)
        _legend(figure)
    return figure


def _rows(claim: Mapping[str, Any]) -> list[_Row]:
    first, *others = claim["readings"].items()
    rows, place = [], 0.0
    for index, condition in enumerate(first[1]["primary"]):
        place += _ROW
        rows.append(_Row(condition["label"], condition, True, place - 0.04))
        for name, reading in others:
            other = reading["primary"][index]
            if other["compared"] != condition["compared"]:  # else it does not depend on l
                place += _REST
                rows.append(_Row(_SHORT.get(name, name), other, False, place - 0.04))
        place += 0.03
    return rows


def _height(rows: Sequence[_Row]) -> float:
    return _TITLE + rows[-1].place + 0.09 + _FOOT + _APART


def _panel(figure: Figure, claim: Mapping[str, Any], rows: Sequence[_Row], left: float, top: float) -> None:
    height = rows[-1].place + 0.09
    width = _WIDTH - style.MARGIN - 2 * _BESIDE - _GAP
    axes = style.panel(figure, left + _BESIDE, top - _TITLE - height, width, height)
    axes.set_ylim(height, 0)
    _title(axes, claim, width)
    for row in rows:
        _interval(axes, row)
        _words(axes, row, width)
    _bounds(axes, rows)
    axes.set_xlabel(
        _AXES.get(claim["unit"], claim["unit"]), labelpad=1.5, size=style.SMALL, color=style.MUTED
    )
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.ticklabel_format(axis="x", style="plain", useOffset=False)
    axes.tick_params(
        length=2, width=0.6, pad=2, color=style.FAINT, labelcolor=style.INK, labelsize=style.SMALL
    )
    axes.spines[["top", "right", "left"]].set_visible(False)


def _title(axes: Axes, claim: Mapping[str, Any], width: float) -> None:
    above: dict[str, Any] = {
        "xycoords": "axes fraction",
        "textcoords": "offset points",
        "annotation_clip": False,
    }
    above["weight"] = "bold"
    axes.annotate(claim["claim"], (-_BESIDE / width, 1), (0, 4), **above)
    word = claim["verdict"]
    axes.annotate(word, (1 + _BESIDE / width, 1), (0, 4), ha="right", color=LOOKS[word].colour, **above)


def _scaled(condition: Mapping[str, Any]) -> tuple[float, float, list[list[float]]]:
    """Difference, bound and intervals (95 %, 90 %) in the panel's unit: of a relative bound, per cent."""
    relative = condition["relative_bound"] is not None
    scale = 100 / condition["compared"][1]["mean"] if relative else 1.0
    intervals = [condition[f"interval_{level}"] for level in (95, 90)]
    scaled = [[scale * end for end in interval] for interval in intervals if interval]
    return scale * condition["difference"], scale * condition["bound"], scaled


def _interval(axes: Axes, row: _Row) -> None:
    value, _, intervals = _scaled(row.condition)
    look = LOOKS[row.condition["outcome"] or "no verdict"]
    for interval, width in zip(intervals, (0.8, 2.4) if row.main else (0.6, 1.5), strict=False):
        line: dict[str, Any] = {"solid_capstyle": "butt", "alpha": 1 if row.main else _LIGHT}
        axes.plot(interval, [row.place] * 2, color=look.colour, linewidth=width, zorder=3, **line)
    size = 4.6 if row.main else 3.2
    face = look.colour if row.main else "white"
    edge: dict[str, Any] = {"markeredgewidth": 0.8, "markeredgecolor": look.colour, "markerfacecolor": face}
    axes.plot([value], [row.place], marker=look.marker, markersize=size, linestyle="none", zorder=4, **edge)


def _words(axes: Axes, row: _Row, width: float) -> None:
    across = axes.get_yaxis_transform()
    outcome = row.condition["outcome"] or "no verdict"
    small: dict[str, Any] = {"size": style.SMALL, "va": "center", "transform": across}
    left = -(_BESIDE - (0.0 if row.main else 0.08)) / width
    axes.text(left, row.place, row.name, color=style.INK if row.main else style.MUTED, **small)
    beside = 1 + 0.08 / width
    axes.text(beside, row.place, outcome, color=LOOKS[outcome].colour, alpha=1 if row.main else 0.8, **small)


def _bounds(axes: Axes, rows: Sequence[_Row]) -> None:
    """The bound, the side of it that speaks for the claim, 0 and the margin around it."""
    condition = rows[0].condition
    _, bound, _ = _scaled(condition)
    above = condition["side"] == "above"
    shown = [0.0, bound]
    if condition["bound"] == 0 and condition["margin"]:
        for end in (-condition["margin"], condition["margin"]):
            axes.axvline(end, color=style.MUTED, linewidth=0.6, linestyle=(0, (1, 2)), zorder=2)
            shown.append(end)
    for row in rows:
        value, _, intervals = _scaled(row.condition)
        shown += [value, *chain(*intervals)]
    low, high = min(shown), max(shown)
    room = 0.07 * (high - low)
    low, high = low - room, high + room
    axes.axvspan(*((bound, high) if above else (low, bound)), color=_TINT, linewidth=0, zorder=0)
    axes.axvline(0, color=style.FAINT, linewidth=0.6, zorder=1)
    axes.axvline(bound, color=style.INK, linewidth=0.8, zorder=2)
    axes.set_xlim(*((low, high) if above else (high, low)))


def _legend(figure: Figure) -> None:
    marks = [
        Line2D([], [], linestyle="none", marker=look.marker, color=look.colour, markersize=4.6, label=word)
        for word, look in LOOKS.items()
        if word in ("supported", "contradicted", "equivalent", "undecided")
    ]
    lines = [
        Line2D([], [], color=style.INK, linewidth=0.8, label="95 % interval"),
        Line2D([], [], color=style.INK, linewidth=2.4, label="90 %"),
        Line2D([], [], color=style.INK, linestyle="none", marker="|", markersize=7, label="bound"),
        Patch(facecolor=_TINT, edgecolor="none", label="speaks for the claim"),
        Line2D([], [], color=style.MUTED, linewidth=0.6, linestyle=(0, (1, 2)), label="margin"),
    ]
    figure.legend(
        handles=[*marks, *lines],
        ncols=len(marks) + len(lines),
        loc="lower center",
        frameon=False,
        fontsize=style.SMALL,
        borderaxespad=0.2,
        handlelength=1.1,
        handletextpad=0.4,
        columnspacing=1.0,
    )
