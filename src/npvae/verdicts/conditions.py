"""Conditions: a comparison of two measures, the bound that it is held against, and how it comes out."""

from dataclasses import dataclass
from typing import Literal

from npvae.errors import NpvaeError
from npvae.verdicts.statistics import Component, Estimate, contrast
from npvae.verdicts.tables import Measures, Term

Outcome = Literal["supported", "contradicted", "equivalent", "undecided"]
LEVEL = 0.95  # of the interval that decides
EQUIVALENCE = 0.90  # of the interval of two one-sided tests at 5 %
# means over images that all models share: without their values by image, an interval would be too narrow
BY_IMAGE = (
    "digit_accuracy",
    "reconstruction",
    "reconstruction_from_x",
    "midpoint_confidence",
    "negative_log_likelihood",
    "negative_log_likelihood_x",
)


@dataclass(frozen=True)
class Condition:
    """What must hold: the difference of two means lies on one side of a bound.

    Args:
        rule: in words.
        label: in a word or two, beside the others of its claim.
        first: the measure that is judged.
        second: what it is compared with; None compares with the bound alone.
        side: of the bound, on which the paper's claim has it.
        bound: of first - second; if ``relative``, as a share of the second's mean.
        margin: differences below it, either way, don't matter; None judges no equivalence. If ``relative``, a
            share, too.
        relative: see above. The bound is then as uncertain as the second's mean, which the interval covers.
    """

    rule: str
    label: str
    first: Term
    second: Term | None
    side: Literal["above", "below"]
    bound: float = 0.0
    margin: float | None = None
    relative: bool = False


@dataclass(frozen=True)
class Finding:
    """How a condition comes out.

    Args:
        condition: that was judged.
        means: of the first and the second.
        bound: of the difference, in the unit of the measure.
        tested: difference less bound, with its variance; None where the spread can't be known.
        outcome: None where there is no verdict.
        negligible: whether the difference lies within the margin, by two one-sided tests.
    """

    condition: Condition
    means: tuple[float, ...]
    bound: float
    tested: Estimate | None
    outcome: Outcome | None
    negligible: bool | None

    @property
    def difference(self) -> float:
        """First mean less the second; the first, where there is no second."""
        return self.means[0] - sum(self.means[1:])

    def interval(self, level: float = LEVEL) -> tuple[float, float] | None:
        """Of the difference, the noise of a relative bound included: it reaches the bound or does not."""
        if self.tested is None:
            return None
        low, high = self.tested.interval(level)
        return low + self.bound, high + self.bound

    @property
    def components(self) -> tuple[Component, ...]:
        """The sources of the variance."""
        return self.tested.components if self.tested else ()


def judge(condition: Condition, measures: Measures) -> Finding:
    """How a condition comes out on what was measured.

    Supported if the 95 % interval lies beyond the bound, contradicted if it lies on the other side; else
    equivalent if the 90 % interval lies within the margin, else undecided.

    Raises:
        NpvaeError: a measure is missing, or the two can't be compared; it is named.
    """
    terms = [term for term in (condition.first, condition.second) if term]
    first, second = measures.of(condition.first), condition.second and measures.of(condition.second)
    _same_images(terms, measures)
    means = tuple(float(measures.of(term).values.mean()) for term in terms)

    def tested(bound: float) -> Estimate | None:
        try:
            if condition.relative:
                return contrast(first, second, 1 + bound)
            estimate = contrast(first, second)
        except ValueError as error:
            raise NpvaeError(f"{' and '.join(map(str, terms))}: {error}") from None
        return estimate and estimate.minus(bound)

    estimate = tested(condition.bound)
    bound = condition.bound * means[1] if condition.relative else condition.bound
    negligible = None
    if condition.margin is not None and estimate:
        from_below, from_above = tested(-condition.margin), tested(condition.margin)
        negligible = bool(
            from_below
            and from_above
            and from_below.interval(EQUIVALENCE)[0] > 0 > from_above.interval(EQUIVALENCE)[1]
        )
    outcome = None if why_no_verdict(measures) else _outcome(condition, estimate, negligible)
    return Finding(condition, means, bound, estimate, outcome, negligible)


def why_no_verdict(measures: Measures) -> str | None:
    """What rules out any verdict at all; None where nothing does."""
    if measures.seeds < 2:
        return "one training of each model cannot tell a difference between models from one between trainings"
    if len(measures.z_dims) < 2:
        return "one Z cannot show what depends on it"
    return None


def _outcome(condition: Condition, tested: Estimate | None, negligible: bool | None) -> Outcome | None:
    if tested is None:
        return None
    low, high = tested.interval(LEVEL)
    above, below = low > 0, high < 0
    if above or below:
        return "supported" if above == (condition.side == "above") else "contradicted"
    return "equivalent" if negligible else "undecided"


def _same_images(terms: list[Term], measures: Measures) -> None:
    for term in terms:
        plain = term.measure.removesuffix("_loo")
        if plain.endswith(BY_IMAGE) and measures.of(term).items is None:
            raise NpvaeError(f"{term}: no values by image")
    known = [measures.images(term) for term in terms if measures.of(term).items is not None]
    if known and known != [known[0]] * len(terms):
        raise NpvaeError(f"{' and '.join(map(str, terms))}: their values are not by the same images")
