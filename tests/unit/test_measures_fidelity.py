"""MMD, nearest images and the judge's opinion against float64 references and limits that are known."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist, pdist

from npvae.measures.fidelity import label_distance, median_bandwidth, mmd2, nearest_distance, opinion


def test_mmd_of_normals_is_its_closed_form() -> None:
    # E k(a, b) of N(m, s^2), N(n, t^2): h / sqrt(v) exp(-(m - n)^2 / (2 v)), v = h^2 + s^2 + t^2
    def expectation(m: float, s: float, n: float, t: float) -> float:
        v = h**2 + s**2 + t**2
        return h / math.sqrt(v) * math.exp(-((m - n) ** 2) / (2 * v))

    h = 1.5
    noise = torch.Generator().manual_seed(0)
    a = torch.randn(3_000, 1, generator=noise)
    b = 1 + 0.5 * torch.randn(2_500, 1, generator=noise)
    expected = expectation(0, 1, 0, 1) + expectation(1, 0.5, 1, 0.5) - 2 * expectation(0, 1, 1, 0.5)
    assert expected > 0.1
    assert mmd2(a, b, h) == pytest.approx(expected, abs=0.02)


def test_mmd_of_float32_features_far_from_the_origin_is_float64s() -> None:
    noise = torch.Generator().manual_seed(0)
    a, b = (torch.randn(40, 8, generator=noise) + 300 for _ in range(2))
    left, right, h = a.double().numpy(), b.double().numpy(), 4.0
    within = [np.exp(-(pdist(x) ** 2) / (2 * h**2)).mean() for x in (left, right)]
    expected = sum(within) - 2 * np.exp(-(cdist(left, right) ** 2) / (2 * h**2)).mean()
    assert mmd2(a, b, h) == pytest.approx(expected, abs=1e-9)


def test_the_unbiased_mmd_can_fall_below_zero() -> None:
    points = torch.randn(30, 2, generator=torch.Generator().manual_seed(0))
    assert mmd2(points, points, 1.0) < 0


def test_the_bandwidth_is_that_of_all_pairs() -> None:
    points = torch.randn(51, 5, generator=torch.Generator().manual_seed(0)) + 3
    distances = np.sort(pdist(points.double().numpy()))
    assert median_bandwidth(points) == pytest.approx(np.median(distances), rel=1e-4)


@pytest.mark.parametrize("rows", [1, 7, 500])
def test_distances_to_near_copies_survive_cancellation(rows: int) -> None:
    noise = torch.Generator().manual_seed(0)
    reference = torch.rand(40, 784, generator=noise) * 0.2 + 0.8  # norms of 25, distances of 1e-3
    copies = reference.flip(0)[:20] + 4e-5 * torch.randn(20, 784, generator=noise)
    expected = cdist(copies.double().numpy(), reference.double().numpy()).min(1)
    assert expected.max() < 2e-3
    np.testing.assert_allclose(nearest_distance(copies, reference, rows=rows), expected, rtol=1e-4)


def test_an_image_is_as_far_as_its_nearest_even_if_that_is_the_last() -> None:
    reference = torch.stack([torch.full((784,), value) for value in (1.0, 0.9, 0.1)])
    found = nearest_distance(torch.zeros(1, 784), reference)
    torch.testing.assert_close(found, torch.tensor([2.8]))  # 0.1 sqrt(784)


def test_confidence_and_entropy_of_two_even_digits() -> None:
    found = opinion(torch.tensor([[0.5, 0.5, *[0.0] * 8]]))
    assert found == {"confidence": 0.5, "entropy": pytest.approx(math.log(2))}


def test_label_distance_is_one_for_disjoint_digits_and_counts_samples_relatively() -> None:
    assert label_distance(torch.eye(10)[[0, 1]], torch.tensor([8, 9, 9])) == pytest.approx(1)
    assert label_distance(torch.eye(10)[[4, 4, 7, 7]], torch.tensor([7, 4])) == 0


@pytest.mark.parametrize("rows", [1, 7, 29])
def test_mmd_does_not_depend_on_the_rows_taken_at_a_time(rows: int) -> None:
    a, b = torch.randn(2, 29, 3, generator=torch.Generator().manual_seed(0))
    assert mmd2(a, b[:20], 1.0, rows=rows) == pytest.approx(mmd2(a, b[:20], 1.0), abs=1e-12)
