"""Images and labels still in their files, of whatever kind: what they are, and what reads their bytes."""

import gzip
import io
import math
import os
import warnings
import zipfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from PIL import Image

from npvae.data.sources import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, find
from npvae.errors import NpvaeError
from npvae.files import reading

ARRAYS = {
    "train_images": TRAIN_IMAGES,
    "train_labels": TRAIN_LABELS,
    "test_images": TEST_IMAGES,
    "test_labels": TEST_LABELS,
}
LABELS = ("train_labels", "test_labels")
FORMS = (
    "give an .npz file, np.savez(FILE, train_images=..., test_images=...), with train_labels and test_labels "
    "if there are any; or a folder: of such arrays as .npy, of idx files, or of pictures in train/ and test/ "
    "(there, in folders by label if there are any)"
)
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")  # of pictures: eight bits a colour, or one
_AXES = 3  # at most, of an idx file of images


class Stored(NamedTuple):
    """An array that is still in its file: what is said of it there, and what reads the bytes after that.

    Args:
        name: for messages.
        dtype: of its values.
        shape: as stated, which the bytes have yet to prove.
        read: gives so many of the next bytes, fewer at the end.
        columns_first: in Fortran's order.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    read: Callable[[int], bytes]
    columns_first: bool = False


class Source(NamedTuple):
    """What lies in a user's source: arrays by the names of :data:`ARRAYS`, and what labels 0, 1, ... mean."""

    arrays: dict[str, Stored]
    names: tuple[str, ...] = ()


def in_npz(source: Path, opened: ExitStack) -> Source:
    """The arrays of an ``.npz`` file; nothing is unpickled.

    Raises:
        NpvaeError: it is broken, or has not the right arrays; it is named.
    """
    with reading(source, "an .npz file"):
        file = opened.enter_context(zipfile.ZipFile(source))
    there = {name.removesuffix(".npy"): name for name in file.namelist()}
    if absent := [array for array in ("train_images", "test_images") if array not in there]:
        names = f"; there are {' '.join(', '.join(there).split())}" if there else ""
        raise NpvaeError(f"{source}: no array {' and '.join(absent)}{names}")
    if unknown := there.keys() - ARRAYS:
        names = " ".join(", ".join(sorted(unknown)).split())
        known = ", ".join(ARRAYS)
        raise NpvaeError(f"{source}: unknown array {names}; leave it out, or call it one of {known}")
    return Source(
        {
            array: _in_npy(f"{source}: {array}", partial(file.open, name), opened)
            for array, name in there.items()
        }
    )


def in_folder(source: Path, opened: ExitStack) -> Source:
    """The arrays of a folder: of ``.npy`` or idx files, or of pictures in ``train`` and ``test``.

    Raises:
        NpvaeError: something is missing or broken; it is named.
    """
    if not source.is_dir():
        raise NpvaeError(f"{source}: {FORMS}")
    if (source / "train").is_dir() and (source / "test").is_dir():
        if (source / "train_images.npy").exists():
            raise NpvaeError(f"{source}: pictures and arrays; leave one of them there")
        return _in_pictures(source)
    arrays = {}
    for array, file in ARRAYS.items():
        if (path := source / f"{array}.npy").is_file():
            arrays[array] = _in_npy(str(path), partial(_binary, path), opened)
            continue
        try:
            found = find(source, file)
        except NpvaeError as error:
            if array in LABELS:
                continue
            raise NpvaeError(f"{error}; {FORMS}") from None
        arrays[array] = in_idx(found, opened)
    return Source(arrays)


# Reading is data/images.py's; but this stage must not depend on what reads for the trainings
def in_idx(path: Path, opened: ExitStack) -> Stored:
    """The array of an idx file, plain or gzipped.

    Raises:
        NpvaeError: it is none of bytes; it is named.
    """
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
    return Stored(str(path), np.dtype(np.uint8), shape, read)


def _binary(path: Path) -> IO[bytes]:
    return path.open("rb")


