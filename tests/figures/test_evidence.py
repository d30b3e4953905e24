"""The forest plot, read back as a reader would: rows by their words, differences by the axis."""

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from npvae.figures import evidence, style

READINGS = ("learned length scale", "leave-one-out length scale", "advised setting")
SHORT = {"leave-one-out length scale": "leave-one-out l", "advised setting": "advised"}


def condition(
    label: str,
    difference: float,
    half: float | None,
    outcome: str | None,
    *,
    side: str = "above",
    bound: float = 0.0,
    share: float | None = None,
    plain: float = 1.0,
    name: str = "m",
) -> dict[str, Any]:
    def interval(part: float) -> list[float] | None:
        return None if half is None else [difference - part * half, difference + part * half]

    return {
        "label": label,
        "side": side,
        "bound": bound if share is None else share * plain,
        "relative_bound": share,
        "margin": 0.02 if share is None else share,
        "compared": [{"measure": name, "mean": plain + difference}, {"measure": "plain", "mean": plain}],
        "difference": difference,
        "interval_95": interval(1),
        "interval_90": interval(0.8),
        "outcome": outcome,
    }


def claim(name: str, verdict: str, unit: str, *readings: list[dict[str, Any]]) -> dict[str, Any]:
    found = {reading: {"primary": primary} for reading, primary in zip(READINGS, readings, strict=False)}
    return {"claim": name, "verdict": verdict, "unit": unit, "readings": found}


def nats(
    outcome: str | None, *differences: float, half: float | None = 1.0, name: str = "m"
) -> list[dict[str, Any]]:
    return [
        condition(
            f"Z = {z}", value, half, outcome, side="below", share=0.02, plain=50.0 * (index + 1), name=name
        )
        for index, (z, value) in enumerate(zip((2, 20, 500), differences, strict=False))
    ]


def data(half: float | None = 1.0, outcome: str | None = "supported") -> dict[str, Any]:
    """Two claims: one of relative bounds that does not depend on l, one that does."""
    low = [
        condition("prior", 0.05, half and 0.01, outcome),
        condition("mixture", -0.01, half and 0.005, outcome),
    ]
    other = [{**one, "difference": one["difference"] + 0.1} for one in low]
    for one in other:
        one["compared"] = [{"measure": "m_loo", "mean": 1.1}, one["compared"][1]]
    verdict = "mixed" if outcome else "no verdict"
    return {
        "claims": [
            claim(
                "Reconstruction is not sacrificed",
                verdict,
                "nats",
                nats(outcome, 5, -2, 9, half=half),
                nats(outcome, 5, -2, 9, half=half),
                nats("contradicted", 1, 1, 1, half=half, name="advised"),
            ),
            claim("Samples through X are of high fidelity", verdict, "MMD²", low, other),
        ]
    }


def words(figure: Figure) -> list[Text]:
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]


def rows(axes: Axes) -> list[tuple[str, str, float, list[tuple[float, float]]]]:
    """Name, outcome, difference and intervals (from narrow to wide lines) of each row, downwards."""
    dots = [line for line in axes.lines if line.get_marker() not in ("None", "")]
    lines = [
        line for line in axes.lines if line.get_marker() in ("None", "") and len(set(line.get_ydata())) == 1
    ]
    found = []
    for dot in sorted(dots, key=lambda line: line.get_ydata()[0]):
        [x], [y] = dot.get_data()
        beside = sorted(
            (text for text in axes.texts if text.get_position()[1] == y), key=lambda t: t.get_position()[0]
        )
        name, outcome = (text.get_text() for text in beside)
        own = sorted((line for line in lines if line.get_ydata()[0] == y), key=Line2D.get_linewidth)
        assert all(line.get_color() == dot.get_markeredgecolor() for line in own)
        found.append((name, outcome, float(x), [tuple(map(float, line.get_xdata())) for line in own]))
    return found


