"""Widths that leave-one-out prediction chooses: l for z~, and that of a kernel density."""

import math
from collections.abc import Callable

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

from npvae.data.images import random_subset


@torch.no_grad()
def leave_one_out_length_scale(x: Tensor, z: Tensor, *, start: Tensor, images: int = 500) -> Tensor:
    """The l with which images are predicted best from all others: a scalar.

    It minimises the mean ``|z_i - sum_{j != i} W_ij z_j|^2`` (Eq. 4) over some images i that are drawn, j
    running over all: the l that is learned among the images of a batch is too wide among 55,000.

    Args:
        x: locations ``[M, Dx]``.
        z: posterior means ``[M, Dz]``.
        start: an l; looked for is one between a 64th and four times of it.
        images: how many are predicted.
    """
    chosen = random_subset(len(x), images, seed=0).to(x.device)
    squared = _squared_distances(x, chosen)

    def error(log_scale: float) -> float:
        weights = (squared * (-0.5 * math.exp(-2 * log_scale))).softmax(-1)
        return float((z[chosen] - weights @ z).square().sum(-1).mean())

    return start.new_tensor(_minimise(error, math.log(float(start)) + math.log(4)))


@torch.no_grad()
def density_width(points: Tensor, *, images: int = 500) -> float:
    """The width h of the Gaussian kernel density that explains points best from all others.

    It maximises the mean ``log 1/(M - 1) sum_{j != i} N(p_i; p_j, h^2 I)`` over some points that are drawn.

    Args:
        points: ``[M, D]``.
        images: how many points are explained.
    """
    chosen = random_subset(len(points), images, seed=0).to(points.device)
    squared = _squared_distances(points, chosen)
    dimensions, nearest = points.shape[1], squared.amin(-1, keepdim=True)

    def surprise(log_width: float) -> float:
        # torch's own logsumexp, not being vectorised, takes ten times as long
        precision = math.exp(-2 * log_width)
        sums = ((squared - nearest) * (-0.5 * precision)).exp_().sum(-1)
        return float(dimensions * log_width + (0.5 * precision * nearest[:, 0] - sums.log()).mean())

    return _minimise(surprise, math.log(float(points.std(0).square().sum().sqrt())))


def _minimise(function: Callable[[float], float], highest: float) -> float:
    """The argument whose logarithm, in the eight octaves below ``highest``, minimises a function of it."""
    bounds = (highest - math.log(2**8), highest)
    found = minimize_scalar(function, bounds=bounds, method="bounded", options={"xatol": 0.01})
    return math.exp(found.x)


def _squared_distances(points: Tensor, chosen: Tensor) -> Tensor:
    """Of chosen points to all, ``[N, M]``; infinite to themselves."""
    squared = torch.cdist(points[chosen].double(), points.double()).square().to(points.dtype)
    squared[torch.arange(len(chosen), device=points.device), chosen] = math.inf
    return squared
