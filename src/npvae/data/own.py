"""A user's own images, as four idx files of the names that the catalogue's data sets have."""

import math
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np

from npvae.data.sources import PUBLISHED, scratch
from npvae.data.stored import ARRAYS, LABELS, Stored, in_folder, in_idx, in_npz
from npvae.errors import NpvaeError
from npvae.files import reading


class Own(NamedTuple):
    """A user's own data set: how many images, of which shape, and whether labels tell them apart."""

    train_images: int
    test_images: int
    image_shape: tuple[int, int]
    labelled: bool
    label_names: tuple[str, ...] = ()  # of 0, 1, ... where they were no numbers


_PIECE = 2**20  # bytes read at once
_LONGEST = 2**32 - 1  # of images, as an idx file states their number


def take(destination: Path, source: Path) -> Own:
    """Write a user's own images as four idx files into ``destination``, all of them or none.

    They are copied piece by piece, so that memory does not depend on how many there are.

    Args:
        destination: a folder, made if need be; idx files that are there are replaced.
        source: an ``.npz`` file with the arrays ``train_images`` and ``test_images``, uint8 ``[N, rows,
            columns]``, and, both or neither, ``train_labels`` and ``test_labels``, integers ``[N]`` from 0
            to 255; or a folder: of the same arrays as ``.npy`` files, of idx files with MNIST's names, plain
            or gzipped, or of pictures of one size in ``train`` and ``test``, where folders in these are
            labels: numbers from 0 to 255, or names, which are numbered in order. Nothing is unpickled.

    Returns:
        What was written. Without labels, all are written as 0.

    Raises:
        NpvaeError: something is missing or wrong; the message names the file and the array.
    """
    with ExitStack() as opened:
        arrays, names = (in_npz if source.suffix == ".npz" else in_folder)(source, opened)
        _require_right(arrays, source)
        labels = {}
        with scratch(destination) as folder:
            for array, file in ARRAYS.items():
                shape = arrays[array.replace("labels", "images")].shape
                with (folder / file).open("wb") as target:
                    if array not in LABELS:
                        target.write(_header(shape))
                        target.writelines(_rows(arrays[array]))
                        continue
                    given = array in arrays  # after the images, which have proven that there are so many
                    labels[array] = _labels(arrays[array]) if given else np.zeros(shape[0], np.uint8)
                    target.write(_header(shape[:1]) + labels[array].tobytes())
            for file in ARRAYS.values():
                (folder / file).replace(destination / file)
    return _own(arrays, labels["train_labels"])._replace(label_names=names)


def look(folder: Path) -> Own:
    """What four idx files of a user's own hold.

    Raises:
        NpvaeError: one is missing or wrong; the message names it, and says how to put it there.
    """
    missing = [file for file in ARRAYS.values() if not (folder / file).is_file()]
    if missing:
        raise NpvaeError(
            f"{folder}: no {', '.join(missing)}; {folder.name} is no data set of the catalogue "
            f"({', '.join(PUBLISHED)}), so put your own images there with "
            f"`npvae data --output {folder} --source FILE.npz`"
        )
    with ExitStack() as opened:
        arrays = {array: in_idx(folder / file, opened) for array, file in ARRAYS.items()}
        _require_right(arrays, folder)
        return _own(arrays, _labels(arrays["train_labels"]))


def _own(arrays: dict[str, Stored], labels: np.ndarray) -> Own:
    train, rows, columns = arrays["train_images"].shape
    return Own(train, arrays["test_images"].shape[0], (rows, columns), labelled=len(np.unique(labels)) > 1)


def _require_right(arrays: dict[str, Stored], source: Path) -> None:
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
    given = [array for array in LABELS if array in arrays]
    if len(given) == 1:
        raise NpvaeError(f"{source}: {given[0]} without the other labels; give both or neither")
    for array in given:
        labels, count = arrays[array], arrays[array.replace("labels", "images")].shape[0]
        if labels.dtype.kind not in "iu":
            raise NpvaeError(f"{source}: {array} is of type {labels.dtype} and not of integers")
        if labels.shape != (count,):
            raise NpvaeError(f"{source}: {array} has shape {list(labels.shape)} for {count} images")


def _labels(stored: Stored) -> np.ndarray:
    labels = np.frombuffer(b"".join(_pieces(stored)), stored.dtype)
    if labels.min() < 0 or labels.max() > 255:
        raise NpvaeError(
            f"{stored.name} has values from {labels.min()} to {labels.max()}; labels are 0 to 255"
        )
    return labels.astype(np.uint8)


def _rows(stored: Stored) -> Iterator[bytes]:
    if not stored.columns_first:
        return _pieces(stored)
    whole = np.frombuffer(b"".join(_pieces(stored)), stored.dtype)
    return iter([whole.reshape(stored.shape, order="F").tobytes()])


def _pieces(stored: Stored) -> Iterator[bytes]:
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
