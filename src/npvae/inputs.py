"""What the stages read alike: MNIST as params.yaml splits it, on the device that they run on."""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from npvae.data import Split, load_splits, random_subset
from npvae.params import Params


class Inputs(NamedTuple):
    """The images, and ``reference``: indices ``[M]`` of the training images that z~ sums over."""

    train: Split
    test: Split
    reference: Tensor


def fastest_device() -> torch.device:
    """A GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def read_inputs(params: Params, folder: Path, device: torch.device | str = "cpu") -> Inputs:
    """Read MNIST's files in ``folder``; every stage draws the same reference images.

    Raises:
        NpvaeError: a file is missing or truncated.
    """
    train, test = (
        split.to(torch.device(device)) for split in load_splits(folder, **params.data.model_dump())
    )
    reference = random_subset(len(train.labels), params.predict.reference_images, seed=0)
    return Inputs(train, test, reference.to(device))
