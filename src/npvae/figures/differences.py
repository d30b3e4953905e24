"""What the sweep found: each choice as a difference to the default, grouped and in words, and as a page."""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from npvae.errors import NpvaeError

DEFAULT = "default"
MINUS = "\N{MINUS SIGN}"
GROUPS = ("objective", "network", "optimisation", "prediction")
MEASURES = {  # what they are called, and in what
    "digit_accuracy": ("digits told in X", "share, more is better"),
    "reconstruction": ("reconstruction", "nats, less is better"),
    "reconstruction_from_x": ("reconstruction from X", "nats, less is better"),
    "negative_log_likelihood": ("negative log likelihood", "nats, less is better"),
    "sample_mmd2": ("samples through X", "MMD², less is better"),
    "linear_x_midpoint_confidence": ("midpoints in X", "confidence, more is better"),
    "match_r2": ("E[z] predicted from X", "R², more is better"),
}
CALIBRATION = {
    "z_coverage": "E[z] in the process's 95 % intervals",
    "match_r2_process": "R² of the process's mean",
    "match_r2": "R² of z~ (Eq. 4)",
}
_GROUP_OF = {"npvae": "objective", "network": "network", "train": "optimisation", "predict": "prediction"}
_WORDS = {
    "npvae.match_weight=0.0": "no match (weight 0)",
    "npvae.match_gradient=own": "gradient not to neighbours",
    "npvae.match_gradient=x": "gradient to X and l alone",
    "npvae.divergence=predictive": "exact, left out (Eqs. 2, 3)",
    "npvae.divergence=joint": "exact, joint (Eq. 1)",
    "npvae.x_dropout=0.0": "no drop-out to X",
    "network.activations=tanh": "tanh throughout",
    "network.activations=relu": "ReLU throughout",
    "train.precision=float32": "float32",
    "train.precision=bfloat16": "bfloat16",
    "predict.length_scale.npvae=leave-one-out": "l by leave-one-out",
}
_NUMBERS = {
    "npvae.match_weight": "match weight {}",
    "npvae.x_dropout": "drop-out {} to X",
    "network.dropout": "drop-out {}",
    "network.hidden_units": "{} hidden units",
    "train.epochs": "{} epochs",
    "train.batch_size": "batches of {}",
    "train.learning_rate": "learning rate {}",
    "predict.reference_images": "z~ from {} images",
}


class Choice(NamedTuple):
    """One change in words, and the group that it is shown in."""

    group: str
    words: str


def in_words(change: str) -> Choice:
    """What ``KEY=VALUE`` changes; keys that nobody has put in words stand for themselves."""
    key, _, value = change.partition("=")
    group = "network" if key == "npvae.x_dropout" else _GROUP_OF[key.partition(".")[0]]
    grouped = f"{int(value):,}" if value.isdecimal() else value
    plain = key.partition(".")[2].replace("_", " ") + " {}"
    return Choice(group, _WORDS.get(change) or _NUMBERS.get(key, plain).format(grouped))


