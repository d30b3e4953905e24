"""The page in a real browser: what it shows is what the model gives, and nothing is asked of any network."""

import base64
import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from npvae.explorer.page import page as make
from npvae.explorer.part import part
from npvae.latent.paths import arc, line
from npvae.latent.spaces import space_of
from npvae.model.vae import build
from npvae.settings import Network

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def squares(case) -> np.ndarray:
    """The case's images with their rows and columns."""
    return case.images.numpy().reshape(-1, 28, 28)


@pytest.fixture(scope="module")
def parts(case) -> dict[Any, dict[str, np.ndarray]]:
    return {key: part(space, case.images) for key, space in case.spaces.items()}


@pytest.fixture(scope="module")
def file(case, parts, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("explorer") / "explorer.html"
    path.write_text(make(parts, squares(case), case.digits.numpy(), of=10_000))
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser, file) -> Iterator[Any]:
    """Opens the page on a device; at the end nothing may have gone wrong, nor left the machine."""
    contexts, wrong = [], []

    def open_on(device: dict[str, Any], file: Path = file) -> Any:
        context = browser.new_context(**device)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: message.type in ("error", "warning") and wrong.append(message.text))
        tab.on("pageerror", lambda error: wrong.append(error))
        tab.on("request", lambda request: request.url == file.as_uri() or wrong.append(request.url))
        tab.goto(file.as_uri())
        tab.wait_for_selector("body[data-ready]")
        return tab

    yield open_on
    for context in contexts:
        context.close()
    assert [message for message in wrong if not str(message).startswith(("data:", "blob:"))] == []


def settled(tab: Any) -> None:
    """Waits for the frame that shows what was done last."""
    tab.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def pixels(canvas: Any) -> np.ndarray:
    """Grey values of a canvas as the reader sees them, ink 1."""
    _, _, content = canvas.evaluate("c => c.toDataURL()").partition(",")
    with Image.open(io.BytesIO(base64.b64decode(content))) as image:
        return 1 - np.asarray(image.convert("L"), np.float32).ravel() / 255


def place(tab: Any) -> tuple[torch.Tensor, int]:
    data = tab.locator("#decoded").evaluate("c => ({...c.dataset})")
    return torch.tensor([[float(data["x"]), float(data["y"])]]), int(data["image"])


def at(tab: Any, across: float, down: float) -> tuple[float, float]:
    box = tab.locator("#plane").bounding_box()
    return box["x"] + across * box["width"], box["y"] + down * box["height"]


def move(tab: Any, across: float, down: float) -> None:
    tab.mouse.move(*at(tab, across, down))
    settled(tab)


def near(shown: np.ndarray, exact: torch.Tensor, error: float) -> None:
    difference = np.abs(shown - exact.numpy().ravel())
    assert difference.max() <= error + 0.5 / 255 + 1e-4
    assert difference.mean() <= error / 4 + 0.5 / 255


@pytest.mark.parametrize("z_dim", [2, 5])
@pytest.mark.parametrize("model", ["npvae", "advised"])
def test_the_pointer_decodes_what_the_model_decodes(opened, case, parts, model, z_dim) -> None:
    tab = opened(DESKTOP)
    tab.check(f"input[name=z][value='{z_dim}']")
    tab.check(f"input[name=model][value={model}]")
    space, stated = case.spaces[model, z_dim], float(parts[model, z_dim]["error"].max())
    seen = []
    for across, down in ((0.2, 0.3), (0.75, 0.6), (0.4, 0.8)):
        move(tab, across, down)
        where, _ = place(tab)
        seen.append(pixels(tab.locator("#decoded")))
        near(seen[-1], space.decode(where), stated)
    assert np.abs(seen[0] - seen[1]).max() > 3 * stated  # so that a page that stood still would be found out
    assert f"{parts[model, z_dim]['error'][0, 0]:.3f} at most" in tab.locator("#error").inner_text()