def test_every_condition_is_at_its_place_in_every_reading_that_differs() -> None:
    first, second = evidence.draw(data()).axes
    # per cent of the plain VAE's 50, 100 and 150 nats
    relative = [("Z = 2", 10.0, 2.0), ("Z = 20", -2.0, 1.0), ("Z = 500", 6.0, 2 / 3)]
    advised = [2.0, 1.0, 2 / 3]
    found = rows(first)
    assert [row[0] for row in found] == [name for label, _, _ in relative for name in (label, "advised")]
    for (label, value, half), row in zip(relative, found[::2], strict=True):
        assert row[:2] == (label, "supported")
        assert row[2] == pytest.approx(value)
        assert row[3][0] == pytest.approx((value - half, value + half))  # thin: 95 %
        assert row[3][1] == pytest.approx((value - 0.8 * half, value + 0.8 * half))
    assert [row[2] for row in found[1::2]] == pytest.approx(advised)
    assert {row[1] for row in found[1::2]} == {"contradicted"}
    assert [(row[0], row[2]) for row in rows(second)] == [
        ("prior", 0.05),
        ("leave-one-out l", pytest.approx(0.15)),
        ("mixture", -0.01),
        ("leave-one-out l", pytest.approx(0.09)),
    ]


def upright(axes: Axes) -> list[float]:
    return sorted(float(line.get_xdata()[0]) for line in axes.lines if list(line.get_ydata()) == [0, 1])


def test_bounds_and_margins_are_marked_and_the_claims_side_is_the_right_one() -> None:
    below, above = evidence.draw(data()).axes
    assert upright(below) == [0.0, 2.0]
    assert upright(above) == [-0.02, 0.0, 0.0, 0.02]
    for axes, bound, sign in ((below, 2.0, -1), (above, 0.0, 1)):
        left, right = axes.get_xlim()
        assert (right - left) * sign > 0
        [tint] = axes.patches
        box = tint.get_extents().transformed(axes.transData.inverted())
        assert sorted((box.x0, box.x1)) == pytest.approx(sorted((bound, right)))


def test_an_outcome_has_its_colour_and_its_marker() -> None:
    words = ("supported", "contradicted", "equivalent", "undecided")
    looks = []
    for word in words:
        axes = evidence.draw(data(outcome=word)).axes[1]
        [dot, *_] = [line for line in axes.lines if line.get_marker() not in ("None", "")]
        looks.append((to_hex(dot.get_markeredgecolor()), dot.get_marker()))
    assert len({colour for colour, _ in looks}) == len({marker for _, marker in looks}) == 4
    figure = evidence.draw(data())
    [legend] = figure.legends
    named = {text.get_text(): line for text, line in zip(legend.texts, legend.get_lines(), strict=False)}
    assert [(to_hex(named[word].get_color()), named[word].get_marker()) for word in words] == looks


def test_the_reading_that_decides_stands_out() -> None:
    axes = evidence.draw(data()).axes[1]
    dots = [line for line in axes.lines if line.get_marker() not in ("None", "")]
    main, other = dots[0], dots[1]
    assert main.get_markersize() > other.get_markersize()
    assert to_hex(main.get_markerfacecolor()) != to_hex(other.get_markerfacecolor()) == "#ffffff"


def test_without_intervals_differences_are_shown_without_verdict() -> None:
    for axes in evidence.draw(data(half=None, outcome=None)).axes:
        assert all(not row[3] for row in rows(axes))
    assert "no verdict" in {row[1] for row in rows(evidence.draw(data(half=None, outcome=None)).axes[0])}


def test_a_claim_without_conditions_has_no_panel() -> None:
    given = data()
    given["claims"][0]["readings"] = {reading: {"primary": []} for reading in READINGS}
    assert len(evidence.draw(given).axes) == 1


def test_everything_lies_within_its_panel() -> None:
    for axes in evidence.draw(data()).axes:
        low, high = sorted(axes.get_xlim())
        for _, _, value, intervals in rows(axes):
            assert all(low < end < high for end in (value, *(end for pair in intervals for end in pair)))


def test_words_are_legible_whole_and_apart() -> None:
    given = data()
    given["claims"] *= 3
    figure = evidence.draw(given)
    assert figure.get_figwidth() == style.TEXT
    texts = words(figure)
    assert min(text.get_fontsize() for text in texts) >= style.SMALL
    figure.draw_without_rendering()
    boxes = {text: text.get_window_extent() for text in texts}
    for text, box in boxes.items():
        inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
        assert inside, f"{text.get_text()!r} is cut off at {box}"
    for one, other in combinations(boxes, 2):
        apart = not boxes[one].overlaps(boxes[other].padded(-1))
        assert apart, f"{one.get_text()!r} overlaps {other.get_text()!r}"


def test_two_drawings_are_saved_as_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        style.save(evidence.draw(data()), tmp_path / f"{name}.png", tmp_path / f"{name}.pdf")
    for kind in ("png", "pdf"):
        assert (tmp_path / f"one.{kind}").read_bytes() == (tmp_path / f"two.{kind}").read_bytes()
