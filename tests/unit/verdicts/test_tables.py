"""A measures' table is read whole or refused by file, measure, seed and classifier."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from npvae.errors import NpvaeError
from npvae.verdicts.tables import Measures, Term, read_items, read_measures, require_means

TERM = Term("vae", 2, "kl")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Three seeds of kl, and of mmd through two classifiers."""
    lines = ["model,z_dim,seed,classifier,measure,value"]
    for seed in range(3):
        lines.append(f"vae,2,{seed},,kl,{seed + 0.5}")
        lines += [f"vae,2,{seed},{classifier},mmd,{seed + classifier / 4}" for classifier in range(2)]
    (tmp_path / "vae-z2.csv").write_text("\n".join([*lines, ""]))
    return tmp_path / "vae-z2.csv"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def read(path: Path) -> pd.DataFrame:
    return read_measures(path, seeds=3, classifiers=2)


def test_a_whole_table_comes_back(path: Path) -> None:
    measures = Measures(read(path), {}, {})
    assert measures.of(TERM).values.tolist() == [[0.5], [1.5], [2.5]]
    assert not measures.of(TERM).crossed
    seen = measures.of(Term("vae", 2, "mmd"))
    assert seen.crossed
    assert seen.values.tolist() == [[0.0, 0.25], [1.0, 1.25], [2.0, 2.25]]
    assert (measures.seeds, measures.z_dims, measures.models) == (3, [2], ["vae"])


@pytest.mark.parametrize("lines", [2, 3, 5, 7, 9])
def test_a_table_cut_between_lines_names_file_measure_and_seed(path: Path, lines: int) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:lines]))
    with pytest.raises(NpvaeError, match=r"vae-z2\.csv: (kl|mmd): no value of seed [12]"):
        read(path)


def test_a_classifier_that_is_missing_is_named(path: Path) -> None:
    edit(path, "vae,2,1,1,mmd,1.25\n", "")
    with pytest.raises(NpvaeError, match=r"vae-z2\.csv: mmd: no value of seed 1, classifier 1$"):
        read(path)


@pytest.mark.parametrize(
    ("seeds", "classifiers", "where"),
    [(2, 2, "kl: a value of seed 2$"), (3, 1, "mmd: a value of seed 0, classifier 1$")],
)
def test_what_the_parameters_do_not_name_is_refused(
    path: Path, seeds: int, classifiers: int, where: str
) -> None:
    with pytest.raises(NpvaeError, match=where):
        read_measures(path, seeds=seeds, classifiers=classifiers)


@pytest.mark.parametrize("text", ["", "model,z_dim\n", "no table", "a,b\n1,2\n"])
def test_what_is_no_table_of_measures_is_named(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(NpvaeError, match=r"vae-z2\.csv: not a table of measures"):
        read(path)


@pytest.mark.parametrize("value", ["", "nan", "inf", "-inf"])
def test_a_value_that_is_no_number_is_named_with_its_file(path: Path, value: str) -> None:
    edit(path, "kl,1.5", f"kl,{value}")
    with pytest.raises(NpvaeError, match=r"vae-z2\.csv: kl of vae at Z = 2, seed 1: is not a finite"):
        read(path)


@pytest.mark.parametrize("value", ["1.25", "7.5"])
def test_a_row_that_stands_twice_is_named_with_its_file(path: Path, value: str) -> None:
    path.write_text(path.read_text() + f"vae,2,1,1,mmd,{value}\n")
    with pytest.raises(
        NpvaeError, match=r"vae-z2\.csv: mmd of vae at Z = 2, seed 1, classifier 1: stands twice"
    ):
        read(path)


def test_a_measure_with_fewer_seeds_than_others_is_named(path: Path) -> None:
    table = read(path)
    gone = (table["measure"] == "kl") & (table["seed"] == 2)
    with pytest.raises(NpvaeError, match=r"^kl of vae at Z = 2, seed 2: missing$"):
        Measures(table[~gone], {}, {}).of(TERM)


def items(tmp_path: Path, values: list[float], index: list[int] | None = None) -> Path:
    table = pd.DataFrame({"measure": "kl", "item": index or range(len(values)), "value": values})
    table.to_parquet(tmp_path / "items.parquet")
    return tmp_path / "items.parquet"


def test_values_by_image_come_back_in_the_order_of_the_images(path: Path, tmp_path: Path) -> None:
    found = read_items(items(tmp_path, [3.0, 0.0], [7, 2]), "vae", 2)
    assert found[TERM].to_dict() == {2: 0.0, 7: 3.0}
    measures = Measures(read(path), found, {})
    assert np.asarray(measures.of(TERM).items).tolist() == [0.0, 3.0]
    assert measures.images(TERM) == [2, 7]


def test_values_by_image_of_another_run_are_refused(path: Path, tmp_path: Path) -> None:
    found = read_items(items(tmp_path, [3.0, 0.1]), "vae", 2)
    with pytest.raises(
        NpvaeError, match=r"^kl of vae at Z = 2: .* average to 1\.55, those by seed to 1\.5; they"
    ):
        Measures(read(path), found, {}).of(TERM)


@pytest.mark.parametrize(
    ("values", "index", "what"),
    [
        ([1.0, np.nan], [0, 1], "kl of item 1: is not a finite"),
        ([1.0, 2.0], [4, 4], "kl of item 4: stands twice"),
    ],
)
def test_a_wrong_value_by_image_is_named(
    tmp_path: Path, values: list[float], index: list[int], what: str
) -> None:
    with pytest.raises(NpvaeError, match=rf"items\.parquet: {what}"):
        read_items(items(tmp_path, values, index), "vae", 2)


def test_what_is_no_table_by_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "items.parquet").write_bytes(b"no parquet")
    with pytest.raises(NpvaeError, match=r"items\.parquet: not a table of measures by image"):
        read_items(tmp_path / "items.parquet", "vae", 2)


def test_along_paths_the_first_classifier_looks_alone(path: Path) -> None:
    lines = path.read_text().replace("mmd", "linear_x_confidence_loo").splitlines(keepends=True)
    path.write_text("".join(lines))
    with pytest.raises(NpvaeError, match="linear_x_confidence_loo: a value of seed 0, classifier 1"):
        read(path)
    path.write_text("".join(line for line in lines if ",1,linear_x" not in line))
    sample = Measures(read(path), {}, {}).of(Term("vae", 2, "linear_x_confidence_loo"))
    assert not sample.crossed
    assert sample.values.tolist() == [[0.0], [1.0], [2.0]]


def test_a_table_cut_after_its_head_or_within_a_number_is_refused(path: Path) -> None:
    whole = path.read_text()
    for cut in (whole.splitlines(keepends=True)[0], whole[:-2]):  # ...,2.25 would still be a number
        path.write_text(cut)
        with pytest.raises(NpvaeError, match=r"vae-z2\.csv: not a table of measures"):
            read(path)


def test_a_digit_that_changed_shows_in_the_means_beside_it(path: Path) -> None:
    means = {"kl": 1.5, "mmd": 1.125}
    require_means(path, read(path), Path("vae-z2.json"), means)
    edit(path, "kl,1.5", "kl,1.6")
    with pytest.raises(
        NpvaeError, match=r"vae-z2\.csv: kl: its mean is 1\.53333, and vae-z2\.json says 1\.5"
    ):
        require_means(path, read(path), Path("vae-z2.json"), means)
    with pytest.raises(NpvaeError, match="other: its mean is nan"):
        require_means(path, read(path).query("measure != 'kl'"), Path("j"), {"mmd": 1.125, "other": 1.0})
