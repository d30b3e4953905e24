"""The sweep: differences against scipy and by hand, in words, in numbers and at their place in the figure."""

import math
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from scipy import stats

from npvae.errors import NpvaeError
from npvae.figures import differences, style, sweep
from npvae.figures.differences import MEASURES

CHANGES = (
    "npvae.match_weight=0.0",
    "train.epochs=60",
    "network.activations=relu",
    "train.epochs=100",
    "npvae.match_gradient=own",
    "train.precision=float32",
    "npvae.x_dropout=0.0",
    "predict.reference_images=1000",
)
EFFECTS = {"npvae.match_weight=0.0": 60.0, "train.epochs=60": -1.5}
MINUS = "\N{MINUS SIGN}"


def values(
    z_dims: Mapping[int, tuple[str, ...]] | None = None,
    seeds: int = 3,
    effects: Mapping[str, float] = EFFECTS,
) -> pd.DataFrame:
    """Made-up measures as the points' tables have them; two classifiers look at samples and midpoints."""
    random = np.random.default_rng(0)
    rows = []
    for z_dim, changes in (z_dims or {20: CHANGES, 500: CHANGES[:2]}).items():
        for change in ("default", *changes):
            for seed in range(seeds):
                for measure in MEASURES:
                    crossed = measure in {"sample_mmd2", "linear_x_midpoint_confidence"}
                    for classifier in (0, 1) if crossed else (None,):
                        value = 100 + z_dim / 10 + effects.get(change, 0.0) + random.normal(0, 0.3)
                        rows.append((z_dim, change, seed, classifier, measure, value))
    return pd.DataFrame(rows, columns=["z_dim", "change", "seed", "classifier", "measure", "value"])


def of(table: pd.DataFrame, z_dim: int, change: str, measure: str) -> pd.DataFrame:
    chosen = (table["z_dim"] == z_dim) & (table["change"] == change) & (table["measure"] == measure)
    return table[chosen]


def panel(figure: Figure, measure: str) -> Axes:
    return figure.axes[list(MEASURES).index(measure)]


def test_measures_that_were_not_taken_have_no_panel_and_no_column() -> None:
    untold = ("reconstruction", "reconstruction_from_x", "negative_log_likelihood", "match_r2")
    found = differences.differences(values()[lambda rows: rows["measure"].isin(untold)])
    page = differences.page(found, seeds=3)
    assert "digits told" not in page
    assert "reconstruction from X" in page
    assert len(sweep.draw(found).axes) == len(untold) + 1  # and the key


@pytest.mark.parametrize("counts", [(3, 3), (3, 8), (2, 5)])
def test_an_interval_is_scipys(counts: tuple[int, int]) -> None:
    random = np.random.default_rng(1)
    first, second = (random.normal(place, 1 + place, count) for place, count in enumerate(counts))
    found, half = differences.welch(first, second)
    expected = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    assert (found - half, found + half) == pytest.approx((expected.low, expected.high))


def test_an_interval_is_welchs_by_hand() -> None:
    # variances 1 and 4, 3 seeds each: standard error sqrt(5/3), 25 / (1/2 + 16/2) degrees of freedom
    found, half = differences.welch(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0]))
    assert found == -2.0
    assert half == pytest.approx(stats.t.ppf(0.975, 50 / 17) * math.sqrt(5 / 3))


def test_one_training_has_no_interval_and_equal_ones_one_of_no_width() -> None:
    assert differences.welch(np.array([3.0]), np.array([1.0])) == (2.0, math.inf)
    assert differences.welch(np.array([3.0, 3.0]), np.array([1.0, 1.0])) == (2.0, 0.0)


def test_a_point_is_compared_with_the_default_of_its_z_and_classifiers_are_averaged_first() -> None:
    table = values()
    found = differences.differences(table)
    for z_dim, change, measure in ((500, "train.epochs=60", "sample_mmd2"), (20, CHANGES[3], "match_r2")):
        seeds = {
            name: of(table, z_dim, name, measure).groupby("seed")["value"].mean().to_numpy()
            for name in ("default", change)
        }
        assert all(len(one) == 3 for one in seeds.values())
        expected = stats.ttest_ind(seeds[change], seeds["default"], equal_var=False).confidence_interval()
        [one] = of(found, z_dim, change, measure).itertuples()
        assert one.mean == pytest.approx(seeds[change].mean())
        assert one.difference == pytest.approx(seeds[change].mean() - seeds["default"].mean())
        assert one.half == pytest.approx((expected.high - expected.low) / 2)


