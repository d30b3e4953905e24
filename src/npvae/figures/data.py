"""The data behind the figures, small enough for git: tables of rounded coordinates, images tiled into one."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from npvae.errors import NpvaeError
from npvae.figures.style import Array


def rounded(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its coordinates rounded to at most a thousandth of their range, less than a dot.

    Repeated values are what makes the file small: parquet writes each once.
    """
    small = table.copy()
    for name in table.columns[table.dtypes == np.float32]:
        decimals = int(np.ceil(3 - np.log10(np.ptp(table[name].dropna()) or 1)))
        small[name] = table[name].round(decimals)
    return small


def parquet(table: pd.DataFrame) -> bytes:
    """A table as a file."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False, compression="zstd")
    return buffer.getvalue()


def tiled(rows: Array) -> bytes:
    """Rows of images ``[R, C, height, width]`` in [0, 1] as one PNG of 256 greys."""
    count, across, height, width = rows.shape
    grey = np.rint(255 * rows.swapaxes(1, 2).reshape(count * height, across * width)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def untiled(path: Path, shape: tuple[int, int]) -> Array:
    """What :func:`tiled` was given, to half a grey.

    Args:
        path: the file.
        shape: height and width of an image.

    Raises:
        NpvaeError: the file is not made of such images.
    """
    with Image.open(path, formats=["PNG"]) as image:
        grey = np.asarray(image.convert("L"), np.float32) / 255
    height, width = shape
    if grey.shape[0] % height or grey.shape[1] % width:
        raise NpvaeError(
            f"{path}: {grey.shape[1]} × {grey.shape[0]} pixels are no whole number of images of "
            f"{width} × {height}; make it again"
        )
    return grey.reshape(-1, height, grey.shape[1] // width, width).swapaxes(1, 2)
