"""The goals and what came out, as ratios of medians of one round, from the rows of ``timings.csv``."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks import floor
from npvae.model import build

EPOCH = 429  # steps: 55,000 images in batches of 128, the incomplete one left out


Measure = Callable[[pd.DataFrame], pd.Series]  # from the table to a value a round; none if not measured


class Goal(NamedTuple):
    """A goal, or with no target a comparison.

    Args:
        name: what is measured.
        measure: from the table to its values, one a round; none if something was not measured.
        cases: whose rows it takes; their notes say why something was not measured.
        unit: of the values.
        least: they should be this or more.
        most: they should be this or less.
    """

    name: str
    measure: Measure
    cases: tuple[str, ...]
    unit: str
    least: float | None = None
    most: float | None = None

    @property
    def target(self) -> str:
        """In words."""
        if self.least is not None:
            return f"at least {self.least:g} {self.unit}".strip()
        return "none" if self.most is None else f"at most {self.most:g} {self.unit}".strip()

    def verdict(self, value: float) -> str:
        """``met``, or by how much it is missed."""
        if self.least is not None:
            missed = self.least / value - 1
        elif self.most is not None:
            missed = value / self.most - 1
        else:
            return ""
        return "met" if missed <= 0 else f"missed by {100 * missed:.0f} %"

    def row(self, table: pd.DataFrame) -> tuple[str, str, str, str]:
        """Goal, target, measured value (range over rounds), verdict."""
        values = self.measure(table)
        if values.empty:
            return self.name, self.target, "not measured", _reason(table, self.cases)
        middle = values.median()
        measured = f"{number(middle)} {self.unit}".strip()
        if len(values) > 1:
            measured += f" ({number(values.min())} to {number(values.max())})"
        return self.name, self.target, measured, self.verdict(middle)


def number(value: float) -> str:
    """With three digits, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


def _reason(table: pd.DataFrame, cases: tuple[str, ...]) -> str:
    for case in cases:
        rows = table[table["case"] == case]
        if rows.empty:
            return f"`{case}` was not run"
        if notes := rows["note"].replace("", np.nan).dropna().unique().tolist():
            return f"`{case}`: {notes[0]}"
    return "not in one run"


def medians(table: pd.DataFrame, case: str, what: str, at: float | None = None) -> pd.Series:
    """By round, of one quantity; over all ``at`` the smallest, unless one is named."""
    rows = table[(table["case"] == case) & (table["what"] == what)]
    if at is not None:
        rows = rows[rows["at"] == at]
    return rows.dropna(subset="median").groupby(["run", "round"])["median"].min()


def _value(case: str, what: str, at: float | None = None) -> Measure:
    return lambda table: medians(table, case, what, at)


def _ratio(above: Measure, below: Measure) -> Measure:
    # pandas aligns the rounds; those that only one of them has fall out
    return lambda table: (above(table) / below(table)).dropna()


def _per_seed(step: Measure, seeds: int) -> Measure:
    return lambda table: step(table) / seeds


def _floor(case: str, *, seeds: int = 1, overlapping: bool = False) -> Measure:
    """The floor of a step of the nonparametric VAE, Z = 500, from what ``case`` measured; in seconds."""

    def best(table: pd.DataFrame, start: str) -> pd.Series:
        rows = table[(table["case"] == case) & table["what"].str.startswith(start)]
        return rows.dropna(subset="median").groupby(["run", "round"])["median"].max()

    def measure(table: pd.DataFrame) -> pd.Series:
        model = build("npvae", 500, seed=0)
        limits = pd.concat([best(table, "bfloat16"), best(table, "copy")], axis=1).dropna()
        values = [
            seeds * floor.seconds(model, 128, rate=rate, bandwidth=bandwidth, overlapping=overlapping)
            for rate, bandwidth in limits.to_numpy()
        ]
        return pd.Series(values, index=limits.index, dtype=float)

    return measure


def exponent(sizes: np.ndarray, seconds: np.ndarray) -> float:
    """The slope of time against size, both logarithmic, over the upper half of the sizes ``[N]``, sorted."""
    upper = len(sizes) // 2
    return float(np.polyfit(np.log(sizes[upper:]), np.log(seconds[upper:]), 1)[0])


def curve(table: pd.DataFrame, case: str, what: str) -> pd.DataFrame:
    """``at``, ``median``, ``low`` and ``high`` of a quantity, by size; empty where it was not measured."""
    rows = table[(table["case"] == case) & (table["what"] == what)].dropna(subset="median")
    return rows.groupby("at")[["median", "low", "high"]].median().reset_index()


def _exponent(case: str, what: str) -> Measure:
    def measure(table: pd.DataFrame) -> pd.Series:
        points = curve(table, case, what)
        values = [exponent(points["at"].to_numpy(), points["median"].to_numpy())] if len(points) > 2 else []
        return pd.Series(values, dtype=float)

    return measure


