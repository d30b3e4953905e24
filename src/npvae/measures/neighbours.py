"""Nearest neighbours in many dimensions."""

import torch
from torch import Tensor

from npvae.data.images import grey, in_batches


class Neighbours:
    """Points ``[M, D]`` whose nearest to others are asked for, by Euclidean distance.

    Distances in the leading principal components, which are cheap, choose candidates; exact distances choose
    among them. Of MNIST, 128 components leave out 6 % of the variance, and of 2,100 test, generated and
    interpolated images, none missed its nearest with 15 candidates to spare.

    Args:
        points: ``[M, D]``, floats, or images as uint8, which stand for grey values and stay as they are.
        components: how many principal components choose the candidates.
        rows: points at a time.
    """

    def __init__(self, points: Tensor, *, components: int = 128, rows: int = 5_000) -> None:
        self.points = points
        self._mean = torch.stack([grey(chunk).sum(0) for chunk in points.split(rows)]).sum(0) / len(points)
        covariance = sum((centred := grey(chunk) - self._mean).T @ centred for chunk in points.split(rows))
        # eigenvalues ascend
        self._axes = torch.linalg.eigh(covariance).eigenvectors[:, -components:]
        self._projected = in_batches(lambda chunk: (grey(chunk) - self._mean) @ self._axes, points, rows).T
        self._norms = in_batches(lambda chunk: (grey(chunk) - self._mean).square().sum(-1), points, rows)

    def project(self, queries: Tensor) -> Tensor:
        """Leading principal components, those of the points: ``[N, D] -> [N, components]``."""
        return in_batches(lambda chunk: (grey(chunk) - self._mean) @ self._axes, queries)

    def nearest(
        self, queries: Tensor, count: int = 1, *, spare: int = 15, rows: int = 200
    ) -> tuple[Tensor, Tensor]:
        """Distances and indices of the ``count`` nearest points, the nearest first: ``[N, D] -> [N, count]``.

        Args:
            queries: ``[N, D]``.
            count: at most M.
            spare: how many candidates more than ``count``.
            rows: queries at a time.
        """
        candidates = min(count + spare, len(self.points))
        distances, indices = [], []
        for chunk in map(grey, queries.split(rows)):
            projected = (chunk - self._mean) @ self._axes
            # the squared distances less what is the same for all points
            rough = torch.addmm(self._norms, projected, self._projected, alpha=-2)
            chosen = rough.topk(candidates, largest=False).indices
            exact = (chunk[:, None] - grey(self.points[chosen])).square().sum(-1)
            squared, order = exact.topk(count, largest=False)
            distances.append(squared.sqrt())
            indices.append(chosen.gather(1, order))
        return torch.cat(distances), torch.cat(indices)
