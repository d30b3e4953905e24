"""The goals and what came out, as ratios of medians of one round and class, from ``timings.csv``."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks import classes, floor
from npvae.model.vae import build

EPOCH = 429  # steps: 55,000 images in batches of 128, the incomplete one left out

Measure = Callable[[pd.DataFrame], pd.Series]  # from a class's rows to a value a round; none if not measured
Bound = float | dict[str, float]  # of all classes, or by class


class Goal(NamedTuple):
    """A goal, or with no target a comparison.

    Args:
        name: what is measured.
        measure: from the rows of one class to its values, one a round; none if something was not measured.
        cases: whose rows it takes; their notes say why something was not measured.
        unit: of the values.
        least: they should be this or more.
        most: they should be this or less.
    """

    name: str
    measure: Measure
    cases: tuple[str, ...]
    unit: str
    least: Bound | None = None
    most: Bound | None = None

    @property
    def target(self) -> str:
        """In words."""
        word, bound = ("at most", self.most) if self.least is None else ("at least", self.least)
        if bound is None:
            return "none"
        if not isinstance(bound, dict):
            return f"{word} {bound:g} {self.unit}".strip()
        return f"{word} " + ", ".join(f"{value:g} {self.unit} ({kind})" for kind, value in bound.items())

    def verdict(self, value: float, kind: str) -> str:
        """``met``, or by how much it is missed; nothing for a class without a target."""
        least, most = _of_class(self.least, kind), _of_class(self.most, kind)
        if least is not None:
            missed = least / value - 1
        elif most is not None:
            missed = value / most - 1
        else:
            return ""
        return "met" if missed <= 0 else f"missed by {100 * missed:.0f} %"

    def cell(self, table: pd.DataFrame, kind: str) -> str:
        """Measured value (range over rounds) and verdict, of one class."""
        table = table[table["class"] == kind]
        values = self.measure(table)
        if values.empty:
            return f"not measured: {_reason(table, self.cases)}"
        middle = values.median()
        measured = f"{number(middle)} {self.unit}".strip()
        if len(values) > 1:
            measured += f" ({number(values.min())} to {number(values.max())})"
        verdict = self.verdict(middle, kind)
        return f"{measured}: {verdict}" if verdict else measured

    def row(self, table: pd.DataFrame, kinds: Sequence[str]) -> tuple[str, ...]:
        """Goal, target, and a cell for each class."""
        return self.name, self.target, *(self.cell(table, kind) for kind in kinds)


def _of_class(bound: Bound | None, kind: str) -> float | None:
    return bound.get(kind) if isinstance(bound, dict) else bound


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
    return "not all of it in one run"


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


def _times(factor: float, measure: Measure) -> Measure:
    return lambda table: factor * measure(table)


def _floor(case: str, *, seeds: int = 1, overlapping: bool = False) -> Measure:
    """The floor of a step of the nonparametric VAE, Z = 500, from what ``case`` measured; in seconds."""

    def best(table: pd.DataFrame, start: str) -> pd.Series:
        rows = table[(table["case"] == case) & table["what"].str.startswith(start)]
        return rows.dropna(subset="median").groupby(["run", "round"])["median"].max()

    def measure(table: pd.DataFrame) -> pd.Series:
        model, precision = build("npvae", 500, seed=0), classes.precision(next(iter(table["class"]), ""))
        limits = pd.concat([best(table, precision), best(table, "copy")], axis=1).dropna()
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
        "An epoch of the nonparametric VAE, Z = 500: speed against the textbook loop with a DataLoader",
        _ratio(_value("dataloader", "npvae"), _value("ours", "npvae")),
        ("ours", "dataloader"),
        "×",
        least={"bfloat16": 3.5},
    ),
    Goal(
        "the same, against the textbook loop over images in memory",
        _ratio(_value("in-memory", "npvae"), _value("ours", "npvae")),
        ("ours", "in-memory"),
        "×",
        least={"bfloat16": 2.5},
    ),
    Goal(
        "the same, against ours with `float32` asked for: nowhere slower (0.95 leaves room for noise)",
        _ratio(_value("ours", "npvae float32"), _value("ours", "npvae")),
        ("ours",),
        "×",
        least=0.95,
    ),
    Goal(
        "the same, time over its floor",
        _ratio(_value("ours", "npvae"), _floor("limits")),
        ("ours", "limits"),
        "×",
        most={"avx2": 1.3},
    ),
    Goal(
        "Trainings side by side, as the DAG runs them: throughput against the loop with a DataLoader",
        _ratio(_value("dataloader", "npvae"), _value("side-by-side", "npvae")),
        ("side-by-side", "dataloader"),
        "×",
        least={"avx2": 1.8},
    ),
    Goal(
        "trainings side by side, against that loop over images in memory",
        _ratio(_value("in-memory", "npvae"), _value("side-by-side", "npvae")),
        ("side-by-side", "in-memory"),
        "×",
    ),
    Goal(
        "An epoch of the plain VAE, Z = 500: speed against pythae's, over images in memory",
        _ratio(_value("pythae", "vae"), _value("ours", "vae")),
        ("pythae", "ours"),
        "×",
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
    *(
        Goal(
            f"1,000,000 images of a user's own, 748 MiB: memory of `npvae {command}`",
            _value("million", f"{command} memory", 1e6),
            ("million",),
            "MiB",
            most=most,
        )
        for command, most in (("data", 256), ("train", 2_048), ("embed", 2_048), ("generate", 3_072))
    ),
    Goal(
        "the same: memory of `npvae measure`", _value("million", "measure memory", 1e6), ("million",), "MiB"
    ),
    *(
        Goal(
            f"`npvae {command}`: exponent of time in the images, to 1,000,000",
            _exponent("million", command),
            ("million",),
            "",
            most=1.1,
        )
        for command in ("data", "train", "embed", "generate", "measure")
    ),
    Goal(
        "Whole run, nothing cached: the figures (the goals are for 2 cores)",
        _value("whole-run", "figures"),
        ("whole-run",),
        "s",
        most={"avx2": 720, "bfloat16": 360},
    ),
    Goal(
        "the same: everything",
        _value("whole-run", "everything"),
        ("whole-run",),
        "s",
        most={"bfloat16": 960},
    ),
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
    Goal("Exponent of a step's time in Z, 2 to 2,000", _exponent("scaling-z", "z"), ("scaling-z",), ""),
    Goal("the same, in the batch, 128 to 4,096", _exponent("scaling-batch", "batch"), ("scaling-batch",), ""),
    Goal("the same, in the seeds, 1 to 32", _exponent("scaling-seeds", "seeds"), ("scaling-seeds",), ""),
]

GPU_GOALS = [
    Goal(
        "8 seeds: epochs a second and model against the textbook loop",
        _ratio(_value("gpu-dataloader", "npvae"), _times(1 / 8, _value("gpu-ours", "npvae", 8))),
        ("gpu-ours", "gpu-dataloader"),
        "×",
        least=50,
    ),
    Goal(
        "8 seeds: a step's time over its floor",
        _ratio(_value("gpu-ours", "npvae", 8), _floor("gpu-limits", seeds=8, overlapping=True)),
        ("gpu-ours", "gpu-limits"),
        "×",
        most=2.5,
    ),
    Goal("Exponent of a step's time in Z", _exponent("gpu-scaling", "z"), ("gpu-scaling",), ""),
    Goal("the same, in the batch", _exponent("gpu-scaling", "batch"), ("gpu-scaling",), ""),
    Goal("the same, in the seeds", _exponent("gpu-scaling", "seeds"), ("gpu-scaling",), ""),
]

# A step of the nonparametric VAE, Z = 500
STEPS = [
    Goal(name, _times(1e3, measure), (case,), "ms")
    for name, case, measure in (
        ("ours", "ours", _value("ours", "npvae")),
        ("ours, `float32` asked for", "ours", _value("ours", "npvae float32")),
        ("side by side: over the number of trainings", "side-by-side", _value("side-by-side", "npvae")),
        ("textbook loop with a DataLoader", "dataloader", _value("dataloader", "npvae")),
        ("textbook loop over images in memory", "in-memory", _value("in-memory", "npvae")),
        ("floor", "limits", _floor("limits")),
    )
]
