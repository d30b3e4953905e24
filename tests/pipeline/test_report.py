"""What `make report` and `make plots` leave, in a real browser, opened from its folder."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.project import Project, duplicate

Once = Callable[[str, Callable[[Path], object]], Path]

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")
FIGURES = ("figure1", *(f"figure{n}{kind}" for n in (2, 3, 4) for kind in ("", "-advised")))


@pytest.fixture(scope="module")
def project(done: Project, as_project: Callable[[Path], Project], once: Once) -> Project:
    """A project with its report, whose results were only just fetched."""

    def make(folder: Path) -> None:
        project = duplicate(done, folder / "project")
        project.run("git clean -dfXq results && dvc checkout")
        project.run("mkdir .venv && touch .venv/installed && make report")  # this environment is its own
        assert "Nothing to be done" in project.run("snakemake --cores 2")

    return as_project(once("report", make) / "project")


@pytest.fixture
def browse() -> Iterator[Callable[[Path], Any]]:
    """Opens a page; at the end nothing may have gone wrong, nor left its folder."""
    wrong: list[str] = []
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])

        def page(file: Path) -> Any:
            inside = (file.parent.as_uri(), "data:", "blob:", "about:")
            tab = chromium.new_page(viewport={"width": 1280, "height": 900})
            tab.on("console", lambda message: message.type == "error" and wrong.append(message.text))
            tab.on("pageerror", lambda error: wrong.append(str(error)))
            tab.on("request", lambda request: request.url.startswith(inside) or wrong.append(request.url))
            tab.goto(file.as_uri())
            return tab

        yield page
        chromium.close()
    assert wrong == []


@pytest.fixture
def tab(browse: Callable[[Path], Any], project: Project) -> Any:
    """The report."""
    tab = browse(project.folder / "results/report/report.html")
    tab.wait_for_selector("#rulegraph canvas, #rulegraph svg")
    return tab


def drawn(image: Any) -> bool:
    image.scroll_into_view_if_needed()
    return image.evaluate("image => image.decode().then(() => image.naturalWidth > 100)")


def test_the_first_page_tells_what_this_is_and_shows_each_figure_with_its_caption(tab) -> None:
    words = tab.inner_text("body")
    assert "a reproduction on MNIST, with Z of 2 dimensions, 2 trainings of each model" in words
    shown = tab.locator("figure").all()
    assert [figure.locator("img").get_attribute("src").split("/")[-1] for figure in shown] == [
        f"{name}.png" for name in FIGURES
    ]
    assert all(drawn(figure.locator("img")) for figure in shown)
    captions = [figure.locator("figcaption").inner_text() for figure in shown]
    assert "the 900 training images" in captions[1]
    assert len(set(captions)) == len(FIGURES)
    assert all(len(caption) > 100 for caption in captions)


def opened(tab: Any, word: str, result: str) -> Any:
    """A page of the report, by a link of the first one and the eye beside the result."""
    tab.locator("a.reference", has_text=word).first.click()
    tab.locator("nav tr", has_text=result).locator("a").first.click()
    return tab.frame_locator("iframe")


@pytest.mark.faults
def test_the_claims_open_from_the_first_page(tab) -> None:
    page = opened(tab, "Claims", "verdicts")
    assert page.locator("h1").first.inner_text() == "The paper's claims, measured"
    assert page.locator("tr").count() > 10
    assert drawn(page.locator("img").first)
    tab.locator("nav tr", has_text="evidence").locator("a").first.click()
    assert drawn(tab.locator("div.p-3 > img"))


def test_the_explorer_opens_from_the_first_page(tab) -> None:
    page = opened(tab, "Explorer", "explore X")
    page.locator("body[data-ready]").wait_for()
    page.locator("#plane").hover()
    assert page.locator("#decoded").get_attribute("data-x")


@pytest.mark.faults
def test_each_figure_opens_by_itself_with_its_caption_behind_the_i(tab) -> None:
    tab.locator("a.reference", has_text="Figures").first.click()
    rows = tab.locator("nav tbody tr")
    rows.first.wait_for()
    assert [row.inner_text().split(":")[0] for row in rows.all()] == ["1", "2", "2", "3", "3", "4", "4"]
    rows.nth(1).locator("a").first.click()
    assert drawn(tab.locator("div.p-3 > img"))
    rows.nth(1).locator("a").last.click()
    assert "the 200 test images" in tab.inner_text("nav")


def test_on_a_phone_the_menu_covers_nothing(tab) -> None:
    tab.set_viewport_size({"width": 390, "height": 844})
    assert tab.locator(".prose").bounding_box()["width"] > 350
    opened(tab, "Claims", "verdicts")
    menu, page = (tab.locator(name).first.bounding_box() for name in ("nav", "iframe"))
    assert menu["y"] + menu["height"] <= page["y"]
    assert page["width"] > 350
    tab.locator("nav h1 a").click()  # the menu's own cross
    tab.wait_for_function("() => document.querySelector('iframe').getBoundingClientRect().top < 50")


def test_dvcs_plots_need_no_network(project, browse) -> None:
    said = project.run("make plots")
    assert "failed to load" not in said
    assert "could not find" not in said
    tab = browse(project.folder / "dvc_plots/index.html")
    tables = len(
        [*project.folder.glob("results/history/*.csv"), *project.folder.glob("results/measures/*.csv")]
    )
    tab.wait_for_function(f"() => document.querySelectorAll('.vega-embed canvas').length == {tables + 1}")
    assert tab.locator("#missing").is_hidden()
    assert tab.locator("#absent").is_hidden()
    assert drawn(tab.locator("img").first)


@pytest.mark.faults
def test_a_table_that_is_nowhere_is_no_empty_chart(project, browse, tmp_path) -> None:
    copy = duplicate(project, tmp_path / "copy")
    gone = [*copy.folder.glob("results/history/*.csv")]
    tables = [*copy.folder.glob("results/measures/*.csv")]
    for table in gone:
        table.unlink()
    copy.run("rm -r .dvc/cache && make plots")
    tab = browse(copy.folder / "dvc_plots/index.html")
    drawn = len(tables) + 1  # the comparators' table
    tab.wait_for_function(f"() => document.querySelectorAll('.vega-embed canvas').length == {drawn}")
    assert tab.locator(".vega-embed").count() == drawn
    assert f"{len(gone)} of {drawn + len(gone)} tables" in tab.inner_text("#absent")
