"""How well a two-dimensional embedding keeps what one knows of the images."""

import torch
from sklearn.manifold import trustworthiness
from sklearn.metrics import silhouette_score
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

from npvae.data import Split


def digit_accuracy(
    train_points: Tensor, train_labels: Tensor, test_points: Tensor, test_labels: Tensor, *, neighbours: int
) -> float:
    """Share of test points whose digit most of their nearest training points have.

    Args:
        train_points: ``[M, D]``, an embedding.
        train_labels: ``[M]``.
        test_points: ``[N, D]``.
        test_labels: ``[N]``.
        neighbours: how many training points vote.
    """
    classifier = KNeighborsClassifier(neighbours).fit(train_points.cpu().numpy(), train_labels.cpu().numpy())
    return float(classifier.score(test_points.cpu().numpy(), test_labels.cpu().numpy()))


def embedding_measures(
    train: Split, test: Split, train_points: Tensor, test_points: Tensor, *, subset: int
) -> dict[str, float]:
    """``knn_1``, ``knn_10``, ``trustworthiness`` and ``silhouette`` of an embedding.

    Nearest-neighbour digit accuracy of the test images among the training images; trustworthiness (Venna
    and Kaski, 2001; k = 5) and the silhouette of the digits (Rousseeuw, 1987) on the first ``subset`` test
    images.

    Args:
        train: images and digits ``[M]``.
        test: images and digits ``[N]``.
        train_points: ``[M, D]``.
        test_points: ``[N, D]``.
        subset: how many test images the two quadratic measures take.
    """
    accuracies = {
        f"knn_{neighbours}": digit_accuracy(
            train_points, train.labels, test_points, test.labels, neighbours=neighbours
        )
        for neighbours in (1, 10)
    }
    images, points = test.images[:subset].cpu().numpy(), test_points[:subset].cpu().numpy()
    return accuracies | {
        "trustworthiness": float(trustworthiness(images, points, n_neighbors=5)),
        "silhouette": float(silhouette_score(points, test.labels[:subset].cpu().numpy())),
    }


def match_r2(mu: Tensor, predicted: Tensor) -> float:
    """R^2 of E[z] by z~: ``1 - sum |mu - z~|^2 / sum |mu - mean|^2``, from ``[N, Dz], [N, Dz]``."""
    mu, predicted = mu.double(), predicted.double()
    return float(1 - (mu - predicted).square().sum() / (mu - torch.mean(mu, 0)).square().sum())
