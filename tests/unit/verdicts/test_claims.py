"""Verdicts on made-up measures, in both directions."""

import json
import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from npvae.errors import NpvaeError
from npvae.verdicts.claims import CLAIMS, Condition, Measures, verdict
from npvae.verdicts.page import claims_data, claims_page
from npvae.verdicts.statistics import interval

Values = dict[tuple[str, str], Callable[[int], float]]

Z_DIMS = (2, 20, 500)
PATHS = {"vae": ("linear_z", "slerp_z"), "npvae": ("linear_x",)}
REAL = {"sample_nearest": 6.0, "sample_mmd2": 0.0, "sample_confidence": 0.99}

# Measures for which every claim holds; a function of the dimension of Z where it matters
GOOD: Values = {
    ("vae", "reconstruction"): lambda z: 140.0 - math.log(z),
    ("npvae", "reconstruction"): lambda z: 138.0 - 2 * math.log(z),
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


def measures(changes: Values | None = None, noise: float = 0.0, seeds: int = 3) -> Measures:
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


def test_a_verdict_counts_its_conditions() -> None:
    yes, no = Condition("", True, ""), Condition("", False, "")
    assert verdict([yes, yes]) == "supported"
    assert verdict([yes, no]) == "supported in part"
    assert verdict([no, no]) == "not supported"


def test_all_claims_are_supported_where_all_is_well() -> None:
    assert set(verdicts(measures()).values()) == {"supported"}


def test_differences_are_paired_by_seed() -> None:
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
        # alike over Z, but worse
        (0, {("npvae", "digit_accuracy"): lambda z: 0.6}, "supported in part"),
        # better, but not alike
        (0, {("npvae", "digit_accuracy"): lambda z: 0.9 - z / 1000}, "supported in part"),
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
def test_one_measure_turns_only_its_claim(claim: int, changes: Values, expected: str) -> None:
    found = verdicts(measures(changes))
    assert found.pop(CLAIMS[claim].name) == expected
    assert set(found.values()) == {"supported"}


def test_what_is_within_the_spread_over_seeds_is_not_supported() -> None:
    gain = {("npvae", "digit_accuracy"): lambda z: 0.71}
    assert verdicts(measures(gain))[CLAIMS[0].name] == "supported"
    assert verdicts(measures(gain, noise=0.02))[CLAIMS[0].name] == "supported in part"


def test_one_seed_supports_no_comparison() -> None:
    alone = verdicts(measures(seeds=1))
    assert alone[CLAIMS[3].name] == "not supported"


def test_a_missing_measure_is_named() -> None:
    given = measures()
    table = given.table[given.table["measure"] != "match_r2"]
    with pytest.raises(KeyError, match="match_r2 of npvae at Z = 2"):
        verdicts(Measures(table, REAL))


def damaged(column: str, value: object) -> pd.DataFrame:
    """GOOD with one cell of one row overwritten: kl of the plain VAE at Z = 20, seed 2."""
    table = measures({("vae", "kl"): lambda z: float(z)}).table
    where = (table["model"] == "vae") & (table["z_dim"] == 20) & (table["measure"] == "kl")
    table.loc[where & (table["seed"] == 2), column] = value
    return table


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_number_is_refused_and_named(value: float) -> None:
    with pytest.raises(NpvaeError, match=r"^kl of vae at Z = 20, seed 2: is not a finite number$"):
        Measures(damaged("value", value), REAL)


def test_a_measurement_that_stands_twice_is_refused_and_named() -> None:
    table = damaged("value", 3.0)
    again = table[(table["measure"] == "kl") & (table["z_dim"] == 20) & (table["seed"] == 2)]
    for value in (3.0, 4.0):  # the same once more, or another value
        with pytest.raises(NpvaeError, match=r"^kl of vae at Z = 20, seed 2: stands twice$"):
            Measures(pd.concat([table, again.assign(value=value)], ignore_index=True), REAL)


@pytest.mark.parametrize(
    ("column", "value"), [("model", "npvae"), ("z_dim", 50), ("seed", 3), ("measure", "k")]
)
def test_rows_that_differ_in_one_key_are_two_measurements(column: str, value: object) -> None:
    table = damaged("value", 3.0)
    again = table[(table["measure"] == "kl") & (table["z_dim"] == 20) & (table["seed"] == 2)]
    both = Measures(pd.concat([table, again.assign(**{column: value})], ignore_index=True), REAL)
    assert both.of("vae", 20, "kl")[2] == 3


def test_the_same_table_of_a_model_given_twice_is_refused() -> None:
    table = measures().table
    with pytest.raises(NpvaeError, match="reconstruction of vae at Z = 2, seed 0: stands twice"):
        Measures(pd.concat([table, table], ignore_index=True), REAL)


def test_measures_of_all_seeds_are_found_in_the_order_of_the_seeds() -> None:
    table = measures(noise=0.25).table.sample(frac=1, random_state=0)
    given = Measures(table, REAL)
    assert given.z_dims == [2, 20, 500]
    found = given.of("npvae", 20, "match_r2")
    assert found.index.tolist() == [0, 1, 2]
    assert found.tolist() == pytest.approx([0.55, 0.8, 1.05])


ORIGIN = ["Trained in bfloat16 on A, 2 threads.", "Measured in float32 on B, 1 thread."]
OTHERS = pd.DataFrame(
    [
        {"method": "UMAP", "measure": "digit_accuracy", "value": 0.9555},
        {"method": "UMAP", "measure": "silhouette", "value": 0.5},
        {"method": "PCA", "measure": "silhouette", "value": 0.0256},
        {"method": "PCA", "measure": "digit_accuracy", "value": 0.42},
    ]
)


def test_page_and_data_tell_the_same() -> None:
    given = measures({("npvae", "match_r2"): lambda z: 0.4})
    page, data = claims_page(given, OTHERS, ORIGIN), claims_data(given, ORIGIN)
    json.dumps(data, allow_nan=False)
    for claim in data["claims"]:
        assert f"## {claim['claim']}: {claim['verdict']}" in page
        for condition in claim["conditions"]:
            holds = "yes" if condition["holds"] else "no"
            assert f"| {condition['rule']} | {holds} | {condition['evidence']} |" in page.splitlines()
    rows = [line for line in page.splitlines() if line.startswith("| **")]
    assert len(rows) == len(CLAIMS) == 5
    assert "Z = 500: 0.9 ± 0" in rows[0]


def test_page_and_data_say_on_what_all_of_it_ran() -> None:
    page, data = claims_page(measures(), OTHERS, ORIGIN), claims_data(measures(), ORIGIN)
    assert data["origin"] == ORIGIN
    assert page.split("\n\n")[1].endswith(" ".join(["`comparators.csv`.", *ORIGIN]))


def test_the_first_claim_compares_the_accuracy_of_both_models() -> None:
    page, data = claims_page(measures(), OTHERS, ORIGIN), claims_data(measures(), ORIGIN)
    [row] = [line for line in page.splitlines() if line.startswith(f"| **{CLAIMS[0].name}")]
    cells = [cell.strip() for cell in row.split("|")]
    plain, ours = (
        "<br>".join(f"Z = {z_dim}: {interval([value] * 3)}" for z_dim in Z_DIMS) for value in (0.7, 0.9)
    )
    assert cells[3:5] == [plain, ours]
    values = {
        (value["model"], value["z_dim"], value["measure"]): value["mean"]
        for value in data["claims"][0]["values"]
    }
    assert values == {
        (model, z_dim, "digit_accuracy"): pytest.approx(mean)
        for model, mean in (("vae", 0.7), ("npvae", 0.9))
        for z_dim in Z_DIMS
    }


def test_the_page_shows_every_measure_and_every_other_method() -> None:
    given = measures(noise=0.25)
    lines = claims_page(given, OTHERS, ORIGIN).splitlines()
    header = [cell.strip() for cell in lines[lines.index("## All measures") + 4].split("|")[1:-1]]
    assert header[0] == "measure"
    assert header[-1] == "real images"
    for measure in given.table["measure"].unique():
        [row] = [line for line in lines if line.startswith(f"| {measure} |")]
        cells = dict(zip(header, (cell.strip() for cell in row.split("|")[1:-1]), strict=True))
        for model, name in (("vae", "plain VAE"), ("npvae", "nonparametric VAE")):
            measured = (model, measure) in GOOD
            for z_dim in Z_DIMS:
                value = str(interval(given.of(model, z_dim, measure).to_numpy())) if measured else "n/a"
                assert cells[f"{name}, Z = {z_dim}"] == value
        assert cells["real images"] == (f"{REAL[measure]:.4g}" if measure in REAL else "n/a")
    table = lines[lines.index("## Other embeddings of the same images") + 2 :]
    assert table == [
        "| method | digit_accuracy | silhouette |",
        "|---|---|---|",
        "| PCA | 0.420 | 0.026 |",
        f"| UMAP | {0.9555:.3f} | 0.500 |",
    ]


def test_of_one_seed_there_is_no_interval_to_tell() -> None:
    data = claims_data(measures(seeds=1), ORIGIN)
    assert {value["interval"] is None for claim in data["claims"] for value in claim["values"]} == {True}
    bounds = [
        value["interval"] for claim in claims_data(measures(), ORIGIN)["claims"] for value in claim["values"]
    ]
    assert all(np.isfinite(pair).all() and len(pair) == 2 for pair in bounds)
