"""The table and the picture, from the rows of ``timings.csv``."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from benchmarks import machine
from benchmarks.goals import EPOCH, GOALS, curve, exponent, number
from npvae.figures import style
from npvae.files import write_atomically

COLUMNS = ["run", "round", "case", "what", "at", "unit", "median", "low", "high", "repetitions", "note"]
PANELS = (
    ("Z", "z", "dimension of Z"),
    ("B", "batch", "images in a batch"),
    ("S", "seeds", "seeds in a step"),
)
DEVICES = (("CPU", style.ACCENT), ("GPU", style.PALETTE[7]))
_LEFT, _BOTTOM, _HEIGHT, _GAP = 0.55, 0.36, 1.1, 0.45  # inches


def load(folder: Path) -> pd.DataFrame:
    """``timings.csv``, with a note in every row."""
    return pd.read_csv(folder / "timings.csv").fillna({"note": "", "what": ""})


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
    """Case, quantity, place on its curve, median, quartiles and repetitions over all rounds, or why not."""
    rows = []
    for (case, what, at), group in table.groupby(["case", "what", "at"], dropna=False, sort=False):
        place = "" if np.isnan(at) else f"{at:,.0f}"
        measured = group.dropna(subset="median")
        if measured.empty:
            rows.append((case, what, place, "not measured", group["note"].iloc[0], ""))
            continue
        unit = measured["unit"].iloc[0]
        median, low, high = (_scaled(measured[key].median(), unit) for key in ("median", "low", "high"))
        rows.append((case, what, place, median, f"{low} to {high}", f"{measured['repetitions'].sum():.0f}"))
    return rows


def page(table: pd.DataFrame, machines: dict[str, dict[str, Any]]) -> str:
    """``table.md``.

    Args:
        table: the rows of ``timings.csv``.
        machines: what each run ran on, by its date.
    """
    runs = "".join(
        f"- {date}, {', '.join(f'`{case}`' for case in table[table['run'] == date]['case'].unique())}: "
        f"{machine.sentence(description)}\n"
        for date, description in machines.items()
    )
    return f"""# Benchmarks

Made by `make bench`. A ratio compares medians of the same round of the same run; in brackets is its range
over the rounds. Absolute times on shared machines are noise.

{runs}
## Goals

{_markdown(["what", "goal", "measured", "verdict"], [goal.row(table) for goal in GOALS])}
The floor is the arithmetic of a step's matrix products at the measured bfloat16 rate and Adam's traffic at
the measured bandwidth: their sum on a CPU, the larger on a GPU. Exponents are fitted to the upper half of
the sizes.

![A step's time against its sizes](scaling.png)

## Timings

Of training, the time of a step ({EPOCH} to an epoch). "At" is the threads (limits), the loading processes
(dataloader), the seeds (gpu-ours), or the size that a scaling is against. Quartiles are within a round; of
these and of the medians, the median over rounds is shown.

{_markdown(["case", "what", "at", "median", "quartiles", "repetitions"], timing_rows(table))}"""


def _draw_curve(axes: Axes, points: pd.DataFrame, symbol: str, device: str, colour: str) -> None:
    sizes, times = points["at"].to_numpy(), 1e3 * points["median"].to_numpy()
    spread = 1e3 * np.abs(points[["low", "high"]].to_numpy().T - points["median"].to_numpy())
    axes.errorbar(
        sizes, times, spread, fmt="o", color=colour, markersize=3.5, markeredgewidth=0, elinewidth=0.8
    )
    slope = exponent(sizes, times)
    upper = sizes[len(sizes) // 2 :]
    centre = np.exp(np.log(times[len(sizes) // 2 :]).mean() - slope * np.log(upper).mean())
    label = f"{device}: ${symbol}^{{{slope:.2f}}}$"
    axes.plot(upper, centre * upper**slope, color=colour, linewidth=0.9, label=label)


def draw(table: pd.DataFrame) -> Figure:
    """Milliseconds of a step of the nonparametric VAE against Z, batch and seeds, with fitted exponents."""
    with style.styled():
        height = _BOTTOM + len(PANELS) * (_HEIGHT + _GAP) - _GAP + 0.1
        width = style.COLUMN - _LEFT - 0.1
        figure = Figure(figsize=(style.COLUMN, height))
        for row, (symbol, what, label) in enumerate(PANELS):
            bottom = height - 0.1 - _HEIGHT - row * (_HEIGHT + _GAP)
            axes = style.panel(figure, _LEFT, bottom, width, _HEIGHT)
            curves = {
                device: curve(table, f"scaling-{what}" if device == "CPU" else "gpu-scaling", what)
                for device, _ in DEVICES
            }
            for device, colour in DEVICES:
                if len(curves[device]) > 2:
                    _draw_curve(axes, curves[device], symbol, device, colour)
            sizes = sorted({size for points in curves.values() for size in points["at"]})
            axes.set(xlabel=label, ylabel="ms a step")
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
            axes.legend(loc="upper left", frameon=False, handlelength=1.2)
    return figure


def write(folder: Path) -> None:
    """``table.md`` and ``scaling.png`` and ``.pdf``, from what was measured in ``folder``."""
    table = load(folder)
    write_atomically(folder / "table.md", page(table, machine.read(folder)))
    style.save(draw(table), folder / "scaling.png", folder / "scaling.pdf")
