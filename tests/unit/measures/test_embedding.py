"""Measures of an embedding against their definitions, written out."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

from npvae.data.images import Split, grey, random_subset
from npvae.measures.embedding import digit_accuracy, map_measures, match_r2


@pytest.fixture
def embedded() -> tuple[Split, Split, Tensor, Tensor]:
    """Images with digits that overlap, and a noisy projection of them to two dimensions."""
    noise = torch.Generator().manual_seed(0)
    centres, projection = torch.rand(10, 784, generator=noise), torch.randn(784, 2, generator=noise)
    splits, points = [], []
    for count in (200, 50):
        labels = torch.randint(10, (count,), generator=noise)
        images = (centres[labels] + 0.3 * torch.rand(count, 784, generator=noise)) / 1.3
        splits.append(Split(images, labels))
        points.append(images @ projection + torch.randn(count, 2, generator=noise))
    return splits[0], splits[1], points[0], points[1]


def trustworthiness(images: Tensor, points: Tensor, k: int) -> float:
    """1 less a penalty for neighbours in the embedding by how far down the images' ranking they are."""
    count = len(images)
    among_images, among_points = (cdist(x, x).argsort(1) for x in (images.numpy(), points.numpy()))
    penalty = 0
    for image, order in enumerate(among_images):
        rank = {int(other): place for place, other in enumerate(order)}
        penalty += sum(max(0, rank[int(other)] - k) for other in among_points[image, 1 : k + 1])
    return 1 - 2 * penalty / (count * k * (2 * count - 3 * k - 1))


def silhouette(points: Tensor, labels: Tensor) -> float:
    """Mean of (b - a) / max(a, b): mean distance to one's own digit, a, and to the nearest other, b."""
    distances, digits = cdist(points.numpy(), points.numpy()), labels.numpy()
    values = []
    for point, digit in enumerate(digits):
        own = (digits == digit).sum() - 1
        a = distances[point, digits == digit].sum() / max(own, 1)
        b = min(distances[point, digits == other].mean() for other in set(digits) - {digit})
        values.append((b - a) / max(a, b) if own else 0.0)
    return float(np.mean(values))


def test_all_measures_follow_their_definitions(embedded: tuple[Split, Split, Tensor, Tensor]) -> None:
    train, test, train_points, test_points = embedded
    found = map_measures(test, test_points, subset=40, seed=3)
    chosen = random_subset(50, 40, seed=3)
    images, points, labels = test.images[chosen], test_points[chosen], test.labels[chosen]
    assert set(found) == {"trustworthiness", "silhouette"}
    assert found["trustworthiness"] == pytest.approx(trustworthiness(images, points, 5), abs=1e-9)
    assert found["silhouette"] == pytest.approx(silhouette(points, labels), abs=1e-5)
    order = cdist(test_points.numpy(), train_points.numpy()).argsort(1)
    for k in (1, 10):
        votes = [np.bincount(row, minlength=10) for row in train.labels.numpy()[order[:, :k]]]
        expected = np.mean(np.argmax(votes, 1) == test.labels.numpy())
        assert 0.1 < expected < 1
        accuracy = digit_accuracy(train_points, train.labels, test_points, test.labels, neighbours=k)
        assert accuracy == pytest.approx(expected)


@pytest.mark.parametrize("labels", [torch.zeros(50, dtype=torch.long), torch.arange(50)])
def test_where_no_image_has_a_neighbour_of_another_or_of_its_own_label_there_is_no_silhouette(
    labels: Tensor, embedded: tuple[Split, Split, Tensor, Tensor]
) -> None:
    _, test, _, points = embedded
    whole = map_measures(test, points, subset=40, seed=3)
    found = map_measures(Split(test.images, labels), points, subset=40, seed=3)
    assert found == {"trustworthiness": whole["trustworthiness"]}


def test_a_map_of_bytes_is_measured_as_one_of_their_grey_values(
    embedded: tuple[Split, Split, Tensor, Tensor],
) -> None:
    _, (images, labels), _, points = embedded
    stored = images.mul(255).byte()
    found, expected = (
        map_measures(Split(one, labels), points, subset=30, seed=0) for one in (stored, grey(stored))
    )
    assert found == expected


def test_the_most_votes_win() -> None:
    train, labels = torch.tensor([[0.0], [1.0], [1.1], [9.0]]), torch.tensor([7, 3, 3, 5])
    test, digit = torch.tensor([[0.2]]), torch.tensor([3])
    assert digit_accuracy(train, labels, test, digit, neighbours=1) == 0
    assert digit_accuracy(train, labels, test, digit, neighbours=3) == 1


def test_of_equally_many_votes_the_smallest_digit_wins() -> None:
    train, labels = torch.tensor([[0.0], [0.1], [0.2], [0.3]]), torch.tensor([8, 2, 8, 2])
    assert digit_accuracy(train, labels, torch.tensor([[0.0]]), torch.tensor([2]), neighbours=4) == 1


@pytest.mark.parametrize("dimensions", [3, 40])
def test_digit_accuracy_is_scikit_learns(dimensions: int) -> None:
    noise = torch.Generator().manual_seed(0)
    train, test = torch.randn(500, dimensions, generator=noise), torch.randn(200, dimensions, generator=noise)
    labels, digits = (points[:, :2].norm(dim=-1).mul(3).long().clamp_max(9) for points in (train, test))
    expected = KNeighborsClassifier(10).fit(train.numpy(), labels.numpy()).score(test.numpy(), digits.numpy())
    assert digit_accuracy(train, labels, test, digits, neighbours=10) == pytest.approx(expected)


def test_r2_is_one_for_itself_and_zero_for_the_mean() -> None:
    mu = torch.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 8.0]])
    assert match_r2(mu, mu) == 1
    assert match_r2(mu, mu.mean(0).expand(3, -1)) == pytest.approx(0)


def test_r2_is_of_all_dimensions_together_and_negative_for_worse_than_the_mean() -> None:
    noise = torch.Generator().manual_seed(0)
    mu = torch.randn(30, 4, generator=noise) * torch.tensor([10.0, 1, 0.1, 0]) + 100
    predicted = mu + torch.randn(30, 4, generator=noise)
    exact, guess = mu.double().numpy(), predicted.double().numpy()
    expected = 1 - ((exact - guess) ** 2).sum() / (exact.var(0) * 30).sum()
    assert match_r2(mu, predicted) == pytest.approx(expected, rel=1e-6)
    assert match_r2(mu, -mu) < 0