GOALS = [
    Goal(
        "CPU, an epoch of the nonparametric VAE, Z = 500: speed against the textbook loop with a DataLoader",
        _ratio(_value("dataloader", "npvae"), _value("ours", "npvae")),
        ("ours", "dataloader"),
        "×",
        least=3.5,
    ),
    Goal(
        "the same, against the textbook loop over images in memory",
        _ratio(_value("in-memory", "npvae"), _value("ours", "npvae")),
        ("ours", "in-memory"),
        "×",
        least=2.5,
    ),
    Goal(
        "the same, time over its floor",
        _ratio(_value("ours", "npvae"), _floor("limits")),
        ("ours", "limits"),
        "×",
    ),
    Goal(
        "CPU, trainings side by side, as the DAG runs them: throughput against the loop with a DataLoader",
        _ratio(_value("dataloader", "npvae"), _value("side-by-side", "npvae")),
        ("side-by-side", "dataloader"),
        "×",
    ),
    Goal(
        "trainings side by side, against that loop over images in memory",
        _ratio(_value("in-memory", "npvae"), _value("side-by-side", "npvae")),
        ("side-by-side", "in-memory"),
        "×",
    ),
    Goal(
        "CPU, an epoch of the plain VAE, Z = 500: speed against pythae's, over images in memory",
        _ratio(_value("pythae", "vae"), _value("ours", "vae")),
        ("pythae", "ours"),
        "×",
    ),
    Goal(
        "GPU, 8 seeds: epochs a second and model against the textbook loop",
        _ratio(_value("gpu-dataloader", "npvae"), _per_seed(_value("gpu-ours", "npvae", 8), 8)),
        ("gpu-ours", "gpu-dataloader"),
        "×",
        least=50,
    ),
    Goal(
        "GPU, 8 seeds: a step's time over its floor",
        _ratio(_value("gpu-ours", "npvae", 8), _floor("gpu-limits", seeds=8, overlapping=True)),
        ("gpu-ours", "gpu-limits"),
        "×",
        most=2.5,
    ),
    Goal(
        "Prediction through X, 10,000 points over 55,000, Z = 500: speed against KeOps",
        _ratio(_value("prediction", "KeOps"), _value("prediction", "ours")),
        ("prediction",),
        "×",
        least=1,
    ),
    Goal(
        "the same: memory above its data (the setting bounds a temporary to 32 MiB)",
        _value("prediction", "memory"),
        ("prediction",),
        "MiB",
        most=128,
    ),
    Goal(
        "Prediction over 1,000,000 points: memory above its data",
        _value("prediction-scaling", "memory", 1e6),
        ("prediction-scaling",),
        "MiB",
        most=128,
    ),
    Goal(
        "Prediction: exponent of time in the references, to 1,000,000",
        _exponent("prediction-scaling", "references"),
        ("prediction-scaling",),
        "",
        most=1.1,
    ),
    Goal(
        "Prediction: exponent of time in the queries",
        _exponent("prediction-scaling", "queries"),
        ("prediction-scaling",),
        "",
        most=1.1,
    ),
    Goal(
        "Whole run, nothing cached: the figures",
        _value("whole-run", "figures"),
        ("whole-run",),
        "s",
        most=360,
    ),
    Goal("the same: everything", _value("whole-run", "everything"), ("whole-run",), "s", most=960),
    Goal("Nothing to do: `dvc repro`", _value("nothing-to-do", "dvc repro"), ("nothing-to-do",), "s", most=4),
    Goal("Nothing to do: `snakemake`", _value("nothing-to-do", "snakemake"), ("nothing-to-do",), "s", most=4),
    Goal(
        "What DVC adds to a stage, its imports apart",
        _value("nothing-to-do", "one stage"),
        ("nothing-to-do",),
        "s",
        most=2,
    ),
    Goal(
        "All restored from the cache: `dvc checkout`, after which `snakemake` finds nothing to do",
        _value("restoring", "dvc checkout, snakemake"),
        ("restoring",),
        "s",
        most=20,
    ),
    Goal("the same: `dvc repro`", _value("restoring", "dvc repro"), ("restoring",), "s", most=20),
    Goal("the same: `snakemake` alone", _value("restoring", "snakemake"), ("restoring",), "s", most=20),
    Goal("`npvae --help`", _value("start-up", "npvae --help"), ("start-up",), "s", most=1),
    Goal("CPU, exponent of a step's time in Z, 2 to 2,000", _exponent("scaling-z", "z"), ("scaling-z",), ""),
    Goal("the same, in the batch, 128 to 4,096", _exponent("scaling-batch", "batch"), ("scaling-batch",), ""),
    Goal("the same, in the seeds, 1 to 32", _exponent("scaling-seeds", "seeds"), ("scaling-seeds",), ""),
    Goal("GPU, the same three: in Z", _exponent("gpu-scaling", "z"), ("gpu-scaling",), ""),
    Goal("in the batch", _exponent("gpu-scaling", "batch"), ("gpu-scaling",), ""),
    Goal("in the seeds", _exponent("gpu-scaling", "seeds"), ("gpu-scaling",), ""),
]
