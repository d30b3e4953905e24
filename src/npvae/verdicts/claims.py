"""The paper's claims, and the conditions that decide them.

docs/preregistration.md says why each condition, bound and margin is what it is; both were written before the
measures that they judge.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

from npvae.verdicts.conditions import Condition, Finding, Outcome, judge
from npvae.verdicts.statistics import holm
from npvae.verdicts.tables import BY_LABEL, Measures, Term

Verdict = Literal["supported", "contradicted", "undecided", "mixed", "no verdict"]

# margins: of an accuracy or share, a confidence, an MMD², and of nats as a share of the plain VAE's
ACCURACY, CONFIDENCE, MMD2, NATS, NATS_FROM_X = 0.03, 0.02, 0.005, 0.02, 0.05


class Reading(NamedTuple):
    """Which model stands for the paper's, and which length scale its predictions from X use."""

    name: str
    model: str
    suffix: str  # of the measures that depend on that length scale

    def x(self, z_dim: int, measure: str) -> Term:
        """A measure of this model, with this length scale where it depends on it."""
        return Term(self.model, z_dim, measure + (self.suffix if _predicted(measure) else ""))


LEARNED = Reading("learned length scale", "npvae", "")
LEAVE_ONE_OUT = Reading("leave-one-out length scale", "npvae", "_loo")
ADVISED = Reading("advised setting", "advised", "_loo")
READINGS = (LEARNED, LEAVE_ONE_OUT, ADVISED)


def _predicted(measure: str) -> bool:
    alone = ("reconstruction_from_x", "match_r2", "length_scale", "negative_log_likelihood_x")
    return measure in alone or measure.startswith(("sample_", "linear_x_"))


def vae(z_dim: int, measure: str) -> Term:
    """A measure of the plain VAE."""
    return Term("vae", z_dim, measure)


@dataclass(frozen=True)
class Claim:
    """A claim of the paper.

    Args:
        name: short.
        words: the paper's.
        measure: what stands for it, in words.
        unit: of the differences; of relative ones, per cent.
        primary: the conditions that decide it, given a reading and the dimensions of Z.
        secondary: conditions beside them, given also what real images measure.
    """

    name: str
    words: str
    measure: str
    unit: str
    primary: Callable[[Reading, Sequence[int]], list[Condition]]
    secondary: Callable[[Reading, Sequence[int], Mapping[str, float]], list[Condition]]


class Judged(NamedTuple):
    """A claim in one reading: its verdict, and all findings with Holm's p-values of the secondary ones."""

    claim: Claim
    reading: Reading
    verdict: Verdict
    primary: list[Finding]
    secondary: list[Finding]
    holm: list[float | None]


def judge_claims(measures: Measures, reading: Reading) -> list[Judged]:
    """All claims in one reading; the family of Holm's correction is all its secondary conditions.

    Without labels, the conditions that need them are left out.

    Raises:
        NpvaeError: a measure that a condition needs is missing.
    """
    z_dims = measures.z_dims

    def judged(conditions: list[Condition]) -> list[Finding]:
        told = [one for one in conditions if not (measures.unlabelled and _by_label(one))]
        return [judge(one, measures) for one in told]

    primary = [judged(claim.primary(reading, z_dims)) for claim in CLAIMS]
    secondary = [judged(claim.secondary(reading, z_dims, measures.real)) for claim in CLAIMS]
    known = [found.tested.p() for findings in secondary for found in findings if found.tested]
    adjusted = iter(holm(known))
    return [
        Judged(
            claim,
            reading,
            verdict([found.outcome for found in first]),
            first,
            second,
            [next(adjusted) if found.tested else None for found in second],
        )
        for claim, first, second in zip(CLAIMS, primary, secondary, strict=True)
    ]


def _by_label(condition: Condition) -> bool:
    return BY_LABEL.fullmatch(condition.first.measure) is not None


def verdict(outcomes: Sequence[Outcome | None]) -> Verdict:
    """Of a claim, from the outcomes of its primary conditions.

    An equivalent condition is decided, but speaks neither for nor against the claim.
    """
    if not outcomes or None in outcomes:
        return "no verdict"
    found = set(outcomes)
    if found == {"supported"}:
        return "supported"
    if found == {"undecided"}:
        return "undecided"
    if "contradicted" in found and "supported" not in found:
        return "contradicted"
    return "mixed"


