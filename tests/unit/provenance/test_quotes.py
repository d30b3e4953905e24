"""Quotations in documents are what the results say."""

import json
from pathlib import Path

import pytest

from npvae.errors import NpvaeError
from npvae.provenance.quotes import filled


@pytest.fixture
def results(tmp_path: Path) -> Path:
    data = {"mean": {"accuracy": 0.8594, "kl": 19.46}, "claims": [{"verdict": "mixed", "se of it": 2}]}
    (tmp_path / "a.json").write_text(json.dumps(data))
    (tmp_path / "a.md").write_text("# Title\n\n| a |\n|---|\n| b |\n\nrest | no\n\n| c |\n")
    (tmp_path / "none.md").write_text("# Title\n")
    (tmp_path / "a.csv").write_text("method,measure,value\nt-SNE of it,kl,0.9641\nt-SNE of it,mu,2\n")
    return tmp_path


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("a.json mean.accuracy .1%", "85.9 %"),
        ("a.json mean.kl .1f", "19.5"),
        ("a.json claims.0.verdict", "mixed"),
        ("a.json claims.0.se_of_it .1f", "2.0"),
        ("a.csv method=t-SNE_of_it,measure=kl .2f", "0.96"),
        ("a.csv method=t-SNE_of_it .2f", "1.48"),
        ("a.md table", "\n\n| a |\n|---|\n| b |\n\n"),
    ],
)
def test_a_quotation_is_replaced_by_the_result(asked: str, expected: str, results: Path) -> None:
    text = f"before <!--={asked}-->old\nnumber<!--/--> after"
    once = filled(text, results)
    assert once == f"before <!--={asked}-->{expected}<!--/--> after"
    assert filled(once, results) == once


@pytest.mark.parametrize(
    "asked",
    [
        "a.json mean.speed .1f",
        "a.json claims.1.verdict",
        "b.json mean.kl .1f",
        "a.csv measure=speed .1f",
        "none.md table",
        "nonsense",
        "a.json mean.kl .1f .2f",
        "a.json claims .1f",
    ],
)
def test_what_the_results_do_not_have_is_named(asked: str, results: Path) -> None:
    with pytest.raises(NpvaeError, match=f"<!--={asked}-->"):
        filled(f"<!--={asked}--><!--/-->", results)


@pytest.mark.parametrize("document", ["README.md", "docs/reproduction.md"])
def test_what_the_documents_quote_is_what_the_results_say(document: str, root: Path) -> None:
    text = (root / document).read_text()
    assert "<!--=" in text
    assert filled(text, root) == text, f"run `npvae docs {document}`"
