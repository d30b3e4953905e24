"""Paths between pairs of points, and what the judge sees along them."""

import torch
from torch import Tensor


def random_pairs(labels: Tensor, count: int, *, seed: int) -> Tensor:
    """Indices ``[count, 2]`` of pairs of images with different digits, from labels ``[N]``."""
    noise = torch.Generator().manual_seed(seed)
    # of random pairs, about a tenth show one digit
    pairs = torch.randint(len(labels), (2 * count + 100, 2), generator=noise)
    return pairs[labels.cpu()[pairs[:, 0]] != labels.cpu()[pairs[:, 1]]][:count]


def line(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """``steps`` points evenly between the ends, ends apart: ``[P, D], [P, D] -> [P, steps, D]``."""
    weight = torch.linspace(0, 1, steps + 2, dtype=start.dtype, device=start.device)[1:-1, None]
    return torch.lerp(start[:, None], end[:, None], weight)


def arc(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """The same along great circles, with the norm going evenly from one end's to the other's.

    A line between two points of a Gaussian in many dimensions passes where there is no mass (White, 2016).
    Posterior means differ in norm, so it is interpolated rather than kept.
    """
    weight = torch.linspace(0, 1, steps + 2, dtype=start.dtype, device=start.device)[1:-1, None]
    norms = start.norm(dim=-1, keepdim=True), end.norm(dim=-1, keepdim=True)
    a, b = start / norms[0].clamp_min(1e-12), end / norms[1].clamp_min(1e-12)
    angle = (a * b).sum(-1, keepdim=True).clamp(-1, 1).arccos().clamp_min(1e-6)[:, None]
    direction = (
        torch.sin((1 - weight) * angle) * a[:, None] + torch.sin(weight * angle) * b[:, None]
    ) / angle.sin()
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
