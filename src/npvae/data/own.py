"""A user's own images, as four idx files of the names that the catalogue's data sets have."""

import gzip
import math
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib.npyio import NpzFile

from npvae.data.sources import PUBLISHED, TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, find, scratch
from npvae.errors import NpvaeError


class Own(NamedTuple):
    """A user's own data set: how many images, of which shape, and whether labels tell them apart."""

    train_images: int
    test_images: int
    image_shape: tuple[int, int]
    labelled: bool


_ARRAYS = {
    "train_images": TRAIN_IMAGES,
    "train_labels": TRAIN_LABELS,
    "test_images": TEST_IMAGES,
    "test_labels": TEST_LABELS,
}
_LABELS = ("train_labels", "test_labels")


def take(destination: Path, source: Path) -> Own:
    """Write a user's own images as four idx files into ``destination``, all of them or none.

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
    arrays = _from_npz(source) if source.suffix == ".npz" else _from_idx(source)
    own = _checked(arrays, source)
    for labels in _LABELS:
        arrays.setdefault(labels, np.zeros(len(arrays[labels.replace("labels", "images")]), np.uint8))
    with scratch(destination) as folder:
        for array, file in _ARRAYS.items():
            (folder / file).write_bytes(_idx(arrays[array]))
        for file in _ARRAYS.values():
            (folder / file).replace(destination / file)
    return own


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
    return _checked({array: _read_idx(folder / file) for array, file in _ARRAYS.items()}, folder)


def _from_npz(source: Path) -> dict[str, np.ndarray]:
    try:
        file = np.load(source, allow_pickle=False)
        if not isinstance(file, NpzFile):
            raise ValueError("a single array")
    except FileNotFoundError:
        raise NpvaeError(f"{source}: no such file") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise NpvaeError(f"{source}: not an .npz file ({' '.join(str(error).split())})") from None
    arrays = {}
    with file:
        for array in _ARRAYS.keys() & set(file.files):
            try:
                arrays[array] = file[array]
            except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
                raise NpvaeError(f"{source}: {array}: {' '.join(str(error).split())}") from None
    if absent := [array for array in ("train_images", "test_images") if array not in arrays]:
        there = f"; there are {', '.join(file.files)}" if file.files else ""
        raise NpvaeError(f"{source}: no array {' and '.join(absent)}{there}")
    return arrays


def _from_idx(source: Path) -> dict[str, np.ndarray]:
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
        arrays[array] = _read_idx(found)
    return arrays


def _checked(arrays: dict[str, np.ndarray], source: Path) -> Own:
    """What the arrays hold, once nothing is wrong with them."""
    for array in ("train_images", "test_images"):
        images, least = arrays[array], 2 if array == "train_images" else 1
        if images.dtype != np.uint8:
            raise NpvaeError(
                f"{source}: {array} is of type {images.dtype} and not uint8; of grey values in [0, 1], "
                f"(255 * {array}).round().astype('uint8') makes that"
            )
        if images.ndim != 3 or not all(images.shape[1:]):
            raise NpvaeError(
                f"{source}: {array} has shape {list(images.shape)} and not [images, rows, columns]"
            )
        if len(images) < least:
            raise NpvaeError(f"{source}: {array} has {len(images)} images and needs {least} at least")
    train, test = arrays["train_images"], arrays["test_images"]
    if train.shape[1:] != test.shape[1:]:
        raise NpvaeError(
            f"{source}: images of train_images have shape {list(train.shape[1:])}, "
            f"and those of test_images {list(test.shape[1:])}"
        )
    given = [array for array in _LABELS if array in arrays]
    if len(given) == 1:
        raise NpvaeError(f"{source}: {given[0]} without the other labels; give both or neither")
    for array in given:
        labels, count = arrays[array], len(arrays[array.replace("labels", "images")])
        if labels.dtype.kind not in "iu":
            raise NpvaeError(f"{source}: {array} is of type {labels.dtype} and not of integers")
        if labels.shape != (count,):
            raise NpvaeError(f"{source}: {array} has shape {list(labels.shape)} for {count} images")
        if labels.min() < 0 or labels.max() > 255:
            raise NpvaeError(
                f"{source}: {array} has values from {labels.min()} to {labels.max()}; labels are 0 to 255"
            )
    rows, columns = train.shape[1:]
    labelled = bool(given) and len(np.unique(arrays["train_labels"])) > 1
    return Own(len(train), len(test), (rows, columns), labelled)


# Reading is data/images.py's; but this stage must not depend on what reads for the trainings
def _read_idx(path: Path) -> np.ndarray:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = np.frombuffer(file.read(), np.uint8)
    except (OSError, EOFError, zlib.error) as error:
        raise NpvaeError(f"{path}: {' '.join(str(error).split())}") from None
    axes = int(content[3]) if len(content) >= 4 and content[:3].tolist() == [0, 0, 8] else 0
    header = 4 * (1 + axes)
    if not axes or len(content) < header:
        raise NpvaeError(f"{path}: not an idx file of bytes")
    shape = content[4:header].view(">u4").tolist()
    if len(content) != (stated := header + math.prod(shape)):
        raise NpvaeError(f"{path}: {len(content)} bytes instead of {stated}")
    return content[header:].reshape(shape)


def _idx(array: np.ndarray) -> bytes:
    """An idx file of bytes: magic number, shape, values."""
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.astype(np.uint8).tobytes()
