"""Files are written whole, and what a killed writer left is swept."""

import resource
from pathlib import Path

import numpy as np
import pytest

from npvae.errors import NpvaeError
from npvae.files import read_arrays, reading, write_atomically


@pytest.mark.parametrize("content", ["text", b"bytes", ""])
def test_what_is_written_is_there(content: str | bytes, tmp_path: Path) -> None:
    write_atomically(tmp_path / "new folder" / "file", content)
    found = (tmp_path / "new folder" / "file").read_bytes()
    assert found == (content.encode() if isinstance(content, str) else content)


def test_what_a_killed_writer_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (".table[1].csv-a1b2_3d4", ".table[1].csv", ".table1.csv-c3", "table[1].csv-d4"):
        (tmp_path / name).write_text("half")
    write_atomically(tmp_path / "table[1].csv", "whole")
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"table[1].csv", ".table[1].csv", ".table1.csv-c3", "table[1].csv-d4"}


def test_hidden_files_of_ours_are_ignored_by_dvc(root: Path) -> None:
    assert ".*" in (root / ".dvcignore").read_text().splitlines()


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_atomically(path, "old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))  # what a process may write, as on a small disk
    try:
        with pytest.raises(OSError, match="File too large") as refused:
            write_atomically(path, "new" * 10)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert refused.value.filename == str(path)
    assert [one.name for one in tmp_path.iterdir()] == ["table.csv"]
    assert path.read_text() == "old"


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (ValueError("two\nlines"), "t.csv: not a table (two lines); make it again"),
        (RecursionError(), "t.csv: not a table (RecursionError); make it again"),
        (FileNotFoundError(2, "No such file"), "t.csv: missing; make it again"),
        (
            OSError(5, "Input/output error"),
            "t.csv: not a table ([Errno 5] Input/output error); make it again",
        ),
        (NpvaeError("t.csv: empty"), "t.csv: empty"),
    ],
)
def test_whatever_a_library_says_of_a_broken_file_is_a_sentence(raised: Exception, said: str) -> None:
    with pytest.raises(NpvaeError) as error, reading("t.csv", "a table", "make it again"):
        raise raised
    assert str(error.value) == said


@pytest.mark.parametrize("raised", [PermissionError(13, "Permission denied"), KeyboardInterrupt()])
def test_what_is_no_fault_of_the_file_stays_what_it_is(raised: BaseException) -> None:
    with pytest.raises(type(raised)), reading("t.csv", "a table"):
        raise raised


def test_a_flipped_bit_in_an_archive_of_arrays_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    """Some of these bits let the stream go on after the array is full, which NumPy takes for whole."""
    array = (np.random.default_rng(0).normal(size=(784, 16)) * 9).astype("int8")
    path = tmp_path / "arrays.npz"
    np.savez_compressed(path, array=array)
    whole, refused = path.read_bytes(), 0
    for bit in range(1000, 2000):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            assert np.array_equal(read_arrays(path)["array"], array)
        except NpvaeError as error:
            refused += str(path) in str(error)
    assert refused > 900


def test_no_array_is_lost_by_a_flipped_bit_in_the_list_of_them(tmp_path: Path) -> None:
    """Each bit after the arrays; where one makes a comment longer, zipfile takes what it reached for all."""
    arrays = {name: np.arange(5) for name in "abcd"}
    path = tmp_path / "arrays.npz"
    np.savez_compressed(path, **arrays)
    whole, refused = path.read_bytes(), 0
    start = whole.index(b"PK\x01\x02")
    for bit in range(8 * start, 8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            found = read_arrays(path)
            assert found.keys() == arrays.keys()
            assert all((found[name] == arrays[name]).all() for name in arrays)
        except NpvaeError as error:
            refused += str(path) in str(error)
    assert refused > 500


def test_a_users_hidden_file_beside_it_stays(tmp_path: Path) -> None:
    (tmp_path / ".claims.md-notes").write_text("mine")
    (tmp_path / ".claims.md-abcdefgh").mkdir()
    (tmp_path / ".claims.md-12345678").touch()  # what a killed process leaves
    write_atomically(tmp_path / "claims.md", "new")
    assert {path.name for path in tmp_path.iterdir()} == {
        "claims.md",
        ".claims.md-notes",
        ".claims.md-abcdefgh",
    }
