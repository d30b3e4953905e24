"""How a condition comes out: all outcomes, in both directions, and at the margins."""

import math
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from npvae.errors import NpvaeError
from npvae.verdicts.conditions import Condition, Finding, judge
from npvae.verdicts.tables import Measures, Term

OURS, PLAIN = Term("npvae", 2, "m"), Term("vae", 2, "m")
UNIT = np.array(
    [-1.0, 1.0, -1.0, 1.0]
)  # of four seeds; variance 4/3, so the standard error of a mean is 1/sqrt(3)


def measures(
    ours: np.ndarray, plain: np.ndarray, measure: str = "m", z_dims: tuple[int, ...] = (2, 20)
) -> Measures:
    rows: list[dict[str, Any]] = [
        {"model": model, "z_dim": z_dim, "seed": seed, "classifier": None, "measure": measure, "value": value}
        for model, values in (("npvae", ours), ("vae", plain))
        for z_dim in z_dims
        for seed, value in enumerate(values)
    ]
    return Measures(pd.DataFrame(rows).astype({"classifier": "Int64"}), {}, {})


def condition(side: Literal["above", "below"], **kwargs: Any) -> Condition:
    return Condition("rule", "label", OURS, PLAIN, side, **kwargs)


def judged(one: Condition, difference: float, noise: float, plain: float = 0.0) -> Finding:
    """With a standard error of ``noise``, all of it from the first model."""
    ours = plain + difference + noise * math.sqrt(3) * UNIT
    return judge(one, measures(ours, np.full(4, plain)))


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("difference", "noise", "outcome", "negligible"),
    [
        (0.05, 0.01, "supported", False),
        (-0.05, 0.01, "contradicted", False),
        (0.004, 0.001, "supported", True),  # but too small to matter
        (-0.004, 0.001, "contradicted", True),
        (0.004, 0.004, "equivalent", True),
        (-0.004, 0.004, "equivalent", True),
        (0.004, 0.02, "undecided", False),
        (-0.015, 0.01, "undecided", False),
    ],
)
def test_against_zero_all_outcomes_in_both_directions(
    sign: int, difference: float, noise: float, outcome: str, negligible: bool
) -> None:
    one = condition("above" if sign > 0 else "below", margin=0.02)
    found = judged(one, sign * difference, noise)
    assert (found.outcome, found.negligible) == (outcome, negligible)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("difference", "noise", "outcome"),
    [
        (0.0, 0.005, "supported"),
        (0.2, 0.005, "supported"),
        (-0.025, 0.001, "supported"),
        (-0.06, 0.005, "contradicted"),
        (-0.03, 0.005, "undecided"),
        # half of the 95 % interval is 3.18 standard errors, of the 90 % interval 2.35
        (-0.03 + 0.0028, 0.001, "equivalent"),
        (-0.03 + 0.0033, 0.001, "supported"),
        (-0.03 + 0.0023, 0.001, "undecided"),
        (-0.03 - 0.0033, 0.001, "contradicted"),
    ],
)
def test_against_a_margin_all_outcomes_in_both_directions(
    sign: int, difference: float, noise: float, outcome: str
) -> None:
    one = condition("above" if sign > 0 else "below", bound=-0.03 * sign, margin=0.03)
    assert judged(one, sign * difference, noise).outcome == outcome


@pytest.mark.parametrize("side", ["above", "below"])
@pytest.mark.parametrize("beyond", [-1, 0, 1])
def test_an_interval_that_touches_its_bound_is_not_beyond_it(
    side: Literal["above", "below"], beyond: int
) -> None:
    """Without noise the interval is the difference: exactly at the bound of 0.5 or a float beside it."""
    difference = float(np.nextafter(0.5, beyond * np.inf)) if beyond else 0.5
    found = judged(condition(side, bound=0.5), difference, 0.0)
    expected = {0: "undecided", 1: "supported", -1: "contradicted"}[beyond if side == "above" else -beyond]
    assert found.outcome == expected


