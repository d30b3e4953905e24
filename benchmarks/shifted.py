"""As many images as one likes: MNIST's, each turned and shifted a little, as idx files of a user's own."""

import math
import shutil
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from npvae.data.images import read_idx
from npvae.data.sources import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS

DEGREES, SHIFT = 10, 2  # at most, and in pixels at most


def write(folder: Path, mnist: Path, count: int, *, seed: int = 0, rows: int = 10_000) -> None:
    """Write ``count`` training images and MNIST's test images, all with their digits.

    Args:
        folder: made if need be.
        mnist: folder of MNIST's four files.
        count: how many; MNIST's training images take turns.
        seed: of the turns and shifts.
        rows: images in memory at a time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file in (TEST_IMAGES, TEST_LABELS):
        shutil.copy(mnist / file, folder / file)
    images, digits = read_idx(mnist / TRAIN_IMAGES), read_idx(mnist / TRAIN_LABELS)
    random = torch.Generator().manual_seed(seed)
    with (folder / TRAIN_IMAGES).open("wb") as to_images, (folder / TRAIN_LABELS).open("wb") as to_labels:
        to_images.write(_header(count, *images.shape[1:]))
        to_labels.write(_header(count))
        for start in range(0, count, rows):
            chosen = np.arange(start, min(start + rows, count)) % len(images)
            to_images.write(_moved(torch.from_numpy(images[chosen]), random).numpy().tobytes())
            to_labels.write(digits[chosen].tobytes())


def _header(*shape: int) -> bytes:
    return bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()


def _moved(images: Tensor, random: torch.Generator) -> Tensor:
    """Images ``[N, 28, 28]``, uint8, each turned about its middle and shifted."""
    count, side = images.shape[:2]
    angle = (2 * torch.rand(count, generator=random) - 1) * math.radians(DEGREES)
    shift = (2 * torch.rand(count, 2, generator=random) - 1) * 2 * SHIFT / side  # the image is 2 wide
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], -1).view(-1, 2, 2)
    grid = F.affine_grid(torch.cat([turn, shift[..., None]], -1), [count, 1, side, side], align_corners=False)
    return F.grid_sample(images[:, None].float(), grid, align_corners=False)[:, 0].round().byte()
