"""The paper's claims, the rules that decide them, and the verdicts.

A claim is a list of conditions, each a comparison of measures with a 95 % interval over seeds. It is
supported if all hold, supported in part if some do, not supported if none does. The rules were written before
the run that they judge; docs/reproduction.md says why they are what they are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from npvae.errors import NpvaeError
from npvae.verdicts.statistics import Interval, interval

Verdict = Literal["supported", "supported in part", "not supported"]


@dataclass(frozen=True)
class Measures:
    """Measures, tidy (``model``, ``z_dim``, ``seed``, ``measure``, ``value``), and what real images give."""

    table: pd.DataFrame
    real: Mapping[str, float]

    def __post_init__(self) -> None:
        """Refuse a table that would count a measurement twice, or a value that is none.

        Raises:
            NpvaeError: a model, Z, seed and measure stand twice, or a value is not finite; it is named.
        """
        keys = ["model", "z_dim", "seed", "measure"]
        for wrong, what in (
            (self.table.duplicated(keys), "stands twice"),
            (~np.isfinite(self.table["value"]), "is not a finite number"),
        ):
            for row in self.table[wrong].itertuples():
                raise NpvaeError(f"{row.measure} of {row.model} at Z = {row.z_dim}, seed {row.seed}: {what}")

    @property
    def z_dims(self) -> list[int]:
        """Dimensions of Z, ascending."""
        return sorted(self.table["z_dim"].unique().tolist())

    def of(self, model: str, z_dim: int, measure: str) -> pd.Series:
        """Values by seed."""
        table = self.table
        chosen = table[(table["model"] == model) & (table["z_dim"] == z_dim) & (table["measure"] == measure)]
        if chosen.empty:
            raise KeyError(f"no measure {measure} of {model} at Z = {z_dim}")
        return chosen.set_index("seed")["value"].sort_index()

    def difference(self, first: tuple[str, int, str], second: tuple[str, int, str]) -> Interval:
        """The first minus the second, paired by seed; each is (model, z_dim, measure)."""
        return interval((self.of(*first) - self.of(*second)).dropna().to_numpy())


class Condition(NamedTuple):
    """One rule: what must hold, whether it does, and the numbers that say so."""

    rule: str
    holds: bool
    evidence: str


@dataclass(frozen=True)
class Claim:
    """A claim in the paper's words.

    Args:
        name: short.
        words: the paper's.
        measure: what stands for it, in words.
        headline: the measure that the table of claims shows, of both models at every Z where it exists.
        conditions: the rules, applied to the measures.
    """

    name: str
    words: str
    measure: str
    headline: tuple[str, ...]
    conditions: Callable[[Measures], list[Condition]] = field(repr=False)


def verdict(conditions: Sequence[Condition]) -> Verdict:
    """Supported if all conditions hold, in part if some do."""
    held = sum(condition.holds for condition in conditions)
    if held == len(conditions):
        return "supported"
    return "supported in part" if held else "not supported"


def _interpretable(measures: Measures) -> list[Condition]:
    smallest = measures.z_dims[0]
    conditions = []
    for z_dim in measures.z_dims:
        gain = measures.difference(("npvae", z_dim, "digit_accuracy"), ("vae", smallest, "digit_accuracy"))
        rule = f"X at Z = {z_dim} tells digits apart better than the plain VAE's Z of {smallest} dimensions"
        conditions.append(Condition(rule, gain.low > 0, f"difference in accuracy {gain}"))
    means = [float(measures.of("npvae", z_dim, "digit_accuracy").mean()) for z_dim in measures.z_dims]
    rule = "over all Z, the accuracy in X stays within 0.03"
    spread = max(means) - min(means)
    return [*conditions, Condition(rule, spread <= 0.03, f"largest difference of means {spread:.3f}")]


def _reconstruction(measures: Measures) -> list[Condition]:
    conditions = []
    for z_dim in measures.z_dims:
        loss = measures.difference(("npvae", z_dim, "reconstruction"), ("vae", z_dim, "reconstruction"))
        allowed = 0.02 * float(measures.of("vae", z_dim, "reconstruction").mean())
        rule = f"at Z = {z_dim}, reconstruction costs at most 2 % more than the plain VAE's"
        conditions.append(
            Condition(rule, loss.high <= allowed, f"difference {loss} nats, {allowed:.2f} allowed")
        )
    for smaller, larger in zip(measures.z_dims, measures.z_dims[1:], strict=False):
        change = measures.difference(
            ("npvae", larger, "reconstruction"), ("npvae", smaller, "reconstruction")
        )
        rule = f"Z = {larger} reconstructs better than Z = {smaller}"
        conditions.append(Condition(rule, change.high < 0, f"difference {change} nats"))
    return conditions


def _samples(measures: Measures) -> list[Condition]:
    largest = measures.z_dims[-1]
    mmd = measures.difference(("npvae", largest, "sample_mmd2"), ("vae", largest, "sample_mmd2"))
    confidence = measures.difference(
        ("npvae", largest, "sample_confidence"), ("vae", largest, "sample_confidence")
    )
    nearest = interval(measures.of("npvae", largest, "sample_nearest").to_numpy())
    half = measures.real["sample_nearest"] / 2
    return [
        Condition(
            f"at Z = {largest}, samples through X are closer to real images than the plain VAE's samples",
            mmd.high < 0,
            f"difference in MMD² {mmd}",
        ),
        Condition(
            "the classifier is surer of them", confidence.low > 0, f"difference in confidence {confidence}"
        ),
        Condition(
            "they are no copies: on average at least half as far from a training image as real test images",
            nearest.low >= half,
            f"distance {nearest}, {half:.2f} required",
        ),
    ]


def _interpolation(measures: Measures) -> list[Condition]:
    conditions = []
    for z_dim in dict.fromkeys((measures.z_dims[0], measures.z_dims[-1])):
        for rule, measure, sign in (
            ("the classifier is surer along a line in X", "confidence", 1),
            ("images along a line in X are nearer to a training image", "nearest", -1),
            ("midpoints of lines in X are closer to real images (MMD²)", "midpoint_mmd2", -1),
        ):
            gaps = {
                path: measures.difference(
                    ("npvae", z_dim, f"linear_x_{measure}"), ("vae", z_dim, f"{path}_{measure}")
                )
                for path in ("linear_z", "slerp_z")
            }
            holds = all(gap.low > 0 if sign > 0 else gap.high < 0 for gap in gaps.values())
            evidence = f"difference to lines in Z {gaps['linear_z']}, to arcs in Z {gaps['slerp_z']}"
            conditions.append(
                Condition(f"at Z = {z_dim}, {rule} than along lines and arcs in Z", holds, evidence)
            )
    return conditions


def _match(measures: Measures) -> list[Condition]:
    smallest, largest = measures.z_dims[0], measures.z_dims[-1]
    conditions = []
    for z_dim in measures.z_dims:
        r2 = interval(measures.of("npvae", z_dim, "match_r2").to_numpy())
        rule = f"at Z = {z_dim}, z~ explains more than half of the variance of E[z] on test images"
        conditions.append(Condition(rule, r2.low > 0.5, f"R² {r2}"))
    loss = measures.difference(
        ("npvae", largest, "reconstruction_from_x"), ("vae", smallest, "reconstruction")
    )
    rule = (
        f"X alone, through Z = {largest}, reconstructs as well as the plain VAE's Z of {smallest} dimensions"
    )
    return [*conditions, Condition(rule, loss.high <= 0, f"difference {loss} nats")]


CLAIMS = (
    Claim(
        "Interpretable X, whatever Z",
        "the X space maintains its virtues independent of the Z dimension; low-dimensional and highly "
        "interpretable",
        "accuracy of 10-nearest-neighbour digit classification of test images in X (plain VAE: in Z)",
        ("digit_accuracy",),
        _interpretable,
    ),
    Claim(
        "Reconstruction",
        "reconstruction quality [is] unlimited by Z; without sacrificing the quality of the reconstruction",
        "Bernoulli reconstruction of test images from E[z], nats per image",
        ("reconstruction",),
        _reconstruction,
    ),
    Claim(
        "Sampling through X",
        "ancestral sampling from the X space; test samples maintain a high fidelity",
        "unbiased MMD² of samples to real test images, in the classifier's features",
        ("sample_mmd2",),
        _samples,
    ),
    Claim(
        "Interpolation in X",
        "interpolants from the X space are more meaningful with credible intermediate states",
        "the classifier's mean confidence between two training images of different digits "
        "(plain VAE: the better of lines and arcs)",
        ("linear_z_confidence", "slerp_z_confidence", "linear_x_confidence"),
        _interpolation,
    ),
    Claim(
        "The matching term",
        "matching their first modes when predicting the latent space Z",
        "R² of E[z] by z~ on test images",
        ("match_r2",),
        _match,
    ),
)