@pytest.mark.parametrize("sign", [1, -1])
def test_an_interval_that_touches_its_margin_is_not_within_it(sign: int) -> None:
    half = stats.t.ppf(0.95, 3) * 0.25  # of the 90 % interval around 0
    for margin, outcome in ((half * 1.0001, "equivalent"), (half * 0.9999, "undecided")):
        one = condition("above" if sign > 0 else "below", margin=margin)
        assert judged(one, 0.0, 0.25).outcome == outcome
    found = judged(condition("above", margin=0.5), -0.5, 0.0)
    assert not found.negligible
    assert judged(condition("above", margin=0.5), -0.49, 0.0).negligible


@pytest.mark.parametrize(
    ("difference", "outcome"),
    [(1.0, "supported"), (3.0, "contradicted"), (2.0, "undecided"), (-5.0, "supported")],
)
def test_a_relative_bound_is_a_share_of_the_second(difference: float, outcome: str) -> None:
    one = condition("below", bound=0.02, margin=0.02, relative=True)
    found = judged(one, difference, 0.1, plain=100.0)
    assert found.outcome == outcome
    assert found.bound == pytest.approx(2.0)
    assert found.difference == pytest.approx(difference)


def test_the_noise_of_a_relative_bound_counts() -> None:
    ours, plain = 101 + UNIT, 100 + 2 * UNIT
    expected = stats.ttest_ind(ours, 1.02 * plain, equal_var=False).confidence_interval(0.95)
    found = judge(condition("below", bound=0.02, margin=0.02, relative=True), measures(ours, plain))
    interval = found.interval()
    assert interval is not None
    # around the difference of 1, and beyond the bound of 2 just where the tested contrast is beyond 0
    assert interval == pytest.approx((expected.low + 2, expected.high + 2))
    assert sum(interval) / 2 == pytest.approx(1.0)


@pytest.mark.parametrize(("ours", "within"), [(101.0, True), (99.0, True), (102.5, False), (97.5, False)])
def test_a_relative_margin_has_two_sides(ours: float, within: bool) -> None:
    one = condition("below", bound=0.02, margin=0.02, relative=True)
    assert judged(one, ours - 100, 0.05, plain=100.0).negligible is within


def test_a_bound_alone_needs_no_second() -> None:
    one = Condition("rule", "label", OURS, None, "above", 2.0)
    found = judge(one, measures(2.5 + 0.1 * UNIT, np.zeros(4)))
    assert (found.outcome, found.difference, found.means) == ("supported", 2.5, (2.5,))


def test_one_seed_or_one_z_gives_numbers_but_no_outcome() -> None:
    alone = judge(condition("above", margin=0.02), measures(np.array([2.0]), np.array([1.0])))
    assert (alone.outcome, alone.interval(), alone.difference) == (None, None, 1.0)
    one_z = judge(condition("above"), measures(2 + 0.01 * UNIT, np.ones(4), z_dims=(2,)))
    assert one_z.outcome is None
    assert one_z.interval() is not None


def test_a_missing_measure_is_named() -> None:
    one = Condition("rule", "label", OURS, Term("vae", 2, "n"), "above")
    with pytest.raises(NpvaeError, match=r"^n of vae at Z = 2: missing$"):
        judge(one, measures(UNIT, UNIT))


@pytest.mark.parametrize(
    "measure", ["digit_accuracy", "reconstruction_from_x_loo", "linear_x_midpoint_confidence"]
)
def test_what_is_a_mean_over_images_needs_them(measure: str) -> None:
    one = Condition("rule", "label", Term("npvae", 2, measure), Term("vae", 2, measure), "above")
    with pytest.raises(NpvaeError, match=rf"{measure} of npvae at Z = 2: no values by image"):
        judge(one, measures(UNIT, UNIT, measure))


def test_values_of_other_images_are_not_compared() -> None:
    given = measures(UNIT, UNIT)
    table = given._table
    items = {OURS: pd.Series([1.0, -1.0], index=[3, 4]), PLAIN: pd.Series([1.0, -1.0], index=[3, 5])}
    with pytest.raises(NpvaeError, match="not by the same images"):
        judge(condition("above"), Measures(table, items, {}))
    items[PLAIN].index = items[OURS].index
    assert judge(condition("above"), Measures(table, items, {})).components[-1].source == "images"
