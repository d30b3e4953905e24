"""Means and intervals against Student's table, and how they are written."""

import math

import numpy as np
import pytest

from npvae.verdicts.statistics import Interval, interval


def test_interval_is_students() -> None:
    # t(0.975, 2 degrees) = 4.302653; s = 1, n = 3
    mean, low, high = interval([1.0, 2.0, 3.0])
    assert mean == 2
    assert high - mean == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert mean - low == pytest.approx(high - mean)
    assert interval([5.0]) == (5.0, -math.inf, math.inf)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Interval(0.98765, 0.980, 0.99541), "0.9877 ± 0.0078"),
        (Interval(140.21, 139.0, 141.43), "140.2 ± 1.2"),
        (Interval(12_345.6, 12_000.0, 12_691.2), "12346 ± 346"),
        (Interval(140.21, 140.21, 140.21), "140.2 ± 0"),
        (Interval(140.21, -math.inf, math.inf), "140.2"),
    ],
)
def test_an_interval_shows_two_digits_of_its_width(value: Interval, text: str) -> None:
    assert str(value) == text


@pytest.mark.parametrize("count", [2, 5, 8])
def test_an_interval_covers_the_true_mean_19_times_in_20(count: int) -> None:
    random = np.random.default_rng(0)
    found = [interval(values) for values in random.normal(3, 2, size=(1_000, count))]
    assert np.mean([low < 3 < high for _, low, high in found]) == pytest.approx(0.95, abs=0.02)


def test_values_that_agree_have_an_interval_without_width() -> None:
    assert interval([4.0, 4.0, 4.0]) == (4.0, 4.0, 4.0)