def _independent(reading: Reading, z_dims: Sequence[int]) -> list[Condition]:
    smallest = z_dims[0]
    return [
        Condition(
            f"digits are told apart in X at Z = {z_dim} as well as at Z = {smallest}, or better",
            f"Z = {z_dim}",
            reading.x(z_dim, "digit_accuracy"),
            reading.x(smallest, "digit_accuracy"),
            "above",
            -ACCURACY,
            ACCURACY,
        )
        for z_dim in z_dims[1:]
    ]


def _interpretable(reading: Reading, z_dims: Sequence[int], _: Mapping[str, float]) -> list[Condition]:
    return [
        Condition(
            f"digits are told apart in X at Z = {z_dim} better than in the VAE's Z of {z_dims[0]} dimensions",
            f"Z = {z_dim}",
            reading.x(z_dim, "digit_accuracy"),
            vae(z_dims[0], "digit_accuracy"),
            "above",
        )
        for z_dim in z_dims
    ]


def _reconstruction(reading: Reading, z_dims: Sequence[int]) -> list[Condition]:
    return [
        Condition(
            f"at Z = {z_dim}, reconstruction costs at most 2 % more nats than the plain VAE's",
            f"Z = {z_dim}",
            reading.x(z_dim, "reconstruction"),
            vae(z_dim, "reconstruction"),
            "below",
            NATS,
            NATS,
            relative=True,
        )
        for z_dim in z_dims
    ]


def _unlimited(reading: Reading, z_dims: Sequence[int], _: Mapping[str, float]) -> list[Condition]:
    return [
        *(
            Condition(
                f"Z = {larger} reconstructs better than Z = {smaller}",
                f"Z = {larger}",
                reading.x(larger, "reconstruction"),
                reading.x(smaller, "reconstruction"),
                "below",
            )
            for smaller, larger in pairwise(z_dims)
        ),
        *(
            Condition(
                f"at Z = {z_dim}, an image's negative log likelihood is at most 2 % above the plain VAE's",
                f"Z = {z_dim}",
                reading.x(z_dim, "negative_log_likelihood"),
                vae(z_dim, "negative_log_likelihood"),
                "below",
                NATS,
                relative=True,
            )
            for z_dim in z_dims
        ),
    ]


def _from_x(reading: Reading, z_dims: Sequence[int]) -> list[Condition]:
    largest = z_dims[-1]
    return [
        Condition(
            f"from X alone, Z = {largest} reconstructs at most 5 % worse than the plain VAE from all of Z",
            f"Z = {largest}",
            reading.x(largest, "reconstruction_from_x"),
            vae(largest, "reconstruction"),
            "below",
            NATS_FROM_X,
            NATS_FROM_X,
            relative=True,
        )
    ]


def _through_x(reading: Reading, z_dims: Sequence[int], _: Mapping[str, float]) -> list[Condition]:
    smallest, largest = z_dims[0], z_dims[-1]
    return [
        Condition(
            f"from X alone, Z = {largest} reconstructs better than the plain VAE at Z = {smallest}",
            f"Z = {largest}",
            reading.x(largest, "reconstruction_from_x"),
            vae(smallest, "reconstruction"),
            "below",
        ),
        Condition(
            f"at Z = {largest}, the negative log likelihood through X is at most 5 % above the plain VAE's",
            f"Z = {largest}",
            reading.x(largest, "negative_log_likelihood_x"),
            vae(largest, "negative_log_likelihood"),
            "below",
            NATS_FROM_X,
            relative=True,
        ),
    ]


_DENSITIES = {
    "sample_mmd2": "prior",
    "sample_mmd2_mixture": "mixture",
    "sample_mmd2_kde": "kernel density",
}


def _samples(reading: Reading, z_dims: Sequence[int]) -> list[Condition]:
    largest = z_dims[-1]
    return [
        Condition(
            f"at Z = {largest}, samples through X are closer to real images than the VAE's ({density})",
            density,
            reading.x(largest, "sample_mmd2"),
            vae(largest, measure),
            "below",
            0.0,
            MMD2,
        )
        for measure, density in _DENSITIES.items()
    ]


