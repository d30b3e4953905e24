from collections.abc import Sequence
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from npvae.figures import evidence, style

LEVELS = {
    ("vae", "reconstruction"): 80.0,
    ("npvae", "reconstruction"): 85.0,
    ("vae", "digit_accuracy"): 0.74,
    ("npvae", "digit_accuracy"): 0.85,
    ("vae", "sample_mmd2"): 0.04,
    ("npvae", "sample_mmd2"): 0.01,
    ("vae", "sample_confidence"): 0.8,
    ("vae", "linear_z_confidence"): 0.8,
    ("vae", "slerp_z_confidence"): 0.85,
    ("npvae", "linear_x_confidence"): 0.93,
    ("npvae", "match_r2"): 0.6,
}
ACCURACY = {"PCA": 0.42, "t-SNE": 0.95, "UMAP": 0.955}
COMPARATORS = pd.DataFrame(
    [
        (method, measure, value)
        for method, value in ACCURACY.items()
        for measure in ("digit_accuracy", "digit_accuracy_1nn")
    ],
    columns=["method", "measure", "value"],
)
COMPARATORS.loc[COMPARATORS["measure"] == "digit_accuracy_1nn", "value"] = 0.6
REAL = {"sample_mmd2": -0.0004, "sample_confidence": 0.985, "sample_nearest": 6.0}
# panel: the measures shown, by model and path
SHOWN = (
    {("vae", "lines"): "digit_accuracy", ("npvae", "lines"): "digit_accuracy"},
    {("vae", "lines"): "reconstruction", ("npvae", "lines"): "reconstruction"},
    {("vae", "lines"): "sample_mmd2", ("npvae", "lines"): "sample_mmd2"},
    {
        ("vae", "lines"): "linear_z_confidence",
        ("vae", "arcs"): "slerp_z_confidence",
        ("npvae", "lines"): "linear_x_confidence",
    },
    {("npvae", "lines"): "match_r2"},
)
Reading = dict[tuple[str, str, int], list[float]]


def measures(*z_dims: int, seeds: int = 3) -> pd.DataFrame:
    """Made-up measures in no order; each value occurs once."""
    random = np.random.default_rng(0)
    levels = [(*key, z_dim, value) for key, value in LEVELS.items() for z_dim in z_dims]
    rows = [
        (model, z_dim, seed, measure, value * random.normal(1, 0.02))
        for model, measure, z_dim, value in levels
        for seed in range(seeds)
    ]
    table = pd.DataFrame(rows, columns=["model", "z_dim", "seed", "measure", "value"])
    return table.sample(frac=1, random_state=0)


def drawn(*z_dims: int, seeds: int = 3) -> Figure:
    return evidence.draw(measures(*z_dims, seeds=seeds), COMPARATORS, REAL)


def look(line: Line2D) -> tuple[str, str, str]:
    return to_hex(line.get_color()), str(line.get_marker()), to_hex(line.get_markerfacecolor())


def key(figure: Figure) -> dict[tuple[str, str, str], tuple[str, str]]:
    """What the legend says of each large marker: which model, which paths."""
    [legend] = figure.legends
    names = [text.get_text() for text in legend.texts]
    return {
        look(line): ("npvae" if "nonparametric" in name else "vae", "arcs" if "arcs" in name else "lines")
        for line, name in zip(legend.get_lines(), names, strict=True)
    }


def read(figure: Figure, axes: Axes) -> tuple[Reading, Reading]:
    """Means and seeds as a reader sees them: by the legend, the ticks, and the seeds' distance to means."""
    dots = [line for line in axes.lines if line.get_marker() != "None"]
    large = [line for line in dots if line.get_markersize() > 3]
    small = [line for line in dots if line.get_markersize() < 3]
    labels = [int(label.get_text()) for label in axes.get_xticklabels()]
    named = key(figure)
    means: Reading = {}
    seeds: Reading = {}
    for line in large:
        [x], [y] = line.get_data()
        nearest = min(small, key=lambda other: abs(other.get_xdata()[0] - x))
        assert to_hex(nearest.get_color()) == to_hex(line.get_color())
        small.remove(nearest)
        place = int(np.abs(axes.get_xticks() - x).argmin())
        assert all(abs(spot - axes.get_xticks()[place]) < 0.5 for spot in [x, *nearest.get_xdata()])
        where = (*named[look(line)], labels[place])
        assert where not in means
        means[where] = [y]
        seeds[where] = sorted(nearest.get_ydata())
    assert not small
    return means, seeds


