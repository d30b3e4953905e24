"""How close generated images come to real ones."""

import torch
from torch import Tensor


def median_bandwidth(points: Tensor) -> float:
    """The median distance between different points ``[N, D]``: the usual length scale of an MMD."""
    distances = torch.cdist(points, points)
    return float(distances[torch.ones_like(distances, dtype=torch.bool).triu(1)].median())


def mmd2(a: Tensor, b: Tensor, bandwidth: float, *, rows: int = 1_000) -> float:
    """Unbiased squared maximum mean discrepancy of two samples ``[N, D]``, ``[M, D]``; may be below zero.

    Gretton, Borgwardt, Rasch, Schoelkopf and Smola (2012), Eq. 3, with the kernel exp(-|a - b|^2 / (2 h^2)),
    in float64, ``rows`` points of one sample at a time.
    """
    a, b = a.double(), b.double()

    def total(x: Tensor, y: Tensor) -> float:
        kernels = ((torch.cdist(chunk, y).square() / (-2 * bandwidth**2)).exp() for chunk in x.split(rows))
        return sum(float(kernel.sum()) for kernel in kernels)

    def within(x: Tensor) -> float:
        return (total(x, x) - len(x)) / (len(x) * (len(x) - 1))

    return within(a) + within(b) - 2 * total(a, b) / (len(a) * len(b))


def opinion(probabilities: Tensor) -> dict[str, float]:
    """Mean ``confidence`` (largest probability) and mean ``entropy`` in nats of rows ``[N, classes]``."""
    return {
        "confidence": float(probabilities.amax(-1).mean()),
        "entropy": float(torch.special.entr(probabilities).sum(-1).mean()),
    }


def label_distance(probabilities: Tensor, labels: Tensor) -> float:
    """Total variation, in [0, 1], between histograms of labels told ``[N, classes]`` and given ``[M]``."""
    count = max(probabilities.shape[1], int(labels.max()) + 1)  # test images may have labels of their own
    told = torch.bincount(probabilities.argmax(-1), minlength=count).double() / len(probabilities)
    given = torch.bincount(labels, minlength=count).double() / len(labels)
    return float((told - given).abs().sum() / 2)