def test_the_pointer_is_where_the_page_says(opened, case) -> None:
    tab = opened(DESKTOP)
    move(tab, 0.25, 0.5)
    left, _ = place(tab)
    move(tab, 0.75, 0.25)
    right, _ = place(tab)
    x = case.spaces["npvae", 5].points(case.images)
    width = 1.06 * (x.amax(0) - x.amin(0)).max()
    assert (right - left)[0].tolist() == pytest.approx([width.item() / 2, width.item() / 4], rel=0.02)


def test_the_nearest_dot_is_shown_as_it_is_as_reconstructed_and_from_x(opened, case, parts) -> None:
    tab = opened(DESKTOP)
    space = case.spaces["npvae", 5]
    move(tab, 0.4, 0.6)
    where, image = place(tab)
    x = space.points(case.images)
    assert image == int((x - where).norm(dim=1).argmin())
    assert f"a {case.digits[image]}" in tab.locator("#nearest").inner_text()
    stated = float(parts["npvae", 5]["error"].max())
    with torch.no_grad():
        reconstructed = space.model.decode(space.model.encode(case.images[image][None])[0]).sigmoid()
    near(pixels(tab.locator("#real")), case.images[image] / 255, 0)
    near(pixels(tab.locator("#reconstruction")), reconstructed, 0.1)
    near(pixels(tab.locator("#fromx")), space.decode(x[image][None]), stated)


def drag(tab: Any) -> tuple[int, int]:
    move(tab, 0.3, 0.4)
    first = place(tab)[1]
    tab.mouse.down()
    tab.mouse.move(*at(tab, 0.5, 0.5), steps=3)
    tab.mouse.move(*at(tab, 0.6, 0.6), steps=3)
    tab.mouse.up()
    settled(tab)
    return first, place(tab)[1]


def test_a_drag_shows_three_paths_between_the_same_two_images(opened, case, parts) -> None:
    tab = opened(DESKTOP)
    assert tab.locator("#paths").is_hidden()
    first, last = drag(tab)
    assert first != last
    x_space, z_space = case.spaces["npvae", 5], case.spaces["vae", 5]
    ends = case.images[[first, last]]
    (x0, x1), (z0, z1) = x_space.points(ends), z_space.points(ends)
    stated = float(parts["npvae", 5]["error"].max())
    expected = {
        "x": (x_space.decode(line(x0[None], x1[None], 7)[0]), stated),
        "line": (z_space.decode(line(z0[None], z1[None], 7)[0]), 0.1),
        "arc": (z_space.decode(arc(z0[None], z1[None], 7)[0]), 0.1),
    }
    for path, (images, error) in expected.items():
        cells = tab.locator(f".strip[data-path={path}] canvas").all()
        assert len(cells) == 9
        near(pixels(cells[0]), ends[0] / 255, 0)
        near(pixels(cells[-1]), ends[1] / 255, 0)
        for cell, image in zip(cells[1:-1], images, strict=True):
            near(pixels(cell), image, error)


def test_the_keyboard_does_what_the_pointer_does(opened) -> None:
    tab = opened(DESKTOP)
    tab.focus("#plane")
    before, _ = place(tab)
    tab.keyboard.press("Shift+ArrowRight")
    settled(tab)
    after, _ = place(tab)
    assert after[0, 0] > before[0, 0]
    assert after[0, 1] == before[0, 1]
    tab.keyboard.press("Enter")
    for _ in range(3):
        tab.keyboard.press("Shift+ArrowUp")
    tab.keyboard.press("Enter")
    settled(tab)
    assert tab.locator("#paths").is_visible()
    tab.keyboard.press("Escape")
    settled(tab)
    assert tab.locator("#paths").is_hidden()


def test_a_phone_can_tap_and_drag_and_shows_all_of_the_page(opened, case, parts) -> None:
    tab = opened(PHONE)
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
    tab.touchscreen.tap(*at(tab, 0.5, 0.4))
    settled(tab)
    where, _ = place(tab)
    error = float(parts["npvae", 5]["error"].max())
    near(pixels(tab.locator("#decoded")), case.spaces["npvae", 5].decode(where), error)
    touch = tab.context.new_cdp_session(tab)

    def send(kind: str, *where: float) -> None:
        points = [dict(zip("xy", at(tab, *where), strict=True))] if where else []
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    send("touchStart", 0.3, 0.4)
    for step in range(1, 6):
        send("touchMove", 0.3 + 0.06 * step, 0.4)
    send("touchEnd")
    settled(tab)
    assert tab.locator("#paths").is_visible()
    assert tab.evaluate("scrollY") == 0