def _fidelity(reading: Reading, z_dims: Sequence[int], real: Mapping[str, float]) -> list[Condition]:
    largest = z_dims[-1]
    return [
        *(
            Condition(
                f"the same at Z = {largest} in principal components of pixels ({density})",
                density,
                reading.x(largest, "sample_mmd2_pixels"),
                vae(largest, measure.replace("mmd2", "mmd2_pixels")),
                "below",
            )
            for measure, density in _DENSITIES.items()
        ),
        *(
            Condition(
                f"at Z = {z_dim}, samples through X are closer to real images than the VAE's (prior)",
                f"Z = {z_dim}",
                reading.x(z_dim, "sample_mmd2"),
                vae(z_dim, "sample_mmd2"),
                "below",
            )
            for z_dim in z_dims[:-1]
        ),
        Condition(
            f"at Z = {largest}, classifiers are surer of samples through X than of the plain VAE's",
            f"Z = {largest}",
            reading.x(largest, "sample_confidence"),
            vae(largest, "sample_confidence"),
            "above",
        ),
        Condition(
            f"at Z = {largest}, digits occur in samples through X more nearly as often as in real images",
            f"Z = {largest}",
            reading.x(largest, "sample_label_distance"),
            vae(largest, "sample_label_distance"),
            "below",
        ),
        Condition(
            "samples through X are no copies: at least half as far from a training image as real test images",
            f"Z = {largest}",
            reading.x(largest, "sample_nearest"),
            None,
            "above",
            real["sample_nearest"] / 2,
        ),
    ]


def _ends(z_dims: Sequence[int]) -> list[int]:
    return list(dict.fromkeys((z_dims[0], z_dims[-1])))


def _midpoints(reading: Reading, z_dims: Sequence[int]) -> list[Condition]:
    return [
        Condition(
            f"at Z = {z_dim}, classifiers are surer of the middle of lines in X than of that of lines in Z",
            f"Z = {z_dim}",
            reading.x(z_dim, "linear_x_midpoint_confidence"),
            vae(z_dim, "linear_z_midpoint_confidence"),
            "above",
            0.0,
            CONFIDENCE,
        )
        for z_dim in _ends(z_dims)
    ]


def _paths(reading: Reading, z_dims: Sequence[int], _: Mapping[str, float]) -> list[Condition]:
    return [
        Condition(
            f"lines in X at Z = {z_dim}: {words}",
            f"Z = {z_dim}",
            reading.x(z_dim, f"linear_x_{measure}"),
            vae(z_dim, f"{path}_{measure}"),
            side,
        )
        for z_dim in _ends(z_dims)
        for words, measure, path, side in _PATHS
    ]


_PATHS: tuple[tuple[str, str, str, Literal["above", "below"]], ...] = (
    ("classifiers are surer of their middle than of arcs in Z", "midpoint_confidence", "slerp_z", "above"),
    ("their middle shows a third digit less often than lines in Z", "midpoint_third", "linear_z", "below"),
    ("their middle shows a third digit less often than arcs in Z", "midpoint_third", "slerp_z", "below"),
    ("their middle is closer to real images than lines in Z (MMD²)", "midpoint_mmd2", "linear_z", "below"),
    ("their middle is closer to real images than arcs in Z (MMD²)", "midpoint_mmd2", "slerp_z", "below"),
    ("classifiers are surer along all of them than along lines in Z", "confidence", "linear_z", "above"),
    ("their images are nearer to a training image than lines in Z", "nearest", "linear_z", "below"),
)


CLAIMS = (
    Claim(
        "X keeps its virtues, whatever Z",
        "the X space maintains its virtues independent of the Z dimension",
        "accuracy of 10-nearest-neighbour classification of test images in X",
        "accuracy",
        _independent,
        _interpretable,
    ),
    Claim(
        "Reconstruction is not sacrificed",
        "without sacrificing the quality of the reconstruction",
        "Bernoulli reconstruction of test images from E[z], nats per image",
        "nats",
        _reconstruction,
        _unlimited,
    ),
    Claim(
        "Two dimensions represent 500",
        "retain the representative power of a 500 dimensional model with just a 2 dimensional latent space",
        "the same, from X alone; the plain VAE's from all of Z",
        "nats",
        _from_x,
        _through_x,
    ),
    Claim(
        "Samples through X are of high fidelity",
        "ancestral sampling from the X space […] test samples maintain a high fidelity",
        "unbiased MMD² of samples to real test images, in the classifiers' features",
        "MMD²",
        _samples,
        _fidelity,
    ),
    Claim(
        "Interpolants in X are more meaningful",
        "more meaningful with credible intermediate states between digits",
        "the classifiers' confidence in the middle between two training images of different digits",
        "confidence",
        _midpoints,
        _paths,
    ),
)
