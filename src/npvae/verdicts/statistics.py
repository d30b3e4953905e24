"""Estimates with all their sources of chance, and their intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats


class Interval(NamedTuple):
    """A mean with its 95 % interval (Student's t); of a single value, the interval is unbounded."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        half = self.high - self.mean
        if not math.isfinite(half):
            return f"{self.mean:.4g}"
        if half <= 1e-12 * abs(self.mean):  # equal values, and rounding
            return f"{self.mean:.4g} ± 0"
        digits = max(0, 1 - math.floor(math.log10(half)))
        return f"{self.mean:.{digits}f} ± {half:.{digits}f}"


def interval(values: ArrayLike) -> Interval:
    """Mean and 95 % interval of the mean of independent values."""
    array = np.asarray(values, float)
    mean = float(array.mean())
    if len(array) < 2:
        return Interval(mean, -math.inf, math.inf)
    half = float(stats.t.ppf(0.975, len(array) - 1) * stats.sem(array))
    return Interval(mean, mean - half, mean + half)


class Component(NamedTuple):
    """One source of chance: the variance that it gives an estimate, known to some degrees of freedom."""

    source: str
    variance: float
    df: float


@dataclass(frozen=True)
class Estimate:
    """A value whose variance is the sum of independent components (Welch 1947, Satterthwaite 1946)."""

    value: float
    components: tuple[Component, ...]

    @property
    def se(self) -> float:
        """Standard error."""
        return math.sqrt(sum(component.variance for component in self.components))

    @property
    def df(self) -> float:
        """Satterthwaite's: (sum of v)² over the sum of v² / df; infinite if all v are 0."""
        spread = sum(component.variance**2 / component.df for component in self.components)
        return self.se**4 / spread if spread else math.inf

    def interval(self, level: float) -> tuple[float, float]:
        """The central interval of Student's t at ``level``."""
        half = float(stats.t.ppf(0.5 + level / 2, self.df)) * self.se
        return self.value - half, self.value + half

    def p(self) -> float:
        """Of a value as far from 0, two-sided; below 0.05 just where the 95 % interval excludes 0."""
        if not self.se:
            return 0.0 if self.value else 1.0
        return float(2 * stats.t.sf(abs(self.value) / self.se, self.df))

    def minus(self, constant: float) -> "Estimate":
        """The same, measured from ``constant``."""
        return Estimate(self.value - constant, self.components)


@dataclass(frozen=True)
class Sample:
    """One measure of one model at one Z.

    Args:
        values: ``[S, C]``: each of S seeds, seen through each of C classifiers.
        crossed: whether C counts classifiers; otherwise C is 1 and none was used.
        items: ``[I]``: the measure for each image or pair, averaged over seeds and classifiers; None where
            the measure is not a mean over images that all models share.
    """

    values: NDArray[np.float64]
    crossed: bool = False
    items: NDArray[np.float64] | None = None


def contrast(first: Sample, second: Sample | None = None, factor: float = 1.0) -> Estimate | None:
    """mean(first) - factor * mean(second), or mean(first) alone, with the variance of each source of chance.

    Seeds: Welch, s²/S for each model, unpaired. Images: the variance over images of the difference, which
    pairs the models by image, over their number. Classifiers: the same over classifiers. What is left after
    rows and columns of a crossed design is in more than one of these, so the interval is rather too wide.

    Returns:
        None if one seed or one classifier is all there is: their spread can't be known.

    Raises:
        ValueError: only one of both has values by image or by classifier, or they are not the same ones.
    """
    parts = [(first, 1.0)] + ([(second, -factor)] if second else [])
    for what, kinds in (
        ("not seen through the same classifiers", {(one.crossed, one.values.shape[1]) for one, _ in parts}),
        (
            "not known for the same images",
            {-1 if one.items is None else len(one.items) for one, _ in parts},
        ),
    ):
        if len(kinds) > 1:
            raise ValueError(f"they are {what}")
    if any(min(one.values.shape if one.crossed else one.values.shape[:1]) < 2 for one, _ in parts):
        return None
    components = [_of_mean("seeds", sign * one.values.mean(1)) for one, sign in parts]
    by_image = [sign * one.items for one, sign in parts if one.items is not None]
    if by_image:
        components.append(_of_mean("images", np.sum(by_image, axis=0)))
    if first.crossed:
        by_classifier = [sign * one.values.mean(0) for one, sign in parts]
        components.append(_of_mean("classifiers", np.sum(by_classifier, axis=0)))
    return Estimate(float(sum(sign * one.values.mean() for one, sign in parts)), tuple(components))


def _of_mean(source: str, values: NDArray[np.float64]) -> Component:
    return Component(source, float(values.var(ddof=1) / len(values)), len(values) - 1)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's (1979) adjusted p-values, in the order given."""
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    factors = np.arange(len(p), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(np.asarray(p, float)[order] * factors))
    return [float(value) for value in adjusted]
