"""The data behind the figures, small enough for git: tables of rounded coordinates, images tiled into one."""

import io
from collections.abc import Collection
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
from PIL import Image

from npvae.errors import NpvaeError
from npvae.figures.style import Array
from npvae.files import CURE, reading
from npvae.settings import ModelName


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
    """A table as a file, each page of it under a checksum."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False, compression="zstd", write_page_checksum=True)
    return buffer.getvalue()


def read_table(path: Path, columns: Collection[str], *, gaps: bool = False) -> pd.DataFrame:
    """A table of what is drawn (parquet or CSV), whole.

    Args:
        path: the file.
        columns: that it must have; ``split`` and ``model`` hold words, all others numbers.
        gaps: whether numbers may be missing.

    Raises:
        NpvaeError: it is missing, damaged or cut off, or something in it can't be; the message names it.
    """
    with reading(path, "a table of what is drawn", CURE):
        if path.suffix == ".csv":
            text = path.read_text()
            if not text.endswith("\n"):
                raise ValueError("cut off in its last line")
            table = pd.read_csv(io.StringIO(text))
        else:
            table = pd.read_parquet(path, page_checksum_verification=True)
        if foreign := set(table["model"]) - {*get_args(ModelName)}:
            raise ValueError(f"it names the model {foreign.pop()}")
        for name in dict.fromkeys((*columns, *table.columns)):
            if name in ("model", "split"):
                continue
            values = table[name].to_numpy(float)
            if np.isinf(values).any() or (np.isnan(values).any() and not gaps):
                raise ValueError(f"{name} is not finite")
    return table


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
        NpvaeError: the file is missing, damaged or not made of such images.
    """
    with reading(path, "an image", CURE):
        content = path.read_bytes()
        if not content.endswith(b"IEND\xae\x42\x60\x82"):
            raise ValueError("cut off")
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            image.verify()  # else the sums of the pixels' chunks would be left out
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            grey = np.asarray(image.convert("L"), np.float32) / 255
    height, width = shape
    if grey.shape[0] % height or grey.shape[1] % width:
        raise NpvaeError(
            f"{path}: {grey.shape[1]} × {grey.shape[0]} pixels are no whole number of images of "
            f"{width} × {height}; make it again"
        )
    return grey.reshape(-1, height, grey.shape[1] // width, width).swapaxes(1, 2)
