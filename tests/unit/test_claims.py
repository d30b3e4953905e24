"""Verdicts on made-up measures, in both directions."""

import json
import math

import pandas as pd
import pytest

from npvae.claims import CLAIMS, Condition, Interval, Measures, interval, verdict
from npvae.report import claims_data, claims_page

Z_DIMS = (2, 20, 500)
PATHS = {"vae": ("linear_z", "slerp_z"), "npvae": ("linear_x",)}
REAL = {"sample_nearest": 6.0, "sample_mmd2": 0.0, "sample_confidence": 0.99}

# Measures for which every claim holds; a function of the dimension of Z where it matters
GOOD = {
    ("vae", "reconstruction"): lambda z: 140.0 - math.log(z),
    ("npvae", "reconstruction"): lambda z: 138.0 - 2 * math.log(z),
    ("npvae", "knn_10"): lambda z: 0.9,
    ("vae", "digit_accuracy"): lambda z: 0.7,
    ("npvae", "digit_accuracy"): lambda z: 0.9,
    ("vae", "sample_mmd2"): lambda z: 0.05,
    ("npvae", "sample_mmd2"): lambda z: 0.01,
    ("vae", "sample_confidence"): lambda z: 0.8,
    ("npvae", "sample_confidence"): lambda z: 0.95,
    ("npvae", "sample_nearest"): lambda z: 5.0,
    ("npvae", "match_r2"): lambda z: 0.8,
    ("npvae", "reconstruction_from_x"): lambda z: 130.0,
}
for _model, _paths in PATHS.items():
    for _path in _paths:
        better = _model == "npvae"
        GOOD[_model, f"{_path}_confidence"] = lambda z, good=better: 0.9 if good else 0.8
        GOOD[_model, f"{_path}_nearest"] = lambda z, good=better: 5.0 if good else 6.0
        GOOD[_model, f"{_path}_midpoint_mmd2"] = lambda z, good=better: 0.01 if good else 0.05


def measures(changes=None, noise=0.0, seeds=3) -> Measures:
    """GOOD with some measures replaced; ``noise`` grows with the seed, for the nonparametric VAE."""
    rows = [
        {
            "model": model,
            "z_dim": z_dim,
            "seed": seed,
            "measure": measure,
            "value": value(z_dim) + (noise * (seed - 1) if model == "npvae" else 0.0),
        }
        for (model, measure), value in {**GOOD, **(changes or {})}.items()
        for z_dim in Z_DIMS
        for seed in range(seeds)
    ]
    return Measures(pd.DataFrame(rows), REAL)


def verdicts(given: Measures) -> dict[str, str]:
    return {claim.name: verdict(claim.conditions(given)) for claim in CLAIMS}


def test_interval_is_students():
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
        (Interval(140.21, -math.inf, math.inf), "140.2"),
    ],
)
def test_an_interval_shows_two_digits_of_its_width(value, text):
    assert str(value) == text


def test_a_verdict_counts_its_conditions():
    yes, no = Condition("", True, ""), Condition("", False, "")
    assert verdict([yes, yes]) == "supported"
    assert verdict([yes, no]) == "supported in part"
    assert verdict([no, no]) == "not supported"


def test_all_claims_are_supported_where_all_is_well():
    assert set(verdicts(measures()).values()) == {"supported"}


def test_differences_are_paired_by_seed():
    shared = {seed: 10.0 * seed for seed in range(3)}
    rows = [
        {"model": model, "z_dim": 2, "seed": seed, "measure": "m", "value": shared[seed] + offset}
        for model, offset in (("vae", 0.0), ("npvae", 1.0))
        for seed in shared
    ]
    gap = Measures(pd.DataFrame(rows), {}).difference(("npvae", 2, "m"), ("vae", 2, "m"))
    assert gap == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("claim", "changes", "expected"),
    [
        (0, {("npvae", "digit_accuracy"): lambda z: 0.6}, "supported in part"),  # alike over Z, but worse
        (
            0,
            {("npvae", "digit_accuracy"): lambda z: 0.9 - z / 1000},
            "supported in part",
        ),  # better, but not alike
        (0, {("npvae", "digit_accuracy"): lambda z: 0.69 - z / 1000}, "not supported"),
        (1, {("npvae", "reconstruction"): lambda z: 150.0 - math.log(z)}, "supported in part"),
        (1, {("npvae", "reconstruction"): lambda z: 138.0 + math.log(z)}, "supported in part"),
        (1, {("npvae", "reconstruction"): lambda z: 160.0 + math.log(z)}, "not supported"),
        (2, {("npvae", "sample_nearest"): lambda z: 1.0}, "supported in part"),  # copies
        (2, {("npvae", "sample_mmd2"): lambda z: 0.06}, "supported in part"),
        (3, {("vae", "slerp_z_confidence"): lambda z: 0.95}, "supported in part"),  # arcs beat lines in X
        (3, {("vae", "linear_z_nearest"): lambda z: 4.0}, "supported in part"),
        (4, {("npvae", "match_r2"): lambda z: 0.4}, "supported in part"),
        (4, {("npvae", "reconstruction_from_x"): lambda z: 145.0}, "supported in part"),
    ],
)
def test_one_measure_turns_only_its_claim(claim, changes, expected):
    found = verdicts(measures(changes))
    assert found.pop(CLAIMS[claim].name) == expected
    assert set(found.values()) == {"supported"}


def test_what_is_within_the_spread_over_seeds_is_not_supported():
    gain = {("npvae", "digit_accuracy"): lambda z: 0.71}
    assert verdicts(measures(gain))[CLAIMS[0].name] == "supported"
    assert verdicts(measures(gain, noise=0.02))[CLAIMS[0].name] == "supported in part"


def test_one_seed_supports_no_comparison():
    alone = verdicts(measures(seeds=1))
    assert alone[CLAIMS[3].name] == "not supported"


def test_a_missing_measure_is_named():
    given = measures()
    table = given.table[given.table["measure"] != "match_r2"]
    with pytest.raises(KeyError, match="match_r2 of npvae at Z = 2"):
        verdicts(Measures(table, REAL))


def test_page_and_data_tell_the_same():
    given = measures({("npvae", "match_r2"): lambda z: 0.4})
    others = pd.DataFrame([{"method": "PCA", "measure": "knn_10", "value": 0.42}])
    origin = {"device": "cpu"}
    page, data = claims_page(given, others, origin), claims_data(given, origin)
    json.dumps(data, allow_nan=False)
    for claim in data["claims"]:
        assert f"## {claim['claim']}: {claim['verdict']}" in page
    rows = [line for line in page.splitlines() if line.startswith("| **")]
    assert len(rows) == len(CLAIMS) == 5
    assert "Z = 500: 0.9 ± 0" in rows[0]
    assert "| PCA | 0.420 |" in page
