"""The sweep: which choices move which claim."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from npvae.figures import style

MEASURES = {
    "digit_accuracy": "10-NN accuracy\nin X",
    "reconstruction": "reconstruction\nfrom E[z], nats",
    "sample_mmd2": "MMD² of\nsamples",
    "linear_x_confidence": "confidence\nalong lines in X",
    "match_r2": "R² of\nthe match",
    "reconstruction_from_x": "reconstruction\nfrom X, nats",
}
_LABELS, _GAP, _ROW, _HEAD, _FOOT = 1.75, 0.14, 0.2, 0.42, 0.3  # inches


def draw(table: pd.DataFrame) -> Figure:
    """A row per point and a column for each of :data:`MEASURES`; the line is the first point, the default.

    Args:
        table: indexed by point, with the measures as columns.
    """
    width = (style.TEXT - style.MARGIN - _LABELS) / len(MEASURES) - _GAP
    height = _ROW * len(table)
    with style.styled():
        figure = Figure(figsize=(style.TEXT, _FOOT + height + _HEAD))
        for column, (measure, label) in enumerate(MEASURES.items()):
            axes = style.panel(figure, _LABELS + column * (width + _GAP), _FOOT, width, height)
            values = table[measure].to_numpy()
            axes.axvline(values[0], color=style.MUTED, linewidth=0.6, linestyle=(0, (4, 3)), zorder=0)
            axes.plot(values, range(len(values)), "o", color=style.ACCENT, markersize=4, markeredgewidth=0)
            axes.set_title(label, size=style.SMALL, color=style.INK)
            axes.set_ylim(len(values) - 0.5, -0.5)
            axes.set_yticks(range(len(values)), table.index if column == 0 else [])
            axes.xaxis.set_major_locator(MaxNLocator(2))
            axes.tick_params(length=0, pad=3, labelsize=style.SMALL)
            axes.margins(x=0.18)
            axes.grid(axis="y", color=style.FAINT, linewidth=0.3)
    return figure
