"""The data behind the figures, small enough for git: tables of rounded coordinates, images tiled into one."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from npvae.errors import NpvaeError
from npvae.figures.style import Array

_SIDE = 28


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
    """Rows of images ``[R, C, pixels]`` in [0, 1] as one PNG of 256 greys."""
    count, across, _ = rows.shape
    tiles = rows.reshape(count, across, _SIDE, _SIDE).swapaxes(1, 2)
    grey = np.rint(255 * tiles.reshape(count * _SIDE, across * _SIDE)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def untiled(path: Path) -> Array:
    """What :func:`tiled` was given, to half a grey.

    Raises:
        NpvaeError: the file is not made of tiles.
    """
    with Image.open(path, formats=["PNG"]) as image:
        grey = np.asarray(image.convert("L"), np.float32) / 255
    (height, width), side = grey.shape, _SIDE
    if height % side or width % side:
        raise NpvaeError(f"{path}: {width} × {height} pixels are no whole number of images; make it again")
    return (
        grey.reshape(height // side, side, width // side, side)
        .swapaxes(1, 2)
        .reshape(-1, width // side, side**2)
    )