def welch(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Difference of two means and the half of its 95 % interval (Welch, 1947), infinite for single values."""
    difference = float(first.mean() - second.mean())
    if min(len(first), len(second)) < 2:
        return difference, math.inf
    parts = np.array([values.var(ddof=1) / len(values) for values in (first, second)])
    if not parts.any():
        return difference, 0.0
    df = parts.sum() ** 2 / (parts**2 / np.array([len(first) - 1, len(second) - 1])).sum()
    return difference, float(stats.t.ppf(0.975, df) * np.sqrt(parts.sum()))


def differences(values: pd.DataFrame) -> pd.DataFrame:
    """Every point beside the default of the same Z, over seeds; classifiers are averaged within a seed.

    Args:
        values: columns ``z_dim``, ``change`` (``KEY=VALUE``, or ``default``), ``seed``, ``classifier``,
            ``measure``, ``value``.

    Returns:
        Columns ``z_dim``, ``change``, ``measure``, ``mean``, ``difference`` and ``half``, half of its 95 %
        interval; a default's difference is 0 and its ``half`` that of its mean. The order of points stays.

    Raises:
        NpvaeError: a Z has no default, or the default lacks a measure.
    """
    groups = values.groupby(["z_dim", "change", "measure"], sort=False)
    seeds = {
        key: rows.groupby("seed")["value"].mean().to_numpy() for key, rows in groups if isinstance(key, tuple)
    }
    rows = []
    for (z_dim, change, measure), own in seeds.items():
        default = seeds.get((z_dim, DEFAULT, measure))
        if default is None:
            if measure in MEASURES:
                raise NpvaeError(f"z{z_dim}-default: {measure} is missing, to which {change} is compared")
            default = own  # only some points have a process on X to be calibrated
        difference, half = welch(own, default)
        if change == DEFAULT and len(own) > 1:
            half = float(stats.t.ppf(0.975, len(own) - 1) * stats.sem(own))
        rows.append((z_dim, change, measure, float(own.mean()), difference, half))
    return pd.DataFrame(rows, columns=["z_dim", "change", "measure", "mean", "difference", "half"])


def shown(found: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Those of :data:`MEASURES` that were taken: without labels, not all."""
    return {measure: names for measure, names in MEASURES.items() if (found["measure"] == measure).any()}


def page(found: pd.DataFrame, *, seeds: int) -> str:
    """The same as the figure in numbers (Markdown).

    Args:
        found: what :func:`differences` returns.
        seeds: trainings of each point.
    """
    measures = shown(found)
    times = f"{seeds} trainings" if seeds > 1 else "one training"
    lines = [
        "# Which choices move which claim",
        "",
        f"The nonparametric VAE with one choice changed at a time, {times} of each. Rows of a default are "
        "means; all others are differences to the default of the same Z, with 95 % intervals over the "
        "trainings (Welch), bold where the interval leaves out 0. There are many: of true zeros, "
        "one in twenty is bold.",
    ]
    for z_dim in found["z_dim"].unique():
        own = found[found["z_dim"] == z_dim]
        lines += ["", f"## {z_dim} {'dimension' if z_dim == 1 else 'dimensions'} of Z", ""]
        lines += _row("", *(f"{name} ({unit})" for name, unit in measures.values()))
        lines += ["|---" * (len(measures) + 1) + "|"]
        lines += _row("**the default**", *(_cell(own, DEFAULT, measure) for measure in measures))
        for group, changes in grouped(own["change"].unique()).items():
            lines += _row(f"*{group}*", *[""] * len(measures))
            for change in changes:
                named = f"{in_words(change).words}<br>`{change}`"
                lines += _row(named, *(_cell(own, change, measure) for measure in measures))
    lines += _calibrated(found)
    return "\n".join([*lines, ""])


def grouped(changes: "np.ndarray | list[str]") -> dict[str, list[str]]:
    """The changes of each group that has any, in the order of :data:`GROUPS`."""
    others = [change for change in changes if change != DEFAULT]
    sorted_by = {group: [change for change in others if in_words(change).group == group] for group in GROUPS}
    return {group: chosen for group, chosen in sorted_by.items() if chosen}


def _row(*cells: str) -> list[str]:
    return [f"| {' | '.join(cells)} |"]


def _cell(found: pd.DataFrame, change: str, measure: str) -> str:
    chosen = found[(found["change"] == change) & (found["measure"] == measure)]
    if chosen.empty:
        return ""
    one = chosen.iloc[0]
    if change == DEFAULT:
        return rounded(one["mean"], one["half"])
    text = rounded(one["difference"], one["half"], sign="+")
    return f"**{text}**" if one["half"] < abs(one["difference"]) else text


def rounded(value: float, half: float, *, sign: str = "") -> str:
    """A value with two digits of its interval's half, or three of its own where there is no interval."""
    size = half if 0 < half < math.inf else abs(value)
    digits = max(0, (1 if size == half else 2) - math.floor(math.log10(size))) if size else 0
    shown = f"{value:{sign}.{digits}f}".replace("-", MINUS)
    if not float(f"{value:.{digits}f}"):
        shown = f"{0:.{digits}f}"
    return shown if math.isinf(half) else f"{shown} ± {half:.{digits if half else 0}f}"


def _calibrated(found: pd.DataFrame) -> list[str]:
    process = found[found["measure"] == "z_coverage"][["z_dim", "change"]]
    if process.empty:
        return []
    lines = [
        "",
        "## How far the Gaussian process can be believed",
        "",
        "The exact objectives have a Gaussian process on X (Eq. 3), here given 2,000 training images: how "
        "many of the test images' E[z] lie in its 95 % intervals, and how much of their variance its mean "
        "explains; means over the trainings.",
        "",
        *_row("", *CALIBRATION.values()),
        "|---" * (len(CALIBRATION) + 1) + "|",
    ]
    for z_dim, change in process.itertuples(index=False):
        own = found[(found["z_dim"] == z_dim) & (found["change"] == change)].set_index("measure")["mean"]
        words = "the default" if change == DEFAULT else in_words(change).words
        lines += _row(f"{words}, Z = {z_dim}", *(f"{own[measure]:.3f}" for measure in CALIBRATION))
    return lines
