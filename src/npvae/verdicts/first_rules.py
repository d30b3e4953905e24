"""The rules that the first verdicts were given by, kept to compare: what would they say today?

Student's 95 % interval of differences paired by seed; a claim is supported if all conditions hold, in part if
some do, not supported if none does, so that what is undecided counts as not holding.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from npvae.verdicts.statistics import interval
from npvae.verdicts.tables import Measures, Term


class FirstVerdict(NamedTuple):
    """A claim as it stood then, its verdict on the three seeds of then, and the same rules' verdict now."""

    claim: str
    committed: str
    now: str
    held: int
    conditions: int


def first_verdicts(measures: Measures) -> list[FirstVerdict]:
    """The old rules on today's measures, averaged over classifiers.

    Raises:
        NpvaeError: a measure is missing.
    """
    found = []
    for claim, committed, conditions in _CLAIMS:
        held = conditions(measures)
        now = "supported" if all(held) else "supported in part" if any(held) else "not supported"
        found.append(FirstVerdict(claim, committed, now, sum(held), len(held)))
    return found


def _of(measures: Measures, model: str, z_dim: int, measure: str) -> NDArray[np.float64]:
    return measures.of(Term(model, z_dim, measure)).values.mean(1)


def _interpretable(measures: Measures) -> list[bool]:
    plain = _of(measures, "vae", measures.z_dims[0], "digit_accuracy")
    ours = [_of(measures, "npvae", z_dim, "digit_accuracy") for z_dim in measures.z_dims]
    means = [values.mean() for values in ours]
    return [*(interval(values - plain).low > 0 for values in ours), bool(max(means) - min(means) <= 0.03)]


def _reconstruction(measures: Measures) -> list[bool]:
    plain, ours = (
        [_of(measures, model, z_dim, "reconstruction") for z_dim in measures.z_dims]
        for model in ("vae", "npvae")
    )
    return [
        *(
            bool(interval(own - other).high <= 0.02 * other.mean())
            for own, other in zip(ours, plain, strict=True)
        ),
        *(interval(larger - smaller).high < 0 for smaller, larger in pairwise(ours)),
    ]


def _samples(measures: Measures) -> list[bool]:
    def gap(measure: str) -> NDArray[np.float64]:
        ours, plain = (_of(measures, model, measures.z_dims[-1], measure) for model in ("npvae", "vae"))
        return ours - plain

    nearest = interval(_of(measures, "npvae", measures.z_dims[-1], "sample_nearest"))
    return [
        interval(gap("sample_mmd2")).high < 0,
        interval(gap("sample_confidence")).low > 0,
        nearest.low >= measures.real["sample_nearest"] / 2,
    ]


def _interpolation(measures: Measures) -> list[bool]:
    return [
        all(
            interval(
                sign
                * (
                    _of(measures, "npvae", z_dim, f"linear_x_{measure}")
                    - _of(measures, "vae", z_dim, f"{path}_{measure}")
                )
            ).low
            > 0
            for path in ("linear_z", "slerp_z")
        )
        for z_dim in dict.fromkeys((measures.z_dims[0], measures.z_dims[-1]))
        for measure, sign in (("confidence", 1), ("nearest", -1), ("midpoint_mmd2", -1))
    ]


def _match(measures: Measures) -> list[bool]:
    smallest, largest = measures.z_dims[0], measures.z_dims[-1]
    plain = _of(measures, "vae", smallest, "reconstruction")
    loss = _of(measures, "npvae", largest, "reconstruction_from_x") - plain
    matched = [interval(_of(measures, "npvae", z_dim, "match_r2")).low > 0.5 for z_dim in measures.z_dims]
    return [*matched, interval(loss).high <= 0]


# the verdicts that were committed before this scheme: 3 seeds, float32, a CPU with AVX2
_CLAIMS: tuple[tuple[str, str, Callable[[Measures], list[bool]]], ...] = (
    ("Interpretable X, whatever Z", "supported in part", _interpretable),
    ("Reconstruction", "supported in part", _reconstruction),
    ("Sampling through X", "supported", _samples),
    ("Interpolation in X", "supported in part", _interpolation),
    ("The matching term", "supported in part", _match),
)
