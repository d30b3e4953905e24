"""One file of each model and Z."""

from pathlib import Path

import pytest

from npvae.cli.options import one_of_each
from npvae.errors import NpvaeError


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{model}-z{z}.csv", "npvae-z20.csv"),
        ("{z}/{model}/{z}.npz", "20/npvae/20.npz"),
        ("all.csv", "all.csv"),
        ("{other} {model}.csv", "{other} npvae.csv"),
    ],
)
def test_the_pattern_is_filled_with_the_model_and_z(pattern: str, name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("here")
    assert one_of_each(str(tmp_path / pattern), "npvae", 20) == tmp_path / name


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "vae-z2.csv").write_text("here")
    (tmp_path / "vae-z20.csv").mkdir()
    pattern = str(tmp_path / "{model}-z{z}.csv")
    assert one_of_each(pattern, "vae", 2).read_text() == "here"
    for model, z_dim in (("npvae", 2), ("vae", 20)):  # nothing, and a folder
        with pytest.raises(NpvaeError) as refused:
            one_of_each(pattern, model, z_dim)
        assert str(refused.value) == f"{tmp_path}/{model}-z{z_dim}.csv: missing; its stage has not run"
