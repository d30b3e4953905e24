"""Estimates against Student's table, scipy and hand arithmetic, and how often their intervals cover."""

import math

import numpy as np
import pytest
from scipy import stats

from npvae.verdicts.statistics import Component, Estimate, Interval, Sample, contrast, holm, interval


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


def sample(values: list[float]) -> Sample:
    return Sample(np.array(values)[:, None])


def test_over_seeds_alone_a_contrast_is_welchs() -> None:
    first, second = [3.1, 2.7, 3.6, 2.9], [2.0, 2.4, 1.1, 3.0, 2.2, 1.9]
    expected = stats.ttest_ind(first, second, equal_var=False)
    found = contrast(sample(first), sample(second))
    assert found is not None
    assert found.value == pytest.approx(np.mean(first) - np.mean(second))
    assert found.df == pytest.approx(expected.df)
    assert found.p() == pytest.approx(expected.pvalue)
    for level in (0.9, 0.95):
        assert found.interval(level) == pytest.approx(tuple(expected.confidence_interval(level)))


def test_a_factor_is_that_of_the_second_and_of_its_noise() -> None:
    first, second = [3.1, 2.7, 3.6, 2.9], [2.0, 2.4, 1.1, 3.0]
    expected = stats.ttest_ind(first, [1.02 * value for value in second], equal_var=False)
    found = contrast(sample(first), sample(second), 1.02)
    assert found is not None
    assert found.interval(0.95) == pytest.approx(tuple(expected.confidence_interval(0.95)))


def test_of_one_sample_a_contrast_is_students() -> None:
    values = [3.1, 2.7, 3.6, 2.9]
    expected = stats.ttest_1samp(values, 2.5)
    found = contrast(sample(values))
    assert found is not None
    assert found.minus(2.5).p() == pytest.approx(expected.pvalue)
    assert found.interval(0.95) == pytest.approx(tuple(expected.confidence_interval(0.95)))


def test_degrees_of_freedom_are_satterthwaites() -> None:
    # (4 + 1 + 0.5)^2 / (4^2 / 7 + 1^2 / 3 + 0.5^2 / 99) = 30.25 / 2.62157 = 11.5389
    parts = (Component("seeds", 4.0, 7), Component("classifiers", 1.0, 3), Component("images", 0.5, 99))
    estimate = Estimate(1.0, parts)
    assert estimate.se == pytest.approx(math.sqrt(5.5))
    assert estimate.df == pytest.approx(11.5389, rel=1e-5)
    assert Estimate(1.0, parts[:1]).df == 7


def test_images_pair_and_classifiers_are_crossed() -> None:
    # seeds: means over classifiers 2, 4 and 1, 3: 2 / 2 each. Classifiers: 2.5 - 1, 3.5 - 3, of which the
    # variance is 0.5, over 2. Images: 1 - 0, 3 - 1, 5 - 2: variance 1, over 3
    first = Sample(np.array([[1.0, 3.0], [4.0, 4.0]]), True, np.array([1.0, 3.0, 5.0]))
    second = Sample(np.array([[0.0, 2.0], [2.0, 4.0]]), True, np.array([0.0, 1.0, 2.0]))
    found = contrast(first, second)
    assert found is not None
    assert found.value == 1
    assert [part.source for part in found.components] == ["seeds", "seeds", "images", "classifiers"]
    assert [part.variance for part in found.components] == pytest.approx([1, 1, 1 / 3, 0.25])
    assert [part.df for part in found.components] == [1, 1, 2, 1]


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (Sample(np.ones((2, 1)), False, np.ones(3)), "classifiers"),
        (Sample(np.ones((2, 3)), True, np.ones(3)), "classifiers"),
        (Sample(np.ones((2, 2)), True, None), "images"),
        (Sample(np.ones((2, 2)), True, np.ones(4)), "images"),
    ],
)
def test_what_was_seen_otherwise_is_not_compared(other: Sample, what: str) -> None:
    one = Sample(np.ones((2, 2)), True, np.ones(3))
    with pytest.raises(ValueError, match=what):
        contrast(one, other)


def test_one_seed_or_one_classifier_gives_no_estimate() -> None:
    many = Sample(np.ones((3, 2)), True)
    assert contrast(many, Sample(np.ones((1, 2)), True)) is None
    assert contrast(Sample(np.ones((3, 1)), True)) is None
    assert contrast(Sample(np.ones((3, 1)), False)) is not None


def test_without_spread_the_interval_is_the_value() -> None:
    found = contrast(sample([2.0, 2.0]), sample([2.0, 2.0, 2.0]))
    assert found is not None
    assert found.df == math.inf
    assert found.interval(0.95) == (0.0, 0.0)
    assert (found.p(), found.minus(1).p()) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("of_seed", "of_image", "of_classifier", "least", "most"),
    [
        (1.0, 0.0, 0.0, 0.93, 0.98),
        (0.3, 2.0, 0.0, 0.93, 0.98),
        (0.3, 2.0, 0.3, 0.93, 0.99),
        (0.0, 0.0, 0.0, 0.95, 1.0),  # noise of each seed at each image alone: counted twice
    ],
)
def test_intervals_of_a_crossed_design_cover_the_truth(
    of_seed: float, of_image: float, of_classifier: float, least: float, most: float
) -> None:
    """Seeds, images and classifiers are all drawn anew; models share images and classifiers."""
    random, seeds, images, classifiers = np.random.default_rng(0), 8, 40, 5
    covered = []
    for _ in range(400):
        image = of_image * random.normal(size=(2, 1, images, 1))
        classifier = of_classifier * random.normal(size=(2, 1, 1, classifiers))
        seed = of_seed * random.normal(size=(2, seeds, 1, 1))
        noise = random.normal(size=(2, seeds, images, classifiers))
        first, second = (
            Sample(one.mean(1), True, one.mean((0, 2))) for one in 5 + image + classifier + seed + noise
        )
        found = contrast(first, second)
        assert found is not None
        low, high = found.interval(0.95)
        covered.append(low < 0 < high)
    assert least <= np.mean(covered) <= most


def test_holms_correction_is_that_of_known_numbers() -> None:
    # 0.005 * 4, 0.01 * 3, 0.03 * 2, and 0.04 * 1 raised to the one before it
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []
