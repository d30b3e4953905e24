import math
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from itertools import combinations, pairwise
from pathlib import Path

import daft
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb, to_rgba_array
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, Rectangle
from matplotlib.text import Annotation, Text
from PIL import Image

from npvae.figures import figure1, figure2, figure3, figure4, style
from npvae.settings import ModelName


def table(spaces: str, *, train: int = 300, test: int = 120) -> pd.DataFrame:
    """Ten blobs of digits in each of the spaces, as `npvae embed` writes them."""
    random = np.random.default_rng(1)
    digit = np.arange(train + test) % 10
    columns: dict[str, object] = {"split": ["train"] * train + ["test"] * test, "digit": digit}
    for space in spaces:
        angle = 2 * np.pi * digit / 10
        places = 4 * np.stack([np.cos(angle), np.sin(angle)], 1) + random.normal(size=(len(digit), 2)) / 3
        columns |= {f"{space}1": places[:, 0], f"{space}2": places[:, 1]}
    return pd.DataFrame(columns)


def tables(*z_dims: int) -> dict[tuple[ModelName, int], pd.DataFrame]:
    return {
        (model, z_dim): table(own + "z" * (z_dim == 2), train=0)
        for model, own in (("vae", ""), ("npvae", "x"), ("advised", "x"))
        for z_dim in z_dims
    }


def digits(count: int) -> np.ndarray:
    return np.random.default_rng(2).random((count, 28, 28))


def drawn2() -> Figure:
    return figure2.draw(table("x"), np.array([[-3.0, 2.0], [1.0, -2.5]]), digits(2), 0.5, 500)


def drawn4() -> Figure:
    return figure4.draw({("vae", 2): digits(6), ("npvae", 500): digits(6)})


FIGURES: dict[str, Callable[[], Figure]] = {
    "figure1": figure1.draw,
    "figure2": drawn2,
    "figure3": lambda: figure3.draw(tables(2, 20, 500)),
    "figure3 of one column": lambda: figure3.draw(tables(20)),
    "figure3 of five columns": lambda: figure3.draw(tables(1, 2, 20, 100, 500)),
    "figure3 of the advised setting": lambda: figure3.draw(tables(2, 20, 500), "advised"),
    "figure4": drawn4,
    "figure4 of four rows": lambda: figure4.draw(
        {(model, z_dim): digits(9) for model in ("vae", "advised") for z_dim in (2, 1000)}
    ),
    "one that is left out": lambda: style.absent("advised"),
}


@pytest.fixture(params=FIGURES)
def figure(request: pytest.FixtureRequest) -> Figure:
    return FIGURES[request.param]()


def words(artist: Figure | Axes) -> list[Text]:
    return [text for text in artist.findobj(Text) if text.get_visible() and text.get_text().strip()]


def said(artist: Figure | Axes) -> str:
    return "\n".join(text.get_text() for text in words(artist))


def test_is_as_wide_as_the_page_or_a_column(figure: Figure) -> None:
    assert round(figure.get_figwidth(), 2) in (style.COLUMN, style.TEXT)
    assert figure.get_figheight() < 9


def test_words_are_legible_whole_and_apart(figure: Figure) -> None:
    texts = words(figure)
    assert min(text.get_fontsize() for text in texts) >= 6
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in texts]
    for text, box in zip(texts, boxes, strict=True):
        inside = (
            box.x0 >= -1 and box.y0 >= -1 and box.x1 <= figure.bbox.x1 + 1 and box.y1 <= figure.bbox.y1 + 1
        )
        assert inside, f"{text.get_text()!r} is cut off at {box}"
    for (one, box), (other, other_box) in combinations(zip(texts, boxes, strict=True), 2):
        assert not box.overlaps(other_box.padded(-0.5)), f"{one.get_text()!r} overlaps {other.get_text()!r}"


@pytest.mark.parametrize("name", FIGURES)
def test_drawing_leaves_no_trace_in_matplotlib(name: str) -> None:
    plt.switch_backend("agg")
    before, other = dict(mpl.rcParams), plt.figure()
    FIGURES[name]()
    assert plt.get_fignums() == [other.number]
    assert dict(mpl.rcParams) == before
    plt.close(other)


