"""A measures' table is read whole or refused by file, measure and seed."""

from pathlib import Path

import pandas as pd
import pytest

from npvae.errors import NpvaeError
from npvae.verdicts.tables import read_measures


@pytest.fixture
def table() -> pd.DataFrame:
    rows = [
        {"model": "vae", "z_dim": 2, "seed": seed, "measure": measure, "value": seed + 0.5}
        for seed in range(3)
        for measure in ("kl", "reconstruction")
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def path(table: pd.DataFrame, tmp_path: Path) -> Path:
    table.to_csv(tmp_path / "vae-z2.csv", index=False)
    return tmp_path / "vae-z2.csv"


def test_a_whole_table_comes_back(table: pd.DataFrame, path: Path) -> None:
    pd.testing.assert_frame_equal(read_measures(path, seeds=3), table)


@pytest.mark.parametrize("lines", [2, 3, 4, 5, 6])
def test_a_table_cut_between_lines_names_file_measure_and_seed(path: Path, lines: int) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:lines]))
    with pytest.raises(NpvaeError, match=r"vae-z2\.csv: (kl|reconstruction): no value of seed [12]"):
        read_measures(path, seeds=3)


@pytest.mark.parametrize("text", ["", "model,z_dim\n", "no table", "a,b\n1,2\n"])
def test_what_is_no_table_of_measures_is_named(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(NpvaeError, match=r"vae-z2\.csv: not a table of measures"):
        read_measures(path, seeds=3)


@pytest.mark.parametrize("value", ["", "nan", "inf"])
def test_a_value_that_is_no_number_is_named_with_its_file(path: Path, value: str) -> None:
    path.write_text(path.read_text().replace("1.5", value, 1))
    with pytest.raises(NpvaeError, match=r"vae-z2\.csv: kl of vae at Z = 2, seed 1: is not a finite"):
        read_measures(path, seeds=3)


def test_a_row_that_stands_twice_is_named_with_its_file(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines, lines[1]]))
    with pytest.raises(NpvaeError, match=r"vae-z2\.csv: kl of vae at Z = 2, seed 0: stands twice"):
        read_measures(path, seeds=3)
