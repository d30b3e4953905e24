"""Figure 4: images between two images, through Z and through X."""

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.textpath import TextPath

from npvae.figures import style
from npvae.figures.style import Array
from npvae.settings import ModelName

_GAP, _APART, _HEAD, _AFTER_LABEL = 0.03, 0.09, 0.2, 0.12  # inches


def _width(text: str) -> float:
    """Of a text of one or more lines, in inches."""
    return max(TextPath((0, 0), line, size=style.SIZE).get_extents().width for line in text.split("\n")) / 72


def _label(model: ModelName, z_dim: int) -> str:
    return f"{style.NAMES[model]},\nin {'Z' if model == 'vae' else 'X'} ({z_dim}-dim. Z)"


def draw(rows: Mapping[tuple[ModelName, int], Array]) -> Figure:
    """A row of images for each model and dimension of Z, the two real images set apart at its ends.

    Args:
        rows: by model and dimension of Z, images ``[n + 2, height, width]`` in [0, 1], of which the
            first and the last are the real ones.
    """
    count, *shape = next(iter(rows.values())).shape
    tall, wide = (length / max(shape) for length in shape)
    with style.styled():
        labels = [_label(*key) for key in rows]
        start = style.MARGIN + max(map(_width, labels)) + _AFTER_LABEL
        side = (style.TEXT - start - 2 * _APART - (count - 1) * _GAP - style.MARGIN) / count
        aside = side * (1 - wide) / 2  # an image that is no square lies in the middle of one
        lefts = [
            start + index * (side + _GAP) + _APART * ((index > 0) + (index == count - 1))
            for index in range(count)
        ]
        height = len(rows) * (side + _GAP) + _HEAD
        figure = Figure(figsize=(style.TEXT, height))
        # one set of axes in inches: images, frames and words share its coordinates
        axes = style.panel(figure, 0, 0, style.TEXT, height, frame_on=False)
        for row, (label, images) in enumerate(zip(labels, rows.values(), strict=True)):
            bottom = height - _HEAD - row * (side + _GAP) - side
            axes.text(style.MARGIN, bottom + side / 2, label, va="center", linespacing=1.3)
            for index, (left, image) in enumerate(zip(lefts, images, strict=True)):
                low, near = bottom + side * (1 - tall) / 2, left + aside
                extent = (near, near + side * wide, low, low + side * tall)
                axes.imshow(image, cmap="gray_r", vmin=0, vmax=1, extent=extent, interpolation="nearest")
                real = index in (0, count - 1)
                colour, line = (style.INK, 0.9) if real else (style.FAINT, 0.4)
                frame = Rectangle((near, low), side * wide, side * tall, fill=False, ec=colour, lw=line)
                axes.add_patch(frame)
        for place, aligned, words in (
            (lefts[0] + aside, "left", "real image"),
            ((lefts[1] + lefts[-2] + side) / 2, "center", "images between them"),
            (lefts[-1] + side - aside, "right", "real image"),
        ):
            axes.text(place, height - _HEAD + 0.06, words, ha=aligned, va="baseline", size=style.SMALL)
        axes.set(xlim=(0, style.TEXT), ylim=(0, height))
    return figure
