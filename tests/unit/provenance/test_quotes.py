"""Quotations in documents are what the results say."""

import json
from pathlib import Path

import pytest

from npvae.errors import NpvaeError
from npvae.provenance.quotes import filled


@pytest.fixture
def results(tmp_path: Path) -> Path:
    (tmp_path / "results/metrics").mkdir(parents=True)
    means = {"mean": {"digit_accuracy": 0.8594, "reconstruction": 83.66}}
    (tmp_path / "results/metrics/npvae-z500.json").write_text(json.dumps(means))
    readings = {"learned l": {"verdict": "mixed"}, "advised": {"verdict": "supported"}}
    claims = {"claims": [{"verdict": "mixed", "readings": readings}]}
    (tmp_path / "results/claims.json").write_text(json.dumps(claims))
    (tmp_path / "results/claims.md").write_text("# Title\n\n| a |\n|---|\n| b |\n\nrest | no\n")
    (tmp_path / "results/comparators.csv").write_text("method,measure,value\nt-SNE of it,digits,0.9641\n")
    return tmp_path


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("npvae 500 digit_accuracy .1%", "85.9 %"),
        ("npvae 500 reconstruction .1f", "83.7"),
        ("comparators t-SNE_of_it digits .2f", "0.96"),
        ("verdict 1", "mixed"),
        ("verdict 1 advised", "supported"),
        ("claims", "\n| a |\n|---|\n| b |\n"),
    ],
)
def test_a_quotation_is_replaced_by_the_result(asked: str, expected: str, results: Path) -> None:
    text = f"before <!--={asked}-->old\nnumber<!--/--> after"
    once = filled(text, results)
    assert once == f"before <!--={asked}-->{expected}<!--/--> after"
    assert filled(once, results) == once


@pytest.mark.parametrize(
    "asked",
    ["npvae 500 speed .1f", "npvae 3 digit_accuracy .1f", "verdict 7", "nonsense", "claims please"],
)
def test_what_the_results_do_not_have_is_named(asked: str, results: Path) -> None:
    with pytest.raises(NpvaeError, match=f"<!--={asked}-->"):
        filled(f"<!--={asked}--><!--/-->", results)


@pytest.mark.parametrize("document", ["README.md", "docs/reproduction.md"])
def test_what_the_documents_quote_is_what_the_results_say(document: str, root: Path) -> None:
    text = (root / document).read_text()
    assert "<!--=" in text
    assert filled(text, root) == text, f"run `npvae docs {document}`"
