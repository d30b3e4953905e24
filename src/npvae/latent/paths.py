"""Paths between two points of a latent space."""

import torch
import torch.nn.functional as F
from torch import Tensor


def line(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """``steps`` points evenly between the ends, without them: ``[P, D], [P, D] -> [P, steps, D]``."""
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
