"""What the classifier sees along paths between pairs of images."""

import torch
from torch import Tensor

from npvae.errors import NpvaeError


def random_pairs(labels: Tensor, count: int, *, seed: int) -> Tensor:
    """Indices ``[count, 2]`` of pairs of images with different labels, from labels ``[N]``.

    Raises:
        NpvaeError: all images have one label.
    """
    labels = labels.cpu()
    if len(labels.unique()) < 2:
        raise NpvaeError("no pairs of different labels: all images have one label")
    noise = torch.Generator().manual_seed(seed)
    found = torch.empty(0, 2, dtype=torch.long)
    while len(found) < count:
        # of random pairs of MNIST, about a tenth show one digit
        pairs = torch.randint(len(labels), (2 * count + 100, 2), generator=noise)
        found = torch.cat([found, pairs[labels[pairs[:, 0]] != labels[pairs[:, 1]]]])
    return found[:count]


def digit_changes(probabilities: Tensor) -> float:
    """How often, on average, the classified digit changes along a path: ``[P, T, classes]`` -> a count."""
    digits = probabilities.argmax(-1)
    return float((digits[:, 1:] != digits[:, :-1]).double().sum(1).mean())


def third_digits(probabilities: Tensor, digits: Tensor) -> float:
    """Share of images ``[P, classes]`` that show neither of the digits ``[P, 2]`` between which they lie."""
    told = probabilities.argmax(-1, keepdim=True)
    return float((told != digits).all(-1).double().mean())


def unevenness(images: Tensor) -> float:
    """Mean over paths of the largest step over the mean step between consecutive images ``[P, T, pixels]``.

    1 where all steps are alike; T - 1 where all of the change is one jump.
    """
    steps = (images[:, 1:] - images[:, :-1]).norm(dim=-1)
    return float((steps.amax(1) / steps.mean(1).clamp_min(1e-12)).mean())