def expected(table: pd.DataFrame, shown: dict[tuple[str, str], str], z_dims: Sequence[int]) -> Reading:
    return {
        (*series, z_dim): sorted(rows["value"])
        for series, measure in shown.items()
        for (model, z_dim, name), rows in table.groupby(["model", "z_dim", "measure"])
        if (model, name) == (series[0], measure) and z_dim in z_dims
    }


def words(figure: Figure) -> list[Text]:
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]


def references(axes: Axes) -> list[float]:
    """Heights of the lines across a panel."""
    lines = [line for line in axes.lines if list(line.get_xdata()) == [0, 1] and line.get_linestyle() == "-"]
    assert all(line.get_ydata()[0] == line.get_ydata()[1] for line in lines)
    return sorted(float(line.get_ydata()[0]) for line in lines)


@pytest.mark.parametrize("z_dims", [(2, 20, 500), (20,), (500, 2, 100, 10, 20)])
@pytest.mark.parametrize("seeds", [1, 3, 8])
def test_every_seed_and_every_mean_is_at_its_place(z_dims: tuple[int, ...], seeds: int) -> None:
    table = measures(*z_dims, seeds=seeds)
    figure = evidence.draw(table, COMPARATORS, REAL)
    assert len(figure.axes) == len(SHOWN)
    for index, (axes, shown) in enumerate(zip(figure.axes, SHOWN, strict=True)):
        ends = sorted({min(z_dims), max(z_dims)})
        ascending = ends if index == 3 else sorted(z_dims)
        assert [label.get_text() for label in axes.get_xticklabels()] == [str(z_dim) for z_dim in ascending]
        means, seen = read(figure, axes)
        values = expected(table, shown, ascending)
        assert seen == values
        assert {place: pytest.approx([np.mean(those)]) for place, those in values.items()} == means


def test_what_was_not_measured_is_not_drawn() -> None:
    table = measures(2, 20, 500)
    unmeasured = (table["model"] == "vae") & (table["measure"] == "digit_accuracy") & (table["z_dim"] > 2)
    figure = evidence.draw(table[~unmeasured], COMPARATORS, REAL)
    assert {where for where in read(figure, figure.axes[0])[0] if where[0] == "vae"} == {("vae", "lines", 2)}
    table = measures(2, 20)
    figure = evidence.draw(table[table["model"] == "npvae"], COMPARATORS[:0], REAL)
    assert {where[0] for axes in figure.axes for where in read(figure, axes)[0]} == {"npvae"}
    assert references(figure.axes[0]) == []


def test_references_are_at_their_values() -> None:
    values = [references(axes) for axes in drawn(2, 20, 500).axes]
    assert values == [sorted(ACCURACY.values()), [], [REAL["sample_mmd2"]], [REAL["sample_confidence"]], []]


@pytest.mark.parametrize(
    "accuracy",
    [ACCURACY, {"a": 0.953, "b": 0.951, "c": 0.952, "d": 0.95}, {"a": 0.6, "b": 0.6}, {"a": 0.1, "b": 0.99}],
)
def test_names_of_references_are_apart_and_led_to_their_lines(accuracy: dict[str, float]) -> None:
    others = pd.DataFrame(
        {"method": list(accuracy), "measure": "digit_accuracy", "value": list(accuracy.values())}
    )
    figure = evidence.draw(measures(2, 20), others, REAL)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    names = {text.get_text().split()[0]: text for text in axes.texts if text.get_text()[-1].isdigit()}
    assert {name: float(text.get_text().split()[1]) for name, text in names.items()} == accuracy
    leaders = [tuple(line.get_ydata()) for line in axes.lines if line.get_xdata()[0] == 1]
    for name, value in accuracy.items():
        assert (value, names[name].xy[1]) in leaders
    ascending = sorted(accuracy, key=lambda name: (accuracy[name], names[name].xy[1]))
    boxes = [names[name].get_window_extent() for name in ascending]
    assert all(upper.y0 > lower.y1 - 0.5 for lower, upper in pairwise(boxes))
    assert boxes[-1].y1 < axes.bbox.y1 + 0.06 * figure.dpi