@pytest.mark.parametrize("name", FIGURES)
def test_does_not_depend_on_the_users_settings(name: str, tmp_path: Path) -> None:
    style.save(FIGURES[name](), tmp_path / "plain.png")
    with mpl.rc_context(
        {"font.family": "serif", "lines.linewidth": 9, "figure.dpi": 33, "savefig.bbox": "tight"}
    ):
        style.save(FIGURES[name](), tmp_path / "other.png")
    assert (tmp_path / "plain.png").read_bytes() == (tmp_path / "other.png").read_bytes()


def test_figure1_has_the_edges_of_the_five_models(monkeypatch: pytest.MonkeyPatch) -> None:
    edges: dict[str, set[str]] = {panel: set() for panel in "abcde"}
    add_edge = daft.PGM.add_edge

    def spy(pgm: daft.PGM, start: str, end: str, directed: bool = True, **kwargs: object) -> object:
        assert start[1] == end[1]
        edges[start[1]].add(f"{start[0]}{'>' if directed else '='}{end[0]}")
        return add_edge(pgm, start, end, directed, **kwargs)

    monkeypatch.setattr(daft.PGM, "add_edge", spy)
    figure1.draw()
    assert edges == {  # q: variational parameters; t: z tilde
        "a": {"z>y"},
        "b": {"q>z"},
        "c": {"y>q", "q>z"},
        "d": {"z>y", "x>t", "z=t"},
        "e": {"y>q", "q>z", "y>x", "x>t", "z=t"},
    }


def test_figure1_repeats_all_but_x_for_each_image() -> None:
    [axes] = figure1.draw().axes
    plates = [patch for patch in axes.findobj(Rectangle) if 3 < patch.get_height() < 5]
    nodes = [text for text in axes.findobj(Annotation) if "mathbf" in text.get_text()]
    inside = Counter(
        text.get_text()
        for text in nodes
        for plate in plates
        if plate.get_bbox().contains(text.xy[0], text.xy[1])
    )
    everywhere = Counter(text.get_text() for text in nodes)
    assert len(plates) == 5
    assert everywhere.pop(r"$\mathbf{X}$") == 2
    assert (
        inside
        == everywhere
        == {
            r"$\mathbf{z}_i$": 5,
            r"$\mathbf{y}_i$": 4,
            r"$\mathbf{\mu}_i,\mathbf{\sigma}_i$": 3,
            r"$\tilde{\mathbf{z}}_i$": 2,
        }
    )
    observed = [node for node in axes.findobj(Ellipse) if node.get_facecolor()[:3] == (0.7, 0.7, 0.7)]
    assert len(observed) == 4


def dots(axes: Axes) -> dict[tuple[float, float], tuple[float, ...]]:
    """The colour of the dot at each place."""
    [collection] = axes.collections
    places = map(tuple, np.asarray(collection.get_offsets()).tolist())
    return dict(zip(places, map(tuple, collection.get_facecolors().tolist()), strict=True))


def expected_dots(rows: pd.DataFrame, space: str) -> dict[tuple[float, float], tuple[float, ...]]:
    colours = to_rgba_array(style.PALETTE)[rows["digit"]]
    places = rows[[f"{space}1", f"{space}2"]].itertuples(index=False, name=None)
    return dict(zip(places, map(tuple, colours.tolist()), strict=True))


def test_figure2_colours_training_and_test_images_by_digit() -> None:
    embedding = table("x")
    train, test, _ = figure2.draw(embedding, np.zeros((1, 2)), digits(1), 0.5, 500).axes
    for axes, split in ((train, "train"), (test, "test")):
        assert dots(axes) == expected_dots(embedding[embedding["split"] == split], "x")
    assert "training" in said(train)
    assert "300 images" in said(train)
    assert "120 images" in said(test)


def test_figure2_panels_share_their_window() -> None:
    panels = drawn2().axes
    assert len({panel.get_xlim() + panel.get_ylim() for panel in panels}) == 1
    assert all(panel.get_aspect() == 1 for panel in panels)


@pytest.mark.parametrize("side", [0.3, 0.7])
@pytest.mark.parametrize("place", [(-3.0, 2.0), (1.03, -2.51), (0.0, 0.0)])
def test_figure2_thumbnails_lie_at_their_places(place: tuple[float, float], side: float) -> None:
    ink = np.zeros((28, 28))
    ink[:14, :7] = 1  # the upper part of the left edge
    panel = figure2.draw(table("x"), np.array([place]), ink[None], side, 500).axes[2]
    [image] = panel.images
    left, right, bottom, top = image.get_extent()
    rows, columns = np.nonzero(np.asarray(image.get_array()))
    height, width = image.get_array().shape
    x0, x1 = np.interp([columns.min(), columns.max() + 1], [0, width], [left, right])
    y0, y1 = np.interp([rows.min(), rows.max() + 1], [0, height], [bottom, top])
    x, y = place
    expected = (x - side / 2, x - side / 4, y, y + side / 2)
    assert image.origin == "lower"
    assert (x0, x1, y0, y1) == pytest.approx(expected, abs=side / 28 / 2 + 1e-9)


def test_figure2_shows_and_counts_the_thumbnails_in_its_window() -> None:
    places = np.array([[0.0, 0.0], [3.0, 3.0], [40.0, 0.0], [0.0, -40.0]])
    panel = figure2.draw(table("x"), places, np.ones((4, 28, 28)), 0.5, 20).axes[2]
    assert "2 places" in said(panel)
    assert "20-dim. Z" in said(panel)
    assert np.sum(panel.images[0].get_array()) == 2 * 784


def test_outliers_are_counted_instead_of_squeezing_the_rest() -> None:
    embedding = table("x", train=4000, test=4000)
    embedding.loc[[5, 4005, 4006], "x1"] = [900.0, -900.0, 900.0]
    train, test, _ = figure2.draw(embedding, np.zeros((1, 2)), digits(1), 0.5, 500).axes
    assert np.ptp(train.get_xlim()) < 20
    assert re.search(r"^[1-9]\d? outside", said(train), re.M)
    left, right = test.get_xlim()
    hidden = ~embedding["x1"].between(left, right) & (embedding["split"] == "test")
    assert f"\n{hidden.sum()} outside" in f"\n{said(test)}"


def test_a_window_holds_all_points_and_has_the_ratio() -> None:
    points = np.array([[0.0, 0.0], [10.0, 1.0]])
    left, right, bottom, top = style.window(points, ratios=(0.5, 2.0))
    assert (left + right, bottom + top) == pytest.approx((10, 1))
    assert left < 0
    assert (top - bottom) / (right - left) == pytest.approx(0.5)
    left, right, bottom, top = style.window(points[:, ::-1], ratios=(0.5, 2.0))
    assert (top - bottom) / (right - left) == pytest.approx(2)
    assert np.all(np.isfinite(style.window(np.ones((5, 2)), ratios=(1, 1))))


@pytest.mark.parametrize("z_dims", [(2, 20, 500), (20,), (2,), (1, 2, 3, 4, 5)])
@pytest.mark.parametrize(("model", "named"), [("npvae", "nonparametric"), ("advised", "advised setting")])
def test_figure3_explains_exactly_what_it_cannot_draw(
    z_dims: tuple[int, ...], model: ModelName, named: str
) -> None:
    given = tables(*reversed(z_dims))
    given["npvae" if model == "advised" else "advised", 7] = table("x", train=0)  # not of its columns
    panels = figure3.draw(given, model).axes
    assert len(panels) == 2 * len(z_dims)
    for z_dim, upper, lower in zip(z_dims, panels, panels[len(z_dims) :], strict=False):
        assert f"Z of {z_dim} dimension{'s' * (z_dim > 1)}" in said(upper).split("\n")
        assert ("cannot be drawn" in said(upper)) == (z_dim != 2)
        assert "cannot be drawn" not in said(lower)
        assert len(upper.collections) == (z_dim == 2)
        for axes, shown, space in ((upper, "vae", "z"), (lower, model, "x")):
            if axes.collections:
                assert dots(axes) == expected_dots(given[shown, z_dim], space)
    assert "Z of the VAE" in said(panels[0])
    assert named in said(panels[len(z_dims)])


def test_figure3_says_which_images_it_shows() -> None:
    assert "120 test images" in said(figure3.draw(tables(2)))


@pytest.mark.parametrize("name", ["figure2", "figure3"])
def test_the_legend_names_each_digits_colour(name: str) -> None:
    [legend] = FIGURES[name]().legends
    colours = {
        text.get_text(): line.get_color() for text, line in zip(legend.texts, legend.get_lines(), strict=True)
    }
    assert colours.pop("digit")
    assert colours == {str(digit): colour for digit, colour in enumerate(style.PALETTE)}


@pytest.mark.parametrize("name", ["figure2", "figure3"])
def test_without_labels_there_is_one_colour_and_no_legend(name: str) -> None:
    embedding, others = (
        table("x").assign(digit=0),
        {key: one.assign(digit=0) for key, one in tables(2).items()},
    )
    figure = {
        "figure2": lambda: figure2.draw(embedding, np.zeros((1, 2)), digits(1), 0.5, 500, "label"),
        "figure3": lambda: figure3.draw(others, what="label"),
    }[name]()
    assert not figure.legends
    for axes in figure.axes[:2]:
        assert len(set(dots(axes).values())) == 1
        assert "0" not in said(axes).split("\n")


@pytest.mark.parametrize(
    ("labels", "named", "listed"), [((3, 200), 2, 2), (range(14), 14, 0), (range(30), 0, 0)]
)
def test_any_number_of_labels_have_each_a_colour_of_its_own(labels, named: int, listed: int) -> None:
    embedding = table("x", train=600, test=600)
    embedding["digit"] = np.resize(labels, 1200).astype(np.uint8)
    figure = figure2.draw(embedding, np.zeros((1, 2)), digits(1), 0.5, 500, "label")
    train, test, _ = figure.axes
    assert len(set(dots(train).values())) == len(set(dots(test).values())) == len(labels)
    assert len(set(map(str, labels)) & set(said(test).split("\n"))) == named
    entries = [text.get_text() for legend in figure.legends for text in legend.texts]
    assert entries == (["label", *map(str, labels)] if listed else [])


def test_figure2_keeps_the_shape_of_thumbnails_that_are_no_squares() -> None:
    panel = figure2.draw(table("x"), np.zeros((1, 2)), np.ones((1, 6, 3)), 0.6, 500).axes[2]
    [image] = panel.images
    left, right, bottom, top = image.get_extent()
    rows, columns = np.nonzero(np.asarray(image.get_array()))
    height, width = image.get_array().shape
    x = np.interp([columns.min(), columns.max() + 1], [0, width], [left, right])
    y = np.interp([rows.min(), rows.max() + 1], [0, height], [bottom, top])
    assert (*x, *y) == pytest.approx((-0.15, 0.15, -0.3, 0.3), abs=0.051)  # to half a pixel
    assert (x[1] - x[0], y[1] - y[0]) == pytest.approx((0.3, 0.6))


@pytest.mark.parametrize("shape", [(6, 3), (5, 9)])
def test_figure4_keeps_the_shape_of_images_that_are_no_squares(shape: tuple[int, int]) -> None:
    [axes] = figure4.draw({("vae", 2): np.ones((5, *shape)), ("npvae", 2): np.ones((5, *shape))}).axes
    frames = [frame.get_bbox().extents for frame in axes.findobj(Rectangle) if frame.get_linewidth() < 1]
    for image in axes.images:
        left, right, bottom, top = image.get_extent()
        assert (top - bottom) / (right - left) == pytest.approx(shape[0] / shape[1])
        assert any(np.allclose(frame, (left, bottom, right, top)) for frame in frames)
    extents = [image.get_extent() for image in axes.images]
    assert all(first[1] < second[0] for first, second in pairwise(extents[:5]))
    assert extents[0][2] > extents[5][3]


def test_dots_are_drawn_in_one_shuffled_order() -> None:
    rows = table("x", train=0, test=1000).sort_values("digit")
    points, digit = rows[["x1", "x2"]].to_numpy(), rows["digit"].to_numpy()
    window = style.window(points, ratios=(1, 1))
    colours = style.palette(digit)
    once, again = (style.scatter(Figure().add_subplot(), points, digit, window, colours) for _ in range(2))
    assert np.array_equal(once.get_offsets(), again.get_offsets())
    assert once.get_rasterized()
    last = {tuple(colour) for colour in once.get_facecolors()[-100:].tolist()}
    assert len(last) == 10


def test_figure4_sets_the_real_images_apart() -> None:
    rows: dict[tuple[ModelName, int], np.ndarray] = {("vae", 2): digits(6), ("npvae", 500): 1 - digits(6)}
    [axes] = figure4.draw(rows).axes
    shown = list(axes.images)
    assert len(shown) == 12
    for image, pixels in zip(shown, np.concatenate(list(rows.values())), strict=True):
        assert np.array_equal(image.get_array(), pixels)
        assert image.get_interpolation() == "nearest"
        left, right, bottom, top = image.get_extent()
        assert right - left == pytest.approx(top - bottom)
    lefts = [image.get_extent()[0] for image in shown[:6]]
    gaps = np.diff(lefts)
    assert gaps[0] == pytest.approx(gaps[-1])
    assert gaps[1:-1] == pytest.approx(gaps[1])
    assert gaps[0] > gaps[1] + 0.05
    assert shown[0].get_extent()[2] > shown[6].get_extent()[3]
    assert said(axes).count("real image") == 2
    assert "VAE,\nin Z (2-dim. Z)" in said(axes)


@pytest.mark.parametrize(
    "keys",
    [
        [("vae", 2), ("npvae", 500)],
        [("vae", 2), ("vae", 500), ("npvae", 2), ("npvae", 500)],
        [("npvae", 7), ("vae", 1)],
        [("vae", 2), ("advised", 20)],
    ],
)
def test_figure4_names_each_row_by_its_model_its_z_and_the_space_of_its_path(
    keys: list[tuple[ModelName, int]],
) -> None:
    names = {"vae": ("VAE", "Z"), "npvae": ("nonparametric VAE", "X"), "advised": ("advised setting", "X")}
    [axes] = figure4.draw({key: digits(4) for key in keys}).axes
    labels = [text for text in words(axes) if "dim. Z" in text.get_text()]
    assert len(labels) == len(keys)
    for row, (model, z_dim) in enumerate(keys):
        left, _, bottom, top = axes.images[4 * row].get_extent()
        [label] = [text for text in labels if bottom < text.get_position()[1] < top]
        name, space = names[model]
        assert label.get_text() == f"{name},\nin {space} ({z_dim}-dim. Z)"
        assert label.get_position()[1] == pytest.approx((bottom + top) / 2)
        assert label.get_position()[0] < left


def save_all(folder: Path) -> None:
    for name in ("figure1", "figure2", "figure4"):
        style.save(FIGURES[name](), folder / f"{name}.png", folder / f"{name}.pdf")


