"""`npvae summary`: which means `dvc metrics show` prints."""

import json
from pathlib import Path

import pytest

from npvae.cli.summary import summary
from npvae.errors import NpvaeError


def test_the_few_are_picked_out_and_what_is_not_there_is_left_out(tmp_path: Path) -> None:
    means, output = tmp_path / "means.json", tmp_path / "few.json"
    measured = {
        "kl": 6.0,
        "reconstruction": 138.5,
        "sample_mmd2": 0.0,
        "sample_mmd2_loo": 0.5,
        "match_r2_loo": 0.7,
    }
    means.write_text(json.dumps({"mean": measured, "origin": {"measured": "here"}}))
    summary(means, output)
    # the setting's own reading, and leave-one-out where it has no other
    assert json.loads(output.read_text()) == {"reconstruction": 138.5, "sample_mmd2": 0.0, "match_r2": 0.7}


@pytest.mark.parametrize("content", ["[]", "{}", '{"mean": {"match_r2": "high"}}', '{"mean": {"match'])
def test_what_holds_no_means_is_named(tmp_path: Path, content: str) -> None:
    means = tmp_path / "means.json"
    means.write_text(content)
    with pytest.raises(NpvaeError, match=r"means\.json: not means of measures"):
        summary(means, tmp_path / "few.json")
    assert not (tmp_path / "few.json").exists()