def test_the_page_is_the_same_each_time_and_names_no_address_but_the_papers(case, parts, file) -> None:
    again = make(parts, squares(case), case.digits.numpy(), of=10_000)
    once, twice = (
        re.sub(r'"p\d+"', '"p"', text) for text in (file.read_text(), again)
    )  # counted in a process
    assert once == twice
    own = re.sub(r"<script>.*?</script>", "", again, flags=re.DOTALL)  # without the library's source
    assert set(re.findall(r"https?://[^\s\"'<)]+", own)) == {"https://arxiv.org/abs/1712.06536"}


def test_the_settings_are_named_and_explained_where_there_are_two(opened, case, parts) -> None:
    tab = opened(DESKTOP)
    settings = tab.locator("fieldset", has_text="Setting").locator("label").all_inner_texts()
    assert [name.strip() for name in settings] == ["the paper's", "advised"]
    assert "fits X afterwards" in tab.locator("header").inner_text()
    two = {key: part for key, part in parts.items() if key[0] != "advised"}
    alone = make(two, squares(case), case.digits.numpy(), of=10_000)
    assert "fits X afterwards" not in alone
    assert 'value="advised"' not in alone


@pytest.mark.parametrize("labels", [1, 14])
def test_images_of_any_shape_with_any_number_of_labels_are_shown(opened, tmp_path, labels) -> None:
    shape, noise = (5, 9), torch.Generator().manual_seed(0)
    train, images = torch.randint(0, 256, (2, 60, 45), generator=noise, dtype=torch.uint8)
    spaces = {
        (model, 2): space_of(build(model, 2, Network(hidden_units=8), pixels=45, seed=0).eval(), train)
        for model in ("vae", "npvae")
    }
    parts = {key: part(space, images) for key, space in spaces.items()}
    told = np.arange(60) % labels
    file = tmp_path / "cells.html"
    file.write_text(make(parts, images.numpy().reshape(-1, *shape), told, of=60, data="cells"))
    tab = opened(DESKTOP, file)
    assert "real test image of cells" in tab.locator("header").inner_text()
    move(tab, 0.4, 0.6)
    where, image = place(tab)
    box = tab.locator("#decoded").bounding_box()
    assert box["width"] / box["height"] == pytest.approx(9 / 5, rel=0.05)
    near(
        pixels(tab.locator("#decoded")),
        spaces["npvae", 2].decode(where),
        float(parts["npvae", 2]["error"].max()),
    )
    near(pixels(tab.locator("#real")), images[image] / 255, 0)
    drag(tab)
    strip = tab.locator(".strip[data-path=x] canvas").all()
    assert {len(pixels(cell)) for cell in strip} == {45}
    legend = tab.locator(".legend li").all_inner_texts()
    named = tab.locator("#nearest").inner_text()
    if labels == 1:
        assert (legend, named) == ([], "The nearest dot")
    else:
        assert legend == [str(label) for label in range(14)]
        assert named == f"The nearest dot: label {told[place(tab)[1]]}"


def test_two_models_with_one_decoder_carry_it_once(case, parts) -> None:
    decoder = {name for name in parts["vae", 5] if name.startswith("weight")}
    same = {key: parts[key] for key in (("vae", 5), ("advised", 5))}
    assert all(np.array_equal(same["vae", 5][name], same["advised", 5][name]) for name in decoder)
    other = same | {
        ("advised", 5): same["advised", 5] | {name: -same["advised", 5][name] for name in decoder}
    }
    together, apart = (len(make(some, squares(case), case.digits.numpy(), of=120)) for some in (same, other))
    assert together < apart - 5_000
