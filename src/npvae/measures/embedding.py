"""How well a two-dimensional embedding keeps what one knows of the images."""

import torch
from scipy.spatial import KDTree
from sklearn.manifold import trustworthiness
from sklearn.metrics import silhouette_score
from torch import Tensor
from torch.nn.functional import one_hot

from npvae.data import Split, random_subset
from npvae.measures.neighbours import Neighbours


def digit_accuracy(
    train_points: Tensor, train_labels: Tensor, test_points: Tensor, test_labels: Tensor, *, neighbours: int
) -> float:
    """Share of test points whose digit most of their nearest training points have (of equals, the least).

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
    return float((votes.argmax(1) == test_labels).double().mean())


def embedding_measures(
    train: Split, test: Split, train_points: Tensor, test_points: Tensor, *, subset: int, seed: int
) -> dict[str, float]:
    """``knn_1``, ``knn_10``, ``trustworthiness`` and ``silhouette`` of an embedding.

    Nearest-neighbour digit accuracy of the test images among the training images; trustworthiness (Venna
    and Kaski, 2001; k = 5) and the silhouette of the digits (Rousseeuw, 1987) on ``subset`` test images
    that are drawn.

    Args:
        train: images and digits ``[M]``.
        test: images and digits ``[N]``.
        train_points: ``[M, D]``.
        test_points: ``[N, D]``.
        subset: how many test images the two quadratic measures take.
        seed: of their draw.
    """
    accuracies = {
        f"knn_{neighbours}": digit_accuracy(
            train_points, train.labels, test_points, test.labels, neighbours=neighbours
        )
        for neighbours in (1, 10)
    }
    chosen = random_subset(len(test.labels), subset, seed=seed).to(test.labels.device)
    images, points, digits = (one[chosen].cpu().numpy() for one in (test.images, test_points, test.labels))
    return accuracies | {
        "trustworthiness": float(trustworthiness(images, points, n_neighbors=5)),
        "silhouette": float(silhouette_score(points, digits)),
    }


def match_r2(mu: Tensor, predicted: Tensor) -> float:
    """R^2 of E[z] by z~: ``1 - sum |mu - z~|^2 / sum |mu - mean|^2``, from ``[N, Dz], [N, Dz]``."""
    mu, predicted = mu.double(), predicted.double()
    return float(1 - (mu - predicted).square().sum() / (mu - torch.mean(mu, 0)).square().sum())
