"""How well a two-dimensional embedding keeps what one knows of the images."""

import torch
from scipy.spatial import KDTree
from sklearn.manifold import trustworthiness
from sklearn.metrics import silhouette_score
from torch import Tensor
from torch.nn.functional import one_hot

from npvae.data.images import Split, grey, random_subset
from npvae.measures.neighbours import Neighbours


def digits_told(
    train_points: Tensor, train_labels: Tensor, test_points: Tensor, test_labels: Tensor, *, neighbours: int
) -> Tensor:
    """Which test points have the digit that most of their nearest training points have: ``[N]``, bool.

    Of digits that equally many have, the least is told.

    Args:
        train_points: ``[M, D]``, an embedding.
        train_labels: ``[M]``.
        test_points: ``[N, D]``.
        test_labels: ``[N]``.
        neighbours: how many training points vote.
    """
    if train_points.shape[1] > 15:  # where trees are slow
        nearest = Neighbours(train_points).nearest(test_points, neighbours)[1]
    else:
        tree = KDTree(train_points.cpu().numpy())
        nearest = torch.from_numpy(tree.query(test_points.cpu().numpy(), list(range(1, neighbours + 1)))[1])
    votes = one_hot(train_labels[nearest.to(train_labels.device)]).sum(1)
    return votes.argmax(1) == test_labels


def digit_accuracy(
    train_points: Tensor, train_labels: Tensor, test_points: Tensor, test_labels: Tensor, *, neighbours: int
) -> float:
    """Share of test points whose digit their nearest training points tell; see :func:`digits_told`."""
    told = digits_told(train_points, train_labels, test_points, test_labels, neighbours=neighbours)
    return float(told.double().mean())


def map_measures(test: Split, points: Tensor, *, subset: int, seed: int) -> dict[str, float]:
    """``trustworthiness`` and ``silhouette`` of a map of two dimensions.

    Trustworthiness (Venna and Kaski, 2001; k = 5) and the silhouette of the digits (Rousseeuw, 1987), on
    ``subset`` test images that are drawn: both are quadratic. There is no silhouette where all of them have
    one label, or each its own.

    Args:
        test: images and digits ``[N]``.
        points: ``[N, D]``, where they lie.
        subset: how many of them are taken.
        seed: of their draw.
    """
    chosen = random_subset(len(test.labels), subset, seed=seed).to(test.labels.device)
    images = grey(test.images[chosen]).cpu().numpy()
    places, digits = (one[chosen].cpu().numpy() for one in (points, test.labels))
    found = {"trustworthiness": float(trustworthiness(images, places, n_neighbors=5))}
    if 1 < len(set(digits.tolist())) < len(digits):
        found["silhouette"] = float(silhouette_score(places, digits))
    return found


def match_r2(mu: Tensor, predicted: Tensor) -> float:
    """R^2 of E[z] by z~: ``1 - sum |mu - z~|^2 / sum |mu - mean|^2``, from ``[N, Dz], [N, Dz]``."""
    mu, predicted = mu.double(), predicted.double()
    return float(1 - (mu - predicted).square().sum() / (mu - torch.mean(mu, 0)).square().sum())
