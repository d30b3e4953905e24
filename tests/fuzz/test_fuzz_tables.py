"""Whatever bytes a table, arrays or a picture have, they are read whole or refused in a sentence."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from npvae.figures.data import parquet, read_table, tiled, untiled
from npvae.files import read_arrays
from npvae.verdicts.tables import read_items, read_measures
from tests.fuzz.damage import cases, damaged, outcome, tried

MEASURES = pd.DataFrame(
    [
        ("vae", 2, seed, eyes, measure, seed + 0.25)
        for seed in range(2)
        for measure, several in (("kl", [None]), ("sample_mmd2", [0, 1]))
        for eyes in several
    ],
    columns=["model", "z_dim", "seed", "classifier", "measure", "value"],
).astype({"classifier": "Int64"})
DOTS = pd.DataFrame(
    {
        "model": "npvae",
        "digit": np.arange(40, dtype=np.uint8) % 10,
        "x1": np.linspace(0, 1, 40, dtype=np.float32),
    }
)
COLUMNS = ("model", "digit", "x1")


@cases
def test_a_damaged_table_of_measures(cases: int, tmp_path: Path) -> None:
    path = tmp_path / "vae-z2.csv"

    @tried(cases, content=damaged(MEASURES.to_csv(index=False).encode()))
    def _(content: bytes) -> None:
        path.write_bytes(content)
        table = outcome(lambda: read_measures(path, seeds=2, classifiers=2), path)
        if table is not None:
            assert np.isfinite(table["value"]).all()
            assert set(table["seed"]) == {0, 1}


@cases
def test_damaged_measures_by_image(cases: int, tmp_path: Path) -> None:
    path, items = tmp_path / "vae-z2.parquet", pd.DataFrame({"measure": "kl", "item": range(9), "value": 0.5})
    items.to_parquet(path, index=False)

    @tried(cases, content=damaged(path.read_bytes()))
    def _(content: bytes) -> None:
        path.write_bytes(content)
        for series in (outcome(lambda: read_items(path, "vae", 2), path) or {}).values():
            assert np.isfinite(series).all()


# a change of figures/ sets off what gathers their data from embeddings
CUT = pytest.mark.xfail(strict=False, reason="a CSV cut off right after its header is a table without rows")


@pytest.mark.parametrize("name", ["f.parquet", pytest.param("f.csv", marks=CUT)])
@cases
def test_a_damaged_table_of_what_is_drawn(cases: int, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    whole = parquet(DOTS) if path.suffix == ".parquet" else DOTS.to_csv(index=False).encode()

    @tried(cases, content=damaged(whole))
    def _(content: bytes) -> None:
        path.write_bytes(content)
        table = outcome(lambda: read_table(path, COLUMNS), path)
        if table is not None:
            assert not table.empty
            assert np.isfinite(table["x1"]).all()
            assert set(table["model"]) <= {"npvae", "vae", "advised"}


@cases
def test_damaged_arrays_are_what_they_were_or_refused(cases: int, tmp_path: Path) -> None:
    path, arrays = (
        tmp_path / "f.npz",
        {"images": np.random.default_rng(0).random((3, 6)), "side": np.array(0.5)},
    )
    np.savez(path, **arrays)

    @tried(cases, content=damaged(path.read_bytes()))
    def _(content: bytes) -> None:
        path.write_bytes(content)
        found = outcome(lambda: read_arrays(path, *arrays), path)
        assert found is None or all((found[name] == arrays[name]).all() for name in arrays)


def test_arrays_of_objects_and_arrays_that_lie_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.npz"
    np.savez(path, images=np.array([None]))
    assert outcome(lambda: read_arrays(path, "images"), path) is None
    header = io.BytesIO()
    said = {"descr": "<f4", "fortran_order": False, "shape": (2**40, 2**10)}
    np.lib.format.write_array_header_1_0(header, said)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", header.getvalue() + b"1234")
    assert outcome(lambda: read_arrays(path, "images"), path) is None


@cases
def test_a_damaged_picture_is_what_it_was_or_refused(cases: int, tmp_path: Path) -> None:
    path, images = tmp_path / "f.png", np.random.default_rng(0).random((2, 3, 4, 5))
    path.write_bytes(tiled(images))
    whole = untiled(path, (4, 5))

    @tried(cases, content=damaged(path.read_bytes()) | st.binary(max_size=60))
    def _(content: bytes) -> None:
        path.write_bytes(content)
        found = outcome(lambda: untiled(path, (4, 5)), path)
        assert found is None or (found == whole).all()