def _in_npy(name: str, open_it: Callable[[], IO[bytes]], opened: ExitStack) -> Stored:
    with reading(name, "an array"):
        content = opened.enter_context(open_it())
        version = np.lib.format.read_magic(content)
        read_header = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, columns_first, dtype = read_header(content)
    return Stored(name, dtype, shape, content.read, columns_first)


def _in_pictures(source: Path) -> Source:
    """As torchvision's ``ImageFolder`` takes them: of one size, made grey; labels are names of folders."""
    pictures = {part: _pictures(source / part) for part in ("train", "test")}
    if not pictures["train"]:
        raise NpvaeError(f"{source}/train: no pictures")
    names = sorted({label for _, label in pictures["train"] if label is not None})
    if strange := {label for _, label in pictures["test"] if label is not None} - set(names):
        raise NpvaeError(f"{source}/test/{min(strange)}: a label that no training picture has")
    if len(names) > 256:
        raise NpvaeError(f"{source}/train: {len(names)} folders, and there can be 256 labels")
    numbers = all(name.isdecimal() and int(name) < 256 for name in names)
    if numbers and len({*map(int, names)}) < len(names):
        raise NpvaeError(f"{source}/train: two folders of one number, such as 1 and 01")
    labels = {name: int(name) if numbers else index for index, name in enumerate(names)}
    shape = _grey(pictures["train"][0][0]).shape
    arrays = {}
    for part, found in pictures.items():
        stacked = _reader(_grey(path, shape).tobytes() for path, _ in found)
        arrays[f"{part}_images"] = Stored(
            f"{source}/{part}", np.dtype(np.uint8), (len(found), *shape), stacked
        )
        given = bytes(labels[label] for _, label in found if label is not None)
        if given:
            arrays[f"{part}_labels"] = Stored(
                f"{source}/{part}", np.dtype(np.uint8), (len(given),), io.BytesIO(given).read
            )
    return Source(arrays, () if numbers else tuple(names))


def _pictures(folder: Path) -> list[tuple[Path, str | None]]:
    """The pictures of a folder, in order, each with the name of its folder therein; other files are left."""
    labels = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    loose = _in_order(folder)
    if labels and loose:
        raise NpvaeError(f"{loose[0]}: lies beside folders, which stand for labels; put it into one")
    deep = [path for label in labels for path in label.iterdir() if path.is_dir() and path.name[0] != "."]
    if deep:
        raise NpvaeError(f"{deep[0]}: a folder in the folder of a label, and not read; move its pictures up")
    return [(path, None) for path in loose] + [
        (path, label.name) for label in labels for path in _in_order(label)
    ]


def _in_order(folder: Path) -> list[Path]:
    known = Image.registered_extensions()
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in known and path.is_file() and not path.name.startswith(".")
    )


def _grey(path: Path, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """A picture's grey values ``[rows, columns]``, of the shape if one is given, as its header says."""
    with reading(path, "a picture"), warnings.catch_warnings(action="ignore"), Image.open(path) as picture:
        if picture.mode not in _MODES:
            raise ValueError(f"of mode {picture.mode}, and not of eight bits a colour")
        if getattr(picture, "n_frames", 1) > 1:
            raise ValueError("several pictures in one")
        if picture.has_transparency_data and np.asarray(picture.convert("RGBA"))[..., 3].min() < 255:
            raise ValueError("transparent, so what it shows depends on what lies behind it")
        if shape and picture.size != shape[::-1]:
            this, first = (" x ".join(map(str, one)) for one in (picture.size[::-1], shape))
            raise NpvaeError(f"{path}: of {this} pixels, and the first of {first}")
        return np.asarray(picture.convert("L"))


def _reader(pieces: Iterable[bytes]) -> Callable[[int], bytes]:
    """What reads them one after the other, as if they were a file."""
    left, iterator = bytearray(), iter(pieces)

    def read(size: int) -> bytes:
        while len(left) < size and (piece := next(iterator, None)):
            left.extend(piece)
        taken = bytes(left[:size])
        del left[:size]
        return taken

    return read
