import base64
from pathlib import Path

from npvae.verdicts.html import as_html
from npvae.verdicts.page import MARKS


def test_a_table_is_a_table_in_a_browser(tmp_path: Path) -> None:
    page = as_html("# Claims\n\n| claim | verdict |\n|---|---|\n| **a < b** | yes<br>no |\n", tmp_path)
    assert "<h1>Claims</h1>" in page
    assert "<th>verdict</th>" in page
    assert "<td><strong>a &lt; b</strong></td>" in page
    assert "<td>yes<br>no</td>" in page


def test_a_picture_is_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures/evidence.png").write_bytes(b"a picture")
    page = as_html("Seen:\n\n![the evidence](figures/evidence.png)\n", tmp_path)
    content = base64.b64encode(b"a picture").decode()
    assert f'<img src="data:image/png;base64,{content}" alt="the evidence"' in page
    assert "figures/evidence.png" not in page


def test_every_mark_has_a_shape_that_needs_no_font_of_its_own(tmp_path: Path) -> None:
    page = as_html(" ".join(MARKS.values()), tmp_path)
    assert not set(MARKS.values()) & set(page)
    assert '<span style="color: #d55e00">◆</span>' in page
