"""Paths between pairs of points, and what the judge sees along them."""

import torch
import torch.nn.functional as F
from torch import Tensor

from npvae.errors import NpvaeError


def random_pairs(labels: Tensor, count: int, *, seed: int) -> Tensor:
    """Indices ``[count, 2]`` of pairs of images with different digits, from labels ``[N]``.

    Raises:
        NpvaeError: all images show one digit.
    """
    labels = labels.cpu()
    if len(labels.unique()) < 2:
        raise NpvaeError("no pairs of different digits: all images show one digit")
    noise = torch.Generator().manual_seed(seed)
    found = torch.empty(0, 2, dtype=torch.long)
    while len(found) < count:
        # of random pairs of MNIST, about a tenth show one digit
        pairs = torch.randint(len(labels), (2 * count + 100, 2), generator=noise)
        found = torch.cat([found, pairs[labels[pairs[:, 0]] != labels[pairs[:, 1]]]])
    return found[:count]


def line(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """``steps`` points evenly between the ends, ends apart: ``[P, D], [P, D] -> [P, steps, D]``."""
    weight = torch.linspace(0, 1, steps + 2, dtype=start.dtype, device=start.device)[1:-1, None]
    return torch.lerp(start[:, None], end[:, None], weight)


def arc(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """The same along great circles, with the norm going evenly from one end's to the other's.

    A line between two points of a Gaussian in many dimensions passes where there is no mass (White, 2016).
    Posterior means differ in norm, so it is interpolated rather than kept. Between exactly
    opposite directions no circle is singled out, and the path runs straight through the origin.
    """
    weight = torch.linspace(0, 1, steps + 2, dtype=start.dtype, device=start.device)[1:-1, None]
    norms = start.norm(dim=-1, keepdim=True), end.norm(dim=-1, keepdim=True)
    a, b = start / norms[0].clamp_min(1e-12), end / norms[1].clamp_min(1e-12)
    # from the bisector and the chord, which are orthogonal: the cosine of the angle rounds to 1 or -1 well
    # before the directions are parallel or opposite, and dividing by its sine then gives points of any norm
    middle, across = a + b, b - a
    half = torch.atan2(across.norm(dim=-1, keepdim=True), middle.norm(dim=-1, keepdim=True))[:, None]
    turned = (2 * weight - 1) * half
    direction = turned.cos() * F.normalize(middle, dim=-1)[:, None]
    direction = direction + turned.sin() * F.normalize(across, dim=-1)[:, None]
    return direction * torch.lerp(norms[0][:, None], norms[1][:, None], weight)


def digit_changes(probabilities: Tensor) -> float:
    """How often, on average, the judged digit changes along a path: ``[P, T, 10]`` -> a count."""
    digits = probabilities.argmax(-1)
    return float((digits[:, 1:] != digits[:, :-1]).double().sum(1).mean())


def unevenness(images: Tensor) -> float:
    """Mean over paths of the largest step over the mean step between consecutive images ``[P, T, pixels]``.

    1 where all steps are alike; T - 1 where all of the change is one jump.
    """
    steps = (images[:, 1:] - images[:, :-1]).norm(dim=-1)
    return float((steps.amax(1) / steps.mean(1).clamp_min(1e-12)).mean())