def test_the_default_has_the_interval_of_its_mean() -> None:
    table = values()
    [one] = of(differences.differences(table), 20, "default", "reconstruction").itertuples()
    seeds = of(table, 20, "default", "reconstruction")["value"]
    low, high = stats.t.interval(0.95, 2, seeds.mean(), stats.sem(seeds))
    assert (one.difference, one.half) == (0, pytest.approx((high - low) / 2))


def test_without_a_default_there_is_nothing_to_compare_with() -> None:
    table = values()
    with pytest.raises(NpvaeError, match="z500-default: digit_accuracy is missing"):
        differences.differences(table[(table["z_dim"] == 20) | (table["change"] != "default")])


@pytest.mark.parametrize(
    ("change", "group", "words"),
    [
        ("npvae.match_weight=0.0", "objective", "no match (weight 0)"),
        ("npvae.match_weight=0.3", "objective", "match weight 0.3"),
        ("npvae.match_gradient=x", "objective", "gradient to X and l alone"),
        ("npvae.x_dropout=0.0", "network", "no drop-out to X"),
        ("network.dropout=0.9", "network", "drop-out 0.9"),
        ("train.batch_size=2048", "optimisation", "batches of 2,048"),
        ("train.drop_last=false", "optimisation", "drop last false"),
        ("predict.reference_images=1000", "prediction", "z~ from 1,000 images"),
    ],
)
def test_a_change_is_said_in_words_in_its_group(change: str, group: str, words: str) -> None:
    assert differences.in_words(change) == (group, words)


@pytest.mark.parametrize(
    ("value", "half", "text"),
    [
        (-2.3456, 0.712, f"{MINUS}2.35 ± 0.71"),
        (118.13, 12.3, "+118 ± 12"),
        (0.00012, 0.002, "+0.0001 ± 0.0020"),
        (-0.0001, 0.02, "0.000 ± 0.020"),
        (0.01234, math.inf, "+0.0123"),
        (-62.191, math.inf, f"{MINUS}62.2"),
        (0.0, 0.0, "0 ± 0"),
    ],
)
def test_numbers_have_two_digits_of_their_interval(value: float, half: float, text: str) -> None:
    assert differences.rounded(value, half, sign="+") == text


def test_the_page_has_the_numbers_of_the_figure() -> None:
    page = differences.page(differences.differences(values()), seeds=3)
    assert "3 trainings" in page
    assert page.index("## 20 dimensions") < page.index("## 500 dimensions")
    rows = {
        line.split("|")[1].strip(): line.split("|")[2:-1]
        for line in page.splitlines()
        if line.startswith("| ")
    }
    assert rows["**the default**"][1].strip().startswith("150")  # the later one, Z = 500
    changed = rows["no match (weight 0)<br>`npvae.match_weight=0.0`"]
    assert len(changed) == len(MEASURES)
    assert all(cell.strip().startswith("**+") for cell in changed)
    assert "`network.activations=relu`" not in page[page.index("## 500") :]
    assert "believed" not in page


def test_the_page_tells_how_far_the_process_can_be_believed_where_there_is_one() -> None:
    point = "npvae.divergence=joint"
    table = values({20: (point,)})
    calibrated = [
        (20, point, seed, None, measure, value + seed / 100)
        for seed in range(3)
        for measure, value in (("z_coverage", 0.8), ("match_r2_process", 0.6))
    ]
    table = pd.concat([table, pd.DataFrame(calibrated, columns=list(table.columns))])
    page = differences.page(differences.differences(table), seeds=3)
    [row] = [line for line in page.splitlines() if line.startswith("| exact, joint (Eq. 1), Z = 20")]
    assert [cell.strip() for cell in row.split("|")[2:4]] == ["0.810", "0.610"]


def test_the_window_leaves_out_outliers_alone() -> None:
    usual = np.array([-1.0, -0.5, 0.0, 0.2, 0.5, 1.0, 1.2])
    low, high = sweep.window(np.append(usual, [118.0, -60.0]), np.full(9, 0.3))
    assert -2 < low < -1.3
    assert 1.5 < high < 2.5
    low, high = sweep.window(usual, np.full(7, math.inf))
    assert low < -1
    assert high > 1.2


