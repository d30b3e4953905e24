"""Means over seeds and their intervals."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
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


def interval(values: Sequence[float] | np.ndarray) -> Interval:
    """Mean and 95 % interval of the mean of independent values."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean, -math.inf, math.inf)
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    return Interval(mean, mean - half, mean + half)
