"""What a long command says in a log."""

import re

import pytest

from npvae.cli.progress import progress


def test_a_log_gets_a_line_for_each_unit_with_the_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("vae Z=2", 2, "epoch") as done:
        done(seed=3)
        done(seed=4)
    first, second = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"vae Z=2: +50%.* 1/2 \[00:00<00:00, .*epoch/s, seed=3\]", first)
    assert "2/2" in second
    assert second.endswith("seed=4]")
    assert "\r" not in first + second
