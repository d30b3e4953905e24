"""The table and the picture, from the rows of ``timings.csv``."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from benchmarks import classes, machine
from benchmarks.cases.million import COMMANDS, SIZES
from benchmarks.goals import EPOCH, GOALS, GPU_GOALS, STEPS, curve, number
from npvae.figures import style
from npvae.files import write_atomically

COLUMNS = [
    *("run", "round", "case", "class", "what", "at"),
    *("unit", "median", "low", "high", "repetitions", "note"),
]
PANELS = {"z": "dimension of Z", "batch": "images in a batch", "seeds": "seeds in a step"}
COLOURS = {"avx2": style.MUTED, "bfloat16": style.ACCENT, classes.GPU: style.BLUE}
OTHER = style.VIOLET
_LEFT, _BOTTOM, _HEIGHT, _GAP, _TOP = 0.55, 0.36, 1.1, 0.57, 0.22  # inches
_MILLION = """
What the pipeline's commands take on a user's own images (MNIST's, shifted and turned): one epoch of the
nonparametric VAE, Z = 20, its networks a fifth as wide as the paper's; z~ sums over all images.

![Up to a million images](million.png)
"""


def load(folder: Path) -> pd.DataFrame:
    """``timings.csv``, with a note in every row."""
    return pd.read_csv(folder / "timings.csv").fillna({"note": "", "what": ""})


def merge(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """The new rows, and the old ones of each case and class that is not among them.

    What can't be measured here, such as another class, stays as it was measured elsewhere.
    """

    def keys(table: pd.DataFrame) -> pd.MultiIndex:
        return pd.MultiIndex.from_frame(table[["case", "class"]])

    known = keys(new[new["median"].notna() | new["note"].str.startswith("failed")])
    new = new[keys(new).isin(known) | ~keys(new).isin(keys(old.dropna(subset="median")))]
    return pd.concat([old[~keys(old).isin(keys(new))], new])


def cpu_classes(table: pd.DataFrame) -> list[str]:
    """Those with goals, then any others in the table."""
    found = (kind for kind in table["class"].unique() if kind != classes.GPU)
    return list(dict.fromkeys([*classes.CLASSES, *found]))


def _scaled(value: float, unit: str) -> str:
    factor, name = {
        "s": (1, "s") if value >= 1 else (1e3, "ms"),
        "operations/s": (1e-9, "Gop/s"),
        "B/s": (1e-9, "GB/s"),
    }.get(unit, (1, unit))
    return f"{number(value * factor)} {name}"


def _markdown(head: list[str], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def timing_rows(table: pd.DataFrame) -> list[tuple[str, ...]]:
    """Case, class, quantity, place on its curve, median, quartiles, repetitions in all rounds; or why not."""
    rows = []
    for (*names, at), group in table.groupby(["case", "class", "what", "at"], dropna=False, sort=False):
        place = "" if np.isnan(at) else f"{at:,.0f}"
        measured = group.dropna(subset="median")
        if measured.empty:
            rows.append((*names, place, "not measured", group["note"].iloc[0], ""))
            continue
        unit = measured["unit"].iloc[0]
        median, low, high = (_scaled(measured[key].median(), unit) for key in ("median", "low", "high"))
        rows.append((*names, place, median, f"{low} to {high}", f"{measured['repetitions'].sum():.0f}"))
    return rows


def _cases(table: pd.DataFrame) -> str:
    cases = table.groupby("class", sort=False)["case"].unique()
    return "; ".join(f"{kind} {', '.join(f'`{case}`' for case in names)}" for kind, names in cases.items())


def page(table: pd.DataFrame, machines: dict[str, dict[str, Any]]) -> str:
    """``table.md``.

    Args:
        table: the rows of ``timings.csv``.
        machines: what each run ran on, by its date.
    """
    kinds = cpu_classes(table)
    settings = " ".join(f"{name}={value}" for name, value in classes.AVX2.items())
    runs = "".join(
        f"- {date}, {_cases(table[table['run'] == date])}: {machine.sentence(description)}\n"
        for date, description in machines.items()
    )
    million = "" if curve(table, "million", "train").empty else _MILLION
    return f"""# Benchmarks

Made by `make bench`. A ratio compares medians of the same round of the same run, in the same class of CPU;
in brackets is its range over the rounds. Absolute times on shared machines are noise.

A CPU is of the class bfloat16 if it multiplies that in hardware. As avx2, it multiplies float32, and was
told before Python started to use nothing newer: `{settings}`.

{runs}
## Goals

{_markdown(["what", "goal", *kinds], [goal.row(table, kinds) for goal in GOALS])}
{_markdown(["on a GPU", "goal", "measured"], [goal.row(table, [classes.GPU]) for goal in GPU_GOALS])}
A step of the nonparametric VAE, Z = 500:

{_markdown(["step", *kinds], [(step.name, *(step.cell(table, kind) for kind in kinds)) for step in STEPS])}
The floor is the arithmetic of a step's matrix products and Adam's traffic at the measured bandwidth: their
sum on a CPU, the larger on a GPU. The products count at the class's own measured rate, in the precision that
`auto` stands for: bfloat16 there and on a GPU, float32 elsewhere. Exponents are fitted to the upper half of
the sizes.

![A step's time against its sizes](scaling.png)
{million}
## Timings

Of training, the time of a step ({EPOCH} to an epoch). "At" is the threads (limits), the loading processes
(dataloader), the seeds (gpu-ours), or the size that a scaling is against. Quartiles are within a round; of
these and of the medians, the median over rounds is shown.

{_markdown(["case", "class", "what", "at", "median", "quartiles", "repetitions"], timing_rows(table))}"""


def _draw_curve(axes: Axes, points: pd.DataFrame, kind: str) -> None:
    sizes, times = points["at"].to_numpy(), 1e3 * points["median"].to_numpy()
    spread = 1e3 * np.abs(points[["low", "high"]].to_numpy().T - points["median"].to_numpy())
    axes.errorbar(
        sizes,
        times,
        spread,
        fmt="o-",
        color=COLOURS.get(kind, OTHER),
        linewidth=0.9,
        markersize=3.5,
        markeredgewidth=0,
        elinewidth=0.8,
        label=kind,
    )


def draw(table: pd.DataFrame) -> Figure:
    """Milliseconds of a step of the nonparametric VAE against Z, batch and seeds."""
    groups = list(table.groupby("class"))
    with style.styled():
        height = _BOTTOM + len(PANELS) * (_HEIGHT + _GAP) - _GAP + _TOP
        width = style.COLUMN - _LEFT - 0.1
        figure = Figure(figsize=(style.COLUMN, height))
        for row, (what, label) in enumerate(PANELS.items()):
            bottom = height - _TOP - _HEIGHT - row * (_HEIGHT + _GAP)
            axes = style.panel(figure, _LEFT, bottom, width, _HEIGHT)
            curves = {
                kind: curve(rows, "gpu-scaling" if kind == classes.GPU else f"scaling-{what}", what)
                for kind, rows in groups
            }
            for kind, points in curves.items():
                if len(points) > 2:
                    _draw_curve(axes, points, kind)
            sizes = sorted({size for points in curves.values() for size in points["at"]})
            axes.set(xlabel=label, ylabel="ms per step")
            axes.yaxis.set_label_coords(-0.75 * _LEFT / width, 0.5)
            if not sizes:
                axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", color=style.MUTED)
                continue
            axes.set(xscale="log", yscale="log")
            axes.set_xticks(sizes, [f"{size:,.0f}" for size in sizes])
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_minor_locator(NullLocator())
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
            axes.tick_params(length=2, width=0.5, color=style.FAINT, labelsize=style.SMALL)
            axes.grid(color=style.FAINT, linewidth=0.3)
            above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.1, "borderpad": 0.2}
            axes.legend(ncols=len(curves), frameon=False, handlelength=1.2, columnspacing=1, **above)
    return figure


def draw_million(table: pd.DataFrame) -> Figure:
    """Seconds and memory of the pipeline's commands against the number of images of a user's own."""
    with style.styled():
        width = style.COLUMN - _LEFT - 0.1
        figure = Figure(figsize=(style.COLUMN, _BOTTOM + 2 * _HEIGHT + _GAP + _TOP))
        for row, (suffix, unit) in enumerate((("", "seconds"), (" memory", "MiB at the highest"))):
            axes = style.panel(figure, _LEFT, _BOTTOM + (1 - row) * (_HEIGHT + _GAP), width, _HEIGHT)
            for colour, command in zip(style.PALETTE, COMMANDS, strict=False):
                points = curve(table, "million", command + suffix)
                axes.plot(points["at"], points["median"], "o-", color=colour, lw=0.9, ms=3, label=command)
            axes.set(xscale="log", yscale="log", ylabel=unit, xlabel="thousand images")
            axes.set_xticks(SIZES, [f"{size // 1_000:,}" for size in SIZES])
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_minor_locator(NullLocator())
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
            axes.yaxis.set_label_coords(-0.75 * _LEFT / width, 0.5)
            axes.tick_params(length=2, width=0.5, color=style.FAINT, labelsize=style.SMALL)
            axes.grid(color=style.FAINT, linewidth=0.3)
        above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.1, "borderpad": 0.2}
        tight = {"handlelength": 0.8, "handletextpad": 0.3, "columnspacing": 0.6, "fontsize": style.SMALL}
        figure.axes[0].legend(ncols=len(COMMANDS), frameon=False, **above, **tight)
    return figure


def write(folder: Path) -> None:
    """``table.md`` and its pictures, from what was measured in ``folder``."""
    table = load(folder)
    if not curve(table, "million", "train").empty:
        style.save(draw_million(table), folder / "million.png", folder / "million.pdf")
    write_atomically(folder / "table.md", page(table, machine.read(folder)))
    style.save(draw(table), folder / "scaling.png", folder / "scaling.pdf")