@pytest.mark.parametrize("difference", [np.zeros(3), np.array([2.0, 0.0, 0.0, 0.0, 0.0])])
def test_the_window_has_a_width_where_nothing_or_little_differs(difference: np.ndarray) -> None:
    low, high = sweep.window(difference, np.zeros(len(difference)))
    assert low < 0 < high


def test_every_difference_stands_in_the_row_of_its_change_with_its_interval() -> None:
    found = differences.differences(values())
    figure = sweep.draw(found)
    axes = panel(figure, "reconstruction")
    dots = {float(line.get_xdata()[0]): line for line in axes.lines if line.get_marker() in {"o", "s"}}
    bars = [line for line in axes.lines if line.get_marker() == "None" and len(set(line.get_ydata())) == 1]
    rows = found[(found["measure"] == "reconstruction") & (found["change"] != "default")]
    low, high = axes.get_xlim()
    heights: dict[str, list[float]] = {}
    for one in rows[rows["difference"].between(low, high)].itertuples():
        line = dots[one.difference]
        assert line.get_marker() == {20: "o", 500: "s"}[one.z_dim]
        assert (line.get_markerfacecolor() == "white") is (one.half >= abs(one.difference))
        ends = [one.difference - one.half, one.difference + one.half]
        [bar] = [bar for bar in bars if np.allclose(bar.get_xdata(), ends)]
        assert bar.get_ydata()[0] == line.get_ydata()[0]
        heights.setdefault(one.change, []).append(float(line.get_ydata()[0]))
    assert sorted(heights, key=lambda change: heights[change][0]) == [  # by group
        "npvae.match_gradient=own",
        "network.activations=relu",
        "npvae.x_dropout=0.0",
        "train.epochs=60",
        "train.epochs=100",
        "train.precision=float32",
        "predict.reference_images=1000",
    ]
    assert heights["train.epochs=60"][1] == pytest.approx(heights["train.epochs=60"][0] + 1)


def test_what_is_clipped_is_marked_with_its_value() -> None:
    many = (*CHANGES, "network.dropout=0.9")
    found = differences.differences(values({20: many}, effects=EFFECTS | {"network.dropout=0.9": -40.0}))
    axes = panel(sweep.draw(found), "reconstruction")
    for change, marker, edge in (("npvae.match_weight=0.0", ">", 1), ("network.dropout=0.9", "<", 0)):
        [one] = of(found, 20, change, "reconstruction").itertuples()
        assert not axes.get_xlim()[0] <= one.difference <= axes.get_xlim()[1]
        [arrow] = [line for line in axes.lines if line.get_marker() == marker]
        assert arrow.get_xdata()[0] == axes.get_xlim()[edge]
        text = f"{one.difference:+.3g}".replace("-", MINUS)
        [label] = [child for child in axes.texts if child.get_text() == text]
        assert isinstance(label, Annotation)
        assert label.xy[1] == arrow.get_ydata()[0]


def test_no_text_leaves_the_figure_or_lies_on_another() -> None:
    figure = sweep.draw(differences.differences(values()))
    figure.draw_without_rendering()
    texts = [text for axes in figure.axes for text in axes.texts if text.get_text()]
    texts += [text for axes in figure.axes if (key := axes.get_legend()) for text in key.get_texts()]
    boxes = [text.get_window_extent() for text in texts]
    for text, box in zip(texts, boxes, strict=True):
        assert box.x0 >= 0, text
        assert box.x1 <= figure.bbox.x1, text
    for one, other in combinations(boxes, 2):
        assert not one.overlaps(other.padded(-1))


def test_one_training_of_each_point_is_drawn_and_written_without_intervals(tmp_path: Path) -> None:
    found = differences.differences(values(seeds=1))
    style.save(sweep.draw(found), tmp_path / "sweep.png")
    page = differences.page(found, seeds=1)
    assert "one training of each" in page
    assert "±" not in page
    assert "**+" not in page


def test_two_drawings_are_the_same_bytes(tmp_path: Path) -> None:
    found = differences.differences(values())
    for name in ("one", "two"):
        style.save(sweep.draw(found), tmp_path / f"{name}.png", tmp_path / f"{name}.pdf")
    for kind in ("png", "pdf"):
        assert (tmp_path / f"one.{kind}").read_bytes() == (tmp_path / f"two.{kind}").read_bytes()