def test_another_process_saves_the_same_bytes(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    save_all(here)
    program = "import sys, pathlib; from test_drawing import save_all; save_all(pathlib.Path(sys.argv[1]))"
    # run beside this file, so that it can be imported; strings are hashed differently in each process
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", program, str(there)]
    subprocess.run(command, check=True, cwd=Path(__file__).parent, env=environment)
    names = sorted(path.name for path in here.iterdir())
    assert len(names) == 6
    for name in names:
        content = (here / name).read_bytes()
        assert content == (there / name).read_bytes(), name
        assert not re.search(rb"Software|CreationDate|Producer|Creator|Matplotlib", content)


def test_a_png_has_300_dots_an_inch(tmp_path: Path) -> None:
    path = tmp_path / "new" / "figure.png"
    style.save(drawn4(), path)
    with Image.open(path) as image:
        assert image.width == round(300 * style.TEXT)


@pytest.mark.parametrize("failing", ["savefig", "replace"])
def test_a_failed_save_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    path = tmp_path / "figure.png"
    path.write_text("old")
    monkeypatch.setattr(*{"savefig": (Figure, "savefig"), "replace": (Path, "replace")}[failing], fail)
    with pytest.raises(OSError, match="disk full"):
        style.save(Figure(), path)
    assert [file.name for file in tmp_path.iterdir()] == ["figure.png"]
    assert path.read_text() == "old"


# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB
SIGHT = {
    "normal": np.eye(3),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def lab(colour: str, sight: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (D65) of an sRGB colour as seen."""
    rgb = np.array(to_rgb(colour))
    linear = sight @ np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    t = xyz @ linear.clip(0, 1) / xyz.sum(1)
    x, y, z = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def ciede2000(one: np.ndarray, other: np.ndarray) -> float:
    """Sharma, Wu and Dalal (2005)."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    c7 = ((math.hypot(a1, b1) + math.hypot(a2, b2)) / 2) ** 7
    stretch = 1.5 - 0.5 * math.sqrt(c7 / (c7 + 25**7))
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = math.hypot(a1, b1), math.hypot(a2, b2)
    h1, h2 = math.degrees(math.atan2(b1, a1)) % 360, math.degrees(math.atan2(b2, a2)) % 360
    turn = (h2 - h1 + 180) % 360 - 180
    light, chroma, hue = (l1 + l2) / 2, (c1 + c2) / 2, h1 + turn / 2
    t = 1 + sum(
        weight * math.cos(math.radians(k * hue + phase))
        for weight, k, phase in ((-0.17, 1, -30), (0.24, 2, 0), (0.32, 3, 6), (-0.2, 4, -63))
    )
    lightness = (l2 - l1) / (1 + 0.015 * (light - 50) ** 2 / math.sqrt(20 + (light - 50) ** 2))
    chromatic = (c2 - c1) / (1 + 0.045 * chroma)
    hues = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(turn / 2)) / (1 + 0.015 * chroma * t)
    rotation = math.sin(math.radians(60 * math.exp(-(((((hue - 275) + 180) % 360 - 180) / 25) ** 2))))
    blue = -2 * math.sqrt(chroma**7 / (chroma**7 + 25**7)) * rotation
    return math.sqrt(lightness**2 + chromatic**2 + hues**2 + blue * chromatic * hues)


def test_the_colour_difference_is_the_published_one() -> None:
    pairs = {
        2.0425: ([50, 2.6772, -79.7751], [50, 0, -82.7485]),
        31.9030: ([50, 2.5, 0], [56, -27, -3]),
        27.1492: ([50, 2.5, 0], [73, 25, -18]),
        0.9082: ([2.0776, 0.0795, -1.1350], [0.9033, -0.0636, -0.5514]),
    }
    for expected, (one, other) in pairs.items():
        assert ciede2000(np.array(one), np.array(other)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("sight", "least"), [("normal", 22), ("deuteranopia", 16.5), ("protanopia", 17), ("tritanopia", 18.5)]
)
def test_the_digits_colours_stay_apart(sight: str, least: float) -> None:
    seen = [lab(colour, SIGHT[sight]) for colour in style.PALETTE]
    assert len(seen) == 10
    assert min(ciede2000(*pair) for pair in combinations(seen, 2)) > least
    for neighbours in ((4, 7, 9), (3, 5, 8)):
        assert min(ciede2000(seen[i], seen[j]) for i, j in combinations(neighbours, 2)) > 25
    white = lab("white", SIGHT[sight])
    assert min(ciede2000(colour, white) for colour in seen) > 10


def test_no_digit_is_grey() -> None:
    chroma = [math.hypot(*lab(colour, SIGHT["normal"])[1:]) for colour in style.PALETTE]
    assert min(chroma) > 30


def test_a_digit_is_named_in_the_middle_of_its_larger_part() -> None:
    random = np.random.default_rng(3)
    centres = {0: (-3.0, 2.0), 1: (3.0, 2.0)}
    parts = [random.normal(centre, 0.3, (300, 2)) for centre in (*centres.values(), (0.0, -4.0))]
    digits = np.repeat([0, 1, 1], [300, 300, 100])
    points = np.concatenate(parts)[: len(digits)]
    named = style.middles(points, digits, (-5.0, 5.0, -5.0, 5.0))
    assert named.keys() == centres.keys()
    for digit, centre in centres.items():
        assert named[digit] == pytest.approx(centre, abs=0.3)


def test_each_panel_of_dots_names_its_digits() -> None:
    for axes in [*drawn2().axes[:2], *figure3.draw(tables(2)).axes]:
        assert set("0123456789") <= set(said(axes).split("\n"))


def test_a_digit_that_lies_among_others_everywhere_is_named_where_it_lies() -> None:
    random = np.random.default_rng(3)
    centre = (1.0, -2.0)
    points = random.normal(centre, 0.5, (600, 2))  # of three, the first digit has one image in six
    digits = np.array([0, 1, 1, 1, 2, 2] * 100)
    named = style.middles(points, digits, (-5.0, 5.0, -5.0, 5.0))
    assert all(place == pytest.approx(centre, abs=0.7) for place in named.values())