def test_a_name_with_room_stays_beside_its_line() -> None:
    texts = {text.get_text().split()[0]: text for text in drawn(2).axes[0].texts}
    assert texts["PCA"].xy[1] == pytest.approx(0.42)
    assert texts["UMAP"].xy[1] - 0.955 == pytest.approx(0.95 - texts["t-SNE"].xy[1])


@pytest.mark.parametrize("floor", [-0.02, 0.0, 0.3])
def test_axes_are_linear_and_hold_everything(floor: float) -> None:
    figure = evidence.draw(measures(2, 20, 500), COMPARATORS, {**REAL, "sample_mmd2": floor})
    for axes in figure.axes:
        assert axes.get_yscale() == "linear"
        low, high = axes.get_ylim()
        values = [value for those in read(figure, axes)[1].values() for value in those] + references(axes)
        assert low < min(values) <= max(values) < high


@pytest.mark.parametrize(("shift", "bottom"), [(0.0, 0.0), (-0.9, -0.4)])
def test_match_is_shown_from_zero_or_less_to_one(shift: float, bottom: float) -> None:
    table = measures(2, 20, 500)
    table.loc[table["measure"] == "match_r2", "value"] += shift
    low, high = evidence.draw(table, COMPARATORS, REAL).axes[4].get_ylim()
    assert high == 1
    assert low == pytest.approx(bottom, abs=0.1)
    assert low <= min(0, table.loc[table["measure"] == "match_r2", "value"].min())


@pytest.mark.parametrize("scale", [1, 0.004])
@pytest.mark.parametrize(("z_dims", "seeds"), [((2, 20, 500), 3), ((2,), 1), ((2, 10, 20, 100, 1000), 8)])
def test_words_are_legible_whole_and_apart(z_dims: tuple[int, ...], seeds: int, scale: float) -> None:
    table = measures(*z_dims, seeds=seeds)
    table.loc[table["measure"] == "sample_mmd2", "value"] *= scale
    figure = evidence.draw(table, COMPARATORS, {**REAL, "sample_mmd2": -0.0004 * scale})
    assert figure.get_figwidth() == style.TEXT
    texts = words(figure)
    assert min(text.get_fontsize() for text in texts) >= style.SMALL
    figure.draw_without_rendering()
    boxes = {text: text.get_window_extent() for text in texts}
    for text, box in boxes.items():
        inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
        assert inside, f"{text.get_text()!r} is cut off at {box}"
    for one, other in combinations(boxes, 2):
        apart = not boxes[one].overlaps(boxes[other].padded(-0.5))
        assert apart, f"{one.get_text()!r} overlaps {other.get_text()!r}"


def test_models_differ_in_colour_and_marker() -> None:
    named = key(drawn(2, 20))
    assert len(named) == 3
    looks = {name: look for look, name in named.items()}
    plain, arcs, ours = (looks[name] for name in (("vae", "lines"), ("vae", "arcs"), ("npvae", "lines")))
    assert plain[:2] == arcs[:2] != ours[:2]
    assert plain[1] != ours[1]
    assert plain[2] != arcs[2]


def test_two_drawings_are_saved_as_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        style.save(drawn(2, 20, 500), tmp_path / f"{name}.png", tmp_path / f"{name}.pdf")
    for kind in ("png", "pdf"):
        assert (tmp_path / f"one.{kind}").read_bytes() == (tmp_path / f"two.{kind}").read_bytes()
