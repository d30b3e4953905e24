"""A user's own images, as four idx files of the names that the catalogue's data sets have."""

import gzip
import math
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from npvae.data.sources import PUBLISHED, TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, find, scratch
from npvae.errors import NpvaeError
from npvae.files import reading


class Own(NamedTuple):
    """A user's own data set: how many images, of which shape, and whether labels tell them apart."""

    train_images: int
    test_images: int
    image_shape: tuple[int, int]
    labelled: bool


class _Stored(NamedTuple):
    """An array that is still in its file: what the header says of it, and what reads the bytes after it."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    read: Callable[[int], bytes]
    columns_first: bool = False


_ARRAYS = {
    "train_images": TRAIN_IMAGES,
    "train_labels": TRAIN_LABELS,
    "test_images": TEST_IMAGES,
    "test_labels": TEST_LABELS,
}
_LABELS = ("train_labels", "test_labels")
_PIECE = 2**20  # bytes read at once
_AXES, _LONGEST = 3, 2**32 - 1  # at most, of an idx file of images, and images along one of them


def take(destination: Path, source: Path) -> Own:
    """Write a user's own images as four idx files into ``destination``, all of them or none.

    They are copied piece by piece, so that memory does not depend on how many there are.

    Args:
        destination: a folder, made if need be; idx files that are there are replaced.
        source: an ``.npz`` file with the arrays ``train_images`` and ``test_images``, uint8 ``[N, rows,
            columns]``, and, both or neither, ``train_labels`` and ``test_labels``, integers ``[N]`` from 0
            to 255; or a folder of idx files with MNIST's names, plain or gzipped. Nothing is unpickled.

    Returns:
        What was written. Without labels, all are written as 0.

    Raises:
        NpvaeError: something is missing or wrong; the message names the file and the array.
    """
    with ExitStack() as opened:
        arrays = _in_npz(source, opened) if source.suffix == ".npz" else _in_folder(source, opened)
        _require_right(arrays, source)
        labels = {}
        with scratch(destination) as folder:
            for array, file in _ARRAYS.items():
                shape = arrays[array.replace("labels", "images")].shape
                with (folder / file).open("wb") as target:
                    if array not in _LABELS:
                        target.write(_header(shape))
                        target.writelines(_rows(arrays[array]))
                        continue
                    given = array in arrays  # after the images, which have proven that there are so many
                    labels[array] = _labels(arrays[array]) if given else np.zeros(shape[0], np.uint8)
                    target.write(_header(shape[:1]) + labels[array].tobytes())
            for file in _ARRAYS.values():
                (folder / file).replace(destination / file)
    return _own(arrays, labels["train_labels"])


def look(folder: Path) -> Own:
    """What four idx files of a user's own hold.

    Raises:
        NpvaeError: one is missing or wrong; the message names it, and says how to put it there.
    """
    missing = [file for file in _ARRAYS.values() if not (folder / file).is_file()]
    if missing:
        raise NpvaeError(
            f"{folder}: no {', '.join(missing)}; {folder.name} is no data set of the catalogue "
            f"({', '.join(PUBLISHED)}), so put your own images there with "
            f"`npvae data --output {folder} --source FILE.npz`"
        )
    with ExitStack() as opened:
        arrays = {array: _in_idx(folder / file, opened) for array, file in _ARRAYS.items()}
        _require_right(arrays, folder)
        return _own(arrays, _labels(arrays["train_labels"]))


def _in_npz(source: Path, opened: ExitStack) -> dict[str, _Stored]:
    with reading(source, "an .npz file"):
        file = opened.enter_context(zipfile.ZipFile(source))
    there = {name.removesuffix(".npy"): name for name in file.namelist()}
    if absent := [array for array in ("train_images", "test_images") if array not in there]:
        names = f"; there are {' '.join(', '.join(there).split())}" if there else ""
        raise NpvaeError(f"{source}: no array {' and '.join(absent)}{names}")
    arrays = {}
    for array in _ARRAYS.keys() & there.keys():
        with reading(f"{source}: {array}", "an array"):
            content = opened.enter_context(file.open(there[array]))
            version = np.lib.format.read_magic(content)
            read_header = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, columns_first, dtype = read_header(content)
        arrays[array] = _Stored(f"{source}: {array}", dtype, shape, content.read, columns_first)
    return arrays


def _in_folder(source: Path, opened: ExitStack) -> dict[str, _Stored]:
    if not source.is_dir():
        raise NpvaeError(f"{source}: give an .npz file, or a folder of idx files")
    arrays = {}
    for array, file in _ARRAYS.items():
        try:
            found = find(source, file)
        except NpvaeError:
            if array in _LABELS:
                continue
            raise
        arrays[array] = _in_idx(found, opened)
    return arrays


# Reading is data/images.py's; but this stage must not depend on what reads for the trainings
def _in_idx(path: Path, opened: ExitStack) -> _Stored:
    packed = path.suffix == ".gz"
    with reading(path, "an idx file of bytes"):
        file = opened.enter_context(path.open("rb"))
        read = gzip.GzipFile(fileobj=file).read if packed else file.read
        start = read(4)
        axes = start[3] if len(start) == 4 and start.startswith(b"\0\0\x08") else 0
        sizes = read(4 * axes)
        size = None if packed else os.fstat(file.fileno()).st_size
    if not 0 < axes <= _AXES or len(sizes) < 4 * axes:
        raise NpvaeError(f"{path}: not an idx file of bytes")
    shape = tuple(np.frombuffer(sizes, ">u4").tolist())
    stated = 4 + len(sizes) + math.prod(shape)
    if size not in (None, stated):
        raise NpvaeError(f"{path}: {size} bytes instead of {stated}")
    return _Stored(str(path), np.dtype(np.uint8), shape, read)


def _own(arrays: dict[str, _Stored], labels: np.ndarray) -> Own:
    train, rows, columns = arrays["train_images"].shape
    return Own(train, arrays["test_images"].shape[0], (rows, columns), labelled=len(np.unique(labels)) > 1)


def _require_right(arrays: dict[str, _Stored], source: Path) -> None:
    """That nothing is wrong with types and shapes, by what the headers say."""
    for array in ("train_images", "test_images"):
        images, least = arrays[array], 2 if array == "train_images" else 1
        if images.dtype != np.uint8:
            raise NpvaeError(
                f"{source}: {array} is of type {images.dtype} and not uint8; of grey values in [0, 1], "
                f"(255 * {array}).round().astype('uint8') makes that"
            )
        if len(images.shape) != 3 or not all(0 < size <= _LONGEST for size in images.shape[1:]):
            raise NpvaeError(
                f"{source}: {array} has shape {list(images.shape)} and not [images, rows, columns]"
            )
        if not least <= images.shape[0] <= _LONGEST:
            raise NpvaeError(f"{source}: {array} has {images.shape[0]} images and needs {least} at least")
    train, test = arrays["train_images"].shape, arrays["test_images"].shape
    if train[1:] != test[1:]:
        raise NpvaeError(
            f"{source}: images of train_images have shape {list(train[1:])}, "
            f"and those of test_images {list(test[1:])}"
        )
    given = [array for array in _LABELS if array in arrays]
    if len(given) == 1:
        raise NpvaeError(f"{source}: {given[0]} without the other labels; give both or neither")
    for array in given:
        labels, count = arrays[array], arrays[array.replace("labels", "images")].shape[0]
        if labels.dtype.kind not in "iu":
            raise NpvaeError(f"{source}: {array} is of type {labels.dtype} and not of integers")
        if labels.shape != (count,):
            raise NpvaeError(f"{source}: {array} has shape {list(labels.shape)} for {count} images")


def _labels(stored: _Stored) -> np.ndarray:
    labels = np.frombuffer(b"".join(_pieces(stored)), stored.dtype)
    if labels.min() < 0 or labels.max() > 255:
        raise NpvaeError(
            f"{stored.name} has values from {labels.min()} to {labels.max()}; labels are 0 to 255"
        )
    return labels.astype(np.uint8)


def _rows(stored: _Stored) -> Iterator[bytes]:
    if not stored.columns_first:
        return _pieces(stored)
    whole = np.frombuffer(b"".join(_pieces(stored)), stored.dtype)
    return iter([whole.reshape(stored.shape, order="F").tobytes()])


def _pieces(stored: _Stored) -> Iterator[bytes]:
    """The bytes of an array, a piece at a time: as many as its header says, and hardly more are read."""
    stated = left = math.prod(stored.shape) * stored.dtype.itemsize
    with reading(stored.name, "whole"):
        while piece := stored.read(min(_PIECE, left + 1)):
            left -= len(piece)
            if left < 0:
                break
            yield piece
    if left:
        held = f"{stated - left} bytes instead of" if left > 0 else "more than"
        raise NpvaeError(f"{stored.name}: {held} the {stated} bytes that its header states")


def _header(shape: tuple[int, ...]) -> bytes:
    """Of an idx file of bytes: magic number and shape."""
    return bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()
