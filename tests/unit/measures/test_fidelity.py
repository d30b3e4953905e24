"""MMD and the classifier's opinion against float64 references and limits that are known."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist, pdist

from npvae.measures.fidelity import label_distance, median_bandwidth, mmd2, opinion


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


def test_mmd_averages_to_zero_for_one_distribution() -> None:
    noise = torch.Generator().manual_seed(0)
    estimates = [mmd2(*torch.randn(2, 100, 4, generator=noise), 2.0) for _ in range(50)]
    assert abs(np.mean(estimates)) < 0.002


def test_opinion_averages_over_images() -> None:
    sure, even, unsure = torch.eye(10)[0], torch.tensor([0.5, 0.5, *[0.0] * 8]), torch.full((10,), 0.1)
    assert opinion(sure[None]) == {"confidence": 1.0, "entropy": 0.0}
    found = opinion(torch.stack([sure, even, unsure]))
    assert found["confidence"] == pytest.approx(1.6 / 3)
    assert found["entropy"] == pytest.approx((math.log(2) + math.log(10)) / 3)


def test_label_distance_is_total_variation() -> None:
    zeros = torch.eye(10)[[0, 0, 0, 1]]
    assert label_distance(zeros, torch.tensor([0, 1, 1, 1])) == pytest.approx(0.5)
    assert label_distance(zeros, torch.tensor([0, 0, 0, 1])) == 0


def test_label_distance_is_one_for_disjoint_digits_and_counts_samples_relatively() -> None:
    assert label_distance(torch.eye(10)[[0, 1]], torch.tensor([8, 9, 9])) == pytest.approx(1)
    assert label_distance(torch.eye(10)[[4, 4, 7, 7]], torch.tensor([7, 4])) == 0


def test_label_distance_knows_labels_that_no_sample_can_be_told_to_have() -> None:
    assert label_distance(torch.eye(3)[[0, 1, 1, 2]], torch.tensor([0, 1, 1, 6])) == pytest.approx(0.25)
    assert label_distance(torch.eye(12)[[11, 11]], torch.tensor([11])) == 0


@pytest.mark.parametrize("rows", [1, 7, 29])
def test_mmd_does_not_depend_on_the_rows_taken_at_a_time(rows: int) -> None:
    a, b = torch.randn(2, 29, 3, generator=torch.Generator().manual_seed(0))
    assert mmd2(a, b[:20], 1.0, rows=rows) == pytest.approx(mmd2(a, b[:20], 1.0), abs=1e-12)
