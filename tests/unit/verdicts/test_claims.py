"""Claims on made-up measures: what turns them, what does not, and what is refused."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from npvae.errors import NpvaeError
from npvae.verdicts.claims import ADVISED, CLAIMS, LEARNED, LEAVE_ONE_OUT, Reading, judge_claims, verdict
from npvae.verdicts.first_rules import first_verdicts
from npvae.verdicts.statistics import holm
from npvae.verdicts.tables import Measures

MadeUp = Callable[..., Measures]
S, C, E, U = "supported", "contradicted", "equivalent", "undecided"


def verdicts(measures: Measures, reading: Reading = LEARNED) -> list[str]:
    return [judged.verdict for judged in judge_claims(measures, reading)]


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([S], "supported"),
        ([S, S, S], "supported"),
        ([U, U], "undecided"),
        ([C], "contradicted"),
        ([C, U], "contradicted"),
        ([C, E], "contradicted"),
        ([S, C], "mixed"),
        ([S, U], "mixed"),
        ([S, E], "mixed"),
        ([E, U], "mixed"),
        ([E, E], "mixed"),
        ([S, C, U], "mixed"),
        ([S, None], "no verdict"),
        ([None], "no verdict"),
        ([], "no verdict"),
    ],
)
def test_a_claim_sums_up_its_conditions(outcomes: list[Any], expected: str) -> None:
    assert verdict(outcomes) == expected
    assert verdict(outcomes[::-1]) == expected


@pytest.mark.parametrize("reading", [LEARNED, LEAVE_ONE_OUT, ADVISED])
def test_all_claims_are_supported_where_all_is_well(made_up: MadeUp, reading: Reading) -> None:
    assert verdicts(made_up(), reading) == [S] * 5


def only(*, at: int, value: float, otherwise: float) -> Callable[[int], float]:
    return lambda z: value if z == at else otherwise


@pytest.mark.parametrize(
    ("claim", "changes", "expected"),
    [
        (0, {("npvae", "digit_accuracy"): lambda z: 0.9 - (z > 2) * 0.1}, C),
        (0, {("npvae", "digit_accuracy"): only(at=500, value=0.8, otherwise=0.9)}, "mixed"),
        (0, {("npvae", "digit_accuracy"): lambda z: 0.7 + 0.05 * math.log(z)}, S),  # growing is no failure
        (1, {("npvae", "reconstruction"): lambda z: 150.0 - 10 * math.log(z)}, C),
        (1, {("npvae", "reconstruction"): lambda z: 140.0 - (z < 500) * 10 * math.log(z)}, "mixed"),
        (2, {("npvae", "reconstruction_from_x"): lambda z: 90.0}, C),
        (3, {("npvae", "sample_mmd2"): lambda z: 0.06}, C),
        (3, {("vae", "sample_mmd2_kde"): lambda z: 0.005}, "mixed"),
        (3, {("vae", "sample_mmd2_mixture"): lambda z: 0.01}, "mixed"),  # equivalent to one density
        (4, {("npvae", "linear_x_midpoint_confidence"): lambda z: 0.8}, C),
        (4, {("npvae", "linear_x_midpoint_confidence"): only(at=2, value=0.8, otherwise=0.95)}, "mixed"),
    ],
)
def test_one_measure_turns_only_its_claim(
    made_up: MadeUp, claim: int, changes: Mapping[tuple[str, str], Any], expected: str
) -> None:
    measures = made_up(changes)
    found = verdicts(measures)
    assert found.pop(claim) == expected
    assert found == [S] * 4
    assert verdicts(measures, ADVISED)[:3] == [S] * 3  # which is no business of the paper's model


def test_what_lies_within_the_noise_is_undecided(made_up: MadeUp) -> None:
    changes = {
        ("npvae", "reconstruction_from_x"): lambda z: 1.05 * (140.0 - 10 * math.log(z)),
        ("npvae", "linear_x_midpoint_confidence"): lambda z: 0.855,
    }
    found = verdicts(made_up(changes, noise=0.05))
    assert (found[2], found[4]) == (U, U)


def test_both_readings_of_the_length_scale_are_judged_by_their_own_measures(made_up: MadeUp) -> None:
    measures = made_up({("npvae", "sample_mmd2_loo"): lambda z: 0.06})
    assert verdicts(measures)[3] == S
    assert verdicts(measures, LEAVE_ONE_OUT) == [S, S, S, C, S]
    assert verdicts(measures, ADVISED)[3] == S
    learned, other = (judge_claims(measures, reading) for reading in (LEARNED, LEAVE_ONE_OUT))
    same = [
        [found.condition for found in one.primary] == [found.condition for found in two.primary]
        for one, two in zip(learned, other, strict=True)
    ]
    assert same == [True, True, False, False, False]


def test_the_advised_setting_is_read_by_leave_one_out_alone(made_up: MadeUp) -> None:
    plain = made_up(
        {("advised", "sample_mmd2"): lambda z: 0.9, ("advised", "reconstruction_from_x"): lambda z: 900}
    )
    assert verdicts(plain, ADVISED) == [S] * 5
    other = made_up({("advised", "sample_mmd2_loo"): lambda z: 0.9})
    assert verdicts(other, ADVISED) == [S, S, S, C, S]


def test_without_the_advised_setting_the_rest_is_judged(made_up: MadeUp) -> None:
    assert verdicts(made_up(models=("vae", "npvae"))) == [S] * 5


@pytest.mark.parametrize("few", [{"seeds": 1}, {"z_dims": (20,)}])
def test_one_training_or_one_z_gives_no_verdict(made_up: MadeUp, few: dict[str, Any]) -> None:
    assert verdicts(made_up(**few)) == ["no verdict"] * 5


def test_one_classifier_gives_no_verdict_on_what_it_sees(made_up: MadeUp) -> None:
    assert verdicts(made_up(classifiers=1)) == [S, S, S, "no verdict", "no verdict"]


def test_a_missing_measure_is_named(tables: Callable[..., Any]) -> None:
    table, items = tables()
    gone = (table["measure"] == "sample_mmd2_kde") & (table["z_dim"] == 500)
    with pytest.raises(NpvaeError, match=r"^sample_mmd2_kde of vae at Z = 500: missing$"):
        judge_claims(Measures(table[~gone], items, {"sample_nearest": 6.0}), LEARNED)


def test_primary_conditions_are_the_preregistered_ones(made_up: MadeUp) -> None:
    [independent, reconstruction, from_x, samples, middle] = judge_claims(made_up(), LEARNED)
    assert [found.condition.first.z_dim for found in independent.primary] == [20, 500]
    assert {found.condition.second and found.condition.second.z_dim for found in independent.primary} == {2}
    assert [found.condition.first.z_dim for found in reconstruction.primary] == [2, 20, 500]
    assert [found.condition.second for found in from_x.primary] == [("vae", 500, "reconstruction")]
    assert [found.condition.second and found.condition.second.measure for found in samples.primary] == [
        "sample_mmd2",
        "sample_mmd2_mixture",
        "sample_mmd2_kde",
    ]
    assert [found.condition.first.z_dim for found in middle.primary] == [2, 500]
    sources = [{part.source for part in found.components} for found in samples.primary + middle.primary]
    assert sources == [{"seeds", "classifiers"}] * 3 + [{"seeds", "images", "classifiers"}] * 2


def test_holms_family_is_all_secondary_conditions(made_up: MadeUp) -> None:
    judged = judge_claims(made_up(noise=0.05), LEARNED)
    p = [found.tested.p() for one in judged for found in one.secondary if found.tested]
    assert len(p) > 20
    assert [value for one in judged for value in one.holm] == holm(p)
    assert all(
        found.outcome is None or found.condition.margin is None for one in judged for found in one.secondary
    )


def test_a_nan_is_refused_and_does_not_turn_a_condition(tables: Callable[..., Any]) -> None:
    table, items = tables()
    where = (table["measure"] == "sample_mmd2") & (table["model"] == "npvae") & (table["z_dim"] == 500)
    table.loc[table.index[where][-1], "value"] = np.nan
    with pytest.raises(
        NpvaeError, match=r"sample_mmd2 of npvae at Z = 500, seed 7, classifier 4: is not a finite"
    ):
        Measures(table, items, {})


def test_the_first_rules_still_say_what_they_said(made_up: MadeUp) -> None:
    """On measures like those of then: paired by seed, "in part" where something holds."""
    names = [one.claim for one in first_verdicts(made_up())]
    assert len(names) == len(CLAIMS) == 5
    committed = [one.committed for one in first_verdicts(made_up())]
    assert committed == [
        "supported in part",
        "supported in part",
        "supported",
        "supported in part",
        "supported in part",
    ]
    good = made_up(
        {
            ("npvae", "reconstruction"): lambda z: 139.0 - 12 * math.log(z),
            ("vae", "reconstruction"): lambda z: 140.0 - 10 * math.log(z),
            ("vae", "slerp_z_confidence"): lambda z: 0.85,
        }
    )
    assert [(one.now, one.held, one.conditions) for one in first_verdicts(good)] == [
        ("supported", 4, 4),
        ("supported", 5, 5),
        ("supported", 3, 3),
        ("supported", 6, 6),
        ("supported", 4, 4),
    ]
    arcs = made_up({("vae", "slerp_z_confidence"): lambda z: 0.99, ("npvae", "sample_mmd2"): lambda z: 0.9})
    assert [one.held for one in first_verdicts(arcs)][2:4] == [2, 4]
    low = made_up({("npvae", "digit_accuracy"): lambda z: 0.69 - z / 1000})
    assert first_verdicts(low)[0].now == "not supported"


def test_the_first_rules_pair_by_seed(tables: Callable[..., Any]) -> None:
    """What all models share at a seed cancels there, as it did; here it is most of the spread."""
    table, items = tables()
    where = table["measure"] == "reconstruction"
    table.loc[where, "value"] += 10.0 * table.loc[where, "seed"]
    for term in items:
        if term.measure == "reconstruction":
            items[term] += 35.0
    found = first_verdicts(Measures(table, items, {"sample_nearest": 6.0}))[1]
    assert found.held == 5  # each Z within 2 %, and each larger Z better
