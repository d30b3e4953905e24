"""Every link within the documents leads somewhere."""

import re
import subprocess
from pathlib import Path

import pytest


def anchors(page: str) -> set[str]:
    """What a link may name on a Markdown page: its headings, as GitHub writes them."""
    text = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    headings = re.findall(r"^#+ +(.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def documents(root: Path) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=root, check=True, capture_output=True, text=True)
    return [root / name for name in listed.stdout.splitlines()]


def broken(page: Path) -> list[str]:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        if re.match(r"https?:", target):
            continue
        if not file.exists() or (anchor and anchor not in anchors(file.read_text())):
            wrong.append(target)
    return wrong


def test_every_link_leads_to_a_file_and_a_heading(root: Path) -> None:
    pages = documents(root)
    assert {page.name for page in pages} >= {"README.md", "CONTRIBUTING.md", "development.md"}
    assert {str(page.relative_to(root)): found for page in pages if (found := broken(page))} == {}


@pytest.mark.parametrize("target", ["no.md", "#no", "page.md#no"])
def test_a_link_to_nothing_is_found(target: str, tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(f"# A page, of mine\n[it](page.md#a-page-of-mine) and [that]({target})")
    assert broken(tmp_path / "page.md") == [target]
