"""Images: read from idx files, kept as the bytes that they are, made grey values when they are used."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from npvae.errors import NpvaeError
from npvae.settings import MNIST_SHAPE, Data

_LONGEST_HEADER = 4 * (1 + 4)  # of colour images; longer ones are no idx files of images or labels


class Split(NamedTuple):
    """Images ``[N, pixels]``, uint8 as stored (or float grey values in [0, 1]), and digits ``[N]``, int64."""

    images: Tensor
    labels: Tensor

    @property
    def labelled(self) -> bool:
        """Whether the labels tell anything: not where all are the same, as of a user's images without any."""
        return bool((self.labels != self.labels[0]).any())

    def to(self, device: torch.device) -> "Split":
        """The same on ``device``."""
        return Split(self.images.to(device), self.labels.to(device))

    def draw(self, count: int, *, seed: int) -> "Split":
        """``count`` images drawn by :func:`random_subset`; MNIST's own order is not a random one."""
        chosen = random_subset(len(self.labels), count, seed=seed).to(self.labels.device)
        return Split(self.images[chosen], self.labels[chosen])


def random_subset(total: int, count: int, *, seed: int) -> Tensor:
    """Indices ``[count]`` of some of ``total`` items, no two the same; all in order if there are no more."""
    if count >= total:
        return torch.arange(total)
    return torch.randperm(total, generator=torch.Generator().manual_seed(seed))[:count]


def grey(images: Tensor) -> Tensor:
    """Grey values in [0, 1] of images, same shape: uint8 divided by 255, bool as 0 and 1, floats as they are.

    Raises:
        NpvaeError: images of another type, whose scale nobody can know.
    """
    if images.dtype == torch.uint8:
        return images.float().div_(255)
    if images.dtype == torch.bool:
        return images.float()
    if images.is_floating_point():
        return images
    kind = str(images.dtype).removeprefix("torch.")
    raise NpvaeError(f"images of type {kind}: give uint8 (0 to 255), bool or floats in [0, 1]")


def require_grey(images: Tensor) -> None:
    """Check, once for a whole set, what :func:`grey` takes on trust batch by batch.

    Raises:
        NpvaeError: floats that are NaN or outside [0, 1], or images of a type without a known scale.
    """
    grey(images[:1])
    if images.is_floating_point() and len(images):
        low, high = images.amin().item(), images.amax().item()
        if not (low >= 0 and high <= 1):
            raise NpvaeError(f"images with values from {low:g} to {high:g}: grey values must be in [0, 1]")


@torch.no_grad()
def in_batches(function: Callable[[Tensor], Tensor], images: Tensor, batch_size: int = 1_000) -> Tensor:
    """``function`` of all images, ``[N, ...] -> [N, ...]``, a batch at a time, without gradients."""
    return torch.cat([function(batch) for batch in images.split(batch_size)])


def read_idx(path: Path) -> np.ndarray:
    """The array of bytes in an idx file, of the shape that its header states.

    Raises:
        NpvaeError: the file is missing, no idx file of bytes, or not of the length that its header states.
    """
    try:
        with path.open("rb") as file:
            start, size = file.read(_LONGEST_HEADER), os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        raise NpvaeError(f"{path}: missing; run `npvae data` first") from None
    except OSError as error:
        raise NpvaeError(f"{path}: {str(error.strerror).lower()}") from None
    axes = start[3] if len(start) > 3 and start.startswith(b"\0\0\x08") else 0
    header = 4 * (1 + axes)
    if not axes or len(start) < header:
        raise NpvaeError(f"{path}: not an idx file of bytes")
    shape = np.frombuffer(start, ">u4", axes, offset=4).tolist()
    if size != (stated := header + math.prod(shape)):  # known before any memory is taken
        raise NpvaeError(f"{path}: {size} bytes instead of {stated}")
    if not all(shape):
        raise NpvaeError(f"{path}: nothing is in it, by its shape {shape}")
    return np.fromfile(path, np.uint8, offset=header).reshape(shape)


def load_train_images(
    folder: Path, *, skip: int = 5_000, count: int = 55_000, shape: tuple[int, int] = MNIST_SHAPE
) -> Tensor:
    """``count`` of the training images after the first ``skip``: ``[count, pixels]``, uint8.

    Raises:
        NpvaeError: there are fewer, they have another shape, or see :func:`read_idx`.
    """
    return _images(folder / "train-images-idx3-ubyte", skip, count, shape)


def load_train(
    folder: Path, *, skip: int = 5_000, count: int = 55_000, shape: tuple[int, int] = MNIST_SHAPE
) -> Split:
    """The training images and their digits; see :func:`load_train_images`."""
    images = load_train_images(folder, skip=skip, count=count, shape=shape)
    return Split(images, _labels(folder / "train-labels-idx1-ubyte", skip, count))


def load_test(folder: Path, *, count: int = 10_000, shape: tuple[int, int] = MNIST_SHAPE) -> Split:
    """The first ``count`` test images and their digits; errors as of :func:`load_train_images`."""
    images = _images(folder / "t10k-images-idx3-ubyte", 0, count, shape)
    return Split(images, _labels(folder / "t10k-labels-idx1-ubyte", 0, count))


def load_splits(folder: Path, data: Data | None = None) -> tuple[Split, Split]:
    """Training and test images; see :func:`load_train` and :func:`load_test`."""
    data = data or Data()
    train = load_train(folder, skip=data.validation_images, count=data.train_images, shape=data.image_shape)
    return train, load_test(folder, count=data.test_images, shape=data.image_shape)


def _images(path: Path, skip: int, count: int, shape: tuple[int, int]) -> Tensor:
    images = _enough(path, skip, count)
    if images.shape[1:] != shape:
        raise NpvaeError(
            f"{path}: images of shape {list(images.shape[1:])}, and data.image_shape is {list(shape)}"
        )
    return torch.from_numpy(images.reshape(len(images), -1))


def _labels(path: Path, skip: int, count: int) -> Tensor:
    labels = _enough(path, skip, count)
    if labels.ndim != 1:
        raise NpvaeError(f"{path}: not one label an image, but an array of shape {list(labels.shape)}")
    return torch.from_numpy(labels.astype(np.int64))


def _enough(path: Path, skip: int, count: int) -> np.ndarray:
    everything = read_idx(path)
    if len(everything) < skip + count:
        raise NpvaeError(f"{path}: {len(everything)} images, and params.yaml asks for {skip + count}")
    return everything[skip : skip + count]
