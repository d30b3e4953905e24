"""A user's own images: what can be used gets in, whatever kind of file it lies in, and nothing else."""

import gzip
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from npvae.data.images import read_idx
from npvae.data.own import look, take
from npvae.errors import NpvaeError
from tests.unit.data.idx_files import NAMES, found, put

Listing = Callable[[Path], list[str]]

Arrays = dict[str, np.ndarray]


@pytest.fixture
def cells() -> Arrays:
    """Seven training and four test images of 3 x 5, with labels."""
    random = np.random.default_rng(0)
    return {
        "train_images": random.integers(256, size=(7, 3, 5), dtype=np.uint8),
        "train_labels": np.arange(7),
        "test_images": random.integers(256, size=(4, 3, 5), dtype=np.uint8),
        "test_labels": np.arange(4)[::-1].astype(np.uint8),
    }


def zipfile_of(arrays: Arrays, path: Path) -> Path:
    np.savez(path, **arrays)
    return path


def test_own_images_come_out_of_the_idx_files_as_they_went_in(cells: Arrays, tmp_path: Path) -> None:
    own = take(tmp_path / "cells", zipfile_of(cells, tmp_path / "cells.npz"))
    assert own == (7, 4, (3, 5), True, ())
    assert look(tmp_path / "cells") == own
    files = (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    )
    assert sorted(found(tmp_path / "cells")) == sorted(files)
    for array, file in zip(cells, files, strict=True):
        np.testing.assert_array_equal(read_idx(tmp_path / "cells" / file), cells[array])
    # of 7 x 3 x 5, by hand
    assert (tmp_path / "cells" / files[0]).read_bytes()[:16] == bytes(
        [0, 0, 8, 3, 0, 0, 0, 7, 0, 0, 0, 3, 0, 0, 0, 5]
    )


@pytest.mark.parametrize("gzipped", [False, True])
def test_own_idx_files_are_taken_from_a_folder(gzipped: bool, cells: Arrays, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    take(first, zipfile_of(cells, tmp_path / "cells.npz"))
    files = found(first)
    if gzipped:
        put(tmp_path / "packed", {f"{name}.gz": gzip.compress(raw) for name, raw in files.items()})
    assert take(second, tmp_path / "packed" if gzipped else first) == (7, 4, (3, 5), True, ())
    assert found(second) == files


@pytest.mark.parametrize("kind", ["npz", "idx"])
def test_without_labels_all_are_zero(kind: str, cells: Arrays, tmp_path: Path) -> None:
    images = {array: values for array, values in cells.items() if "images" in array}
    source = zipfile_of(images, tmp_path / "cells.npz")
    if kind == "idx":
        take(tmp_path / "other", source)
        for name in NAMES:
            if "labels" in name:
                (tmp_path / "other" / name).unlink()
        source = tmp_path / "other"
    assert take(tmp_path / "cells", source) == (7, 4, (3, 5), False, ())
    assert not read_idx(tmp_path / "cells" / "train-labels-idx1-ubyte").any()
    assert len(read_idx(tmp_path / "cells" / "t10k-labels-idx1-ubyte")) == 4
    assert not look(tmp_path / "cells").labelled


def test_one_label_tells_nothing_and_stays_what_it_is(cells: Arrays, tmp_path: Path) -> None:
    source = zipfile_of(cells | {"train_labels": np.full(7, 3)}, tmp_path / "cells.npz")
    assert not take(tmp_path / "cells", source).labelled
    assert not look(tmp_path / "cells").labelled
    assert read_idx(tmp_path / "cells" / "train-labels-idx1-ubyte").tolist() == [3] * 7


WRONG: dict[str, tuple[Arrays, str]] = {
    "floats": ({"train_images": np.zeros((7, 3, 5))}, r"train_images is of type float64 and not uint8"),
    "flat": ({"test_images": np.zeros((4, 15), np.uint8)}, r"test_images has shape \[4, 15\]"),
    "no rows": ({"test_images": np.zeros((4, 0, 5), np.uint8)}, r"test_images has shape \[4, 0, 5\]"),
    "none": ({"test_images": np.zeros((0, 3, 5), np.uint8)}, r"test_images has 0 images"),
    "one": ({"train_images": np.zeros((1, 3, 5), np.uint8)}, r"train_images has 1 images and needs 2"),
    "two shapes": (
        {"test_images": np.zeros((4, 5, 3), np.uint8)},
        r"\[3, 5\], and those of test_images \[5, 3\]",
    ),
    "pickled images": (
        {"train_images": np.array([None] * 7)},
        "train_images is of type object and not uint8",
    ),
    "pickled labels": (
        {"test_labels": np.array([None] * 4)},
        "test_labels is of type object and not of integers",
    ),
    "words": ({"train_labels": np.array(list("abcdefg"))}, "train_labels is of type <U1"),
    "half a label": ({"train_labels": np.full(7, 0.5)}, "train_labels is of type float64"),
    "too few labels": ({"train_labels": np.arange(6)}, r"train_labels has shape \[6\] for 7 images"),
    "labels of one column": ({"test_labels": np.zeros((4, 1), int)}, r"test_labels has shape \[4, 1\]"),
    "negative": ({"train_labels": np.arange(7) - 1}, "train_labels has values from -1 to 5"),
    "no byte": ({"test_labels": np.array([0, 1, 2, 256])}, "test_labels has values from 0 to 256"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_arrays_are_refused_by_file_and_name(
    kind: str, cells: Arrays, tmp_path: Path, listing: Listing
) -> None:
    wrong, message = WRONG[kind]
    source = zipfile_of(cells | wrong, tmp_path / "cells.npz")
    with pytest.raises(NpvaeError, match=message) as error:
        take(tmp_path / "cells", source)
    assert str(error.value).startswith(f"{source}: ")
    assert "\n" not in str(error.value)
    assert listing(tmp_path / "cells") == []


@pytest.mark.parametrize("array", ["train_images", "test_images"])
def test_an_array_that_is_missing_is_named(array: str, cells: Arrays, tmp_path: Path) -> None:
    cells["data"] = cells.pop(array)
    with pytest.raises(NpvaeError, match=f"no array {array}; there are .*data"):
        take(tmp_path / "cells", zipfile_of(cells, tmp_path / "cells.npz"))


def test_an_array_that_nothing_reads_is_named_and_never_left_out_in_silence(
    cells: Arrays, tmp_path: Path
) -> None:
    cells["train_label"], cells["test_label"] = cells.pop("train_labels"), cells.pop("test_labels")
    with pytest.raises(NpvaeError, match=r"unknown array test_label, train_label; .* train_labels"):
        take(tmp_path / "cells", zipfile_of(cells, tmp_path / "cells.npz"))
    assert not (tmp_path / "cells").exists()


def test_arrays_may_be_files_of_their_own(cells: Arrays, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    for name, array in cells.items():
        np.save(tmp_path / "source" / f"{name}.npy", np.asfortranarray(array))
    take(tmp_path / "first", zipfile_of(cells, tmp_path / "cells.npz"))
    assert take(tmp_path / "second", tmp_path / "source") == (7, 4, (3, 5), True, ())
    assert found(tmp_path / "second") == found(tmp_path / "first")


def pictures(cells: Arrays, source: Path, label: Callable[[int], str] | None, kind: str = "png") -> Path:
    """The same images as a folder of pictures, numbered in order."""
    for part in ("train", "test"):
        for number, image in enumerate(cells[f"{part}_images"]):
            folder = source / part / (label(cells[f"{part}_labels"][number]) if label else "")
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{number}.{kind}")
        (source / part / ".hidden.png").touch()
        (source / part / "notes.txt").touch()
    return source


def in_rows(folder: Path, part: str) -> list[tuple[bytes, int]]:
    images, labels = (read_idx(folder / f"{part}-{kind}-ubyte") for kind in ("images-idx3", "labels-idx1"))
    return sorted((image.tobytes(), int(label)) for image, label in zip(images, labels, strict=True))


def test_pictures_in_folders_by_label(cells: Arrays, tmp_path: Path) -> None:
    names = ["ape", "bee", "cat", "dog", "eel", "fox", "gnu"]
    take(tmp_path / "first", zipfile_of(cells, tmp_path / "cells.npz"))
    own = take(tmp_path / "words", pictures(cells, tmp_path / "a", lambda label: names[label]))
    assert own == (7, 4, (3, 5), True, tuple(names))
    tens = take(tmp_path / "tens", pictures(cells, tmp_path / "b", lambda label: str(10 * label)))
    assert tens == (7, 4, (3, 5), True, ())  # numbers are what they say, whatever words sort like
    for part in ("train", "t10k"):
        expected = in_rows(tmp_path / "first", part)
        assert in_rows(tmp_path / "words", part) == expected
        assert in_rows(tmp_path / "tens", part) == [(image, 10 * label) for image, label in expected]


def test_pictures_without_labels_and_in_colour(cells: Arrays, tmp_path: Path) -> None:
    source = pictures(cells, tmp_path / "a", None)
    assert take(tmp_path / "grey", source) == (7, 4, (3, 5), False, ())
    np.testing.assert_array_equal(
        read_idx(tmp_path / "grey" / "train-images-idx3-ubyte"), cells["train_images"]
    )
    red = np.zeros((3, 5, 3), np.uint8)
    red[..., 0] = 200
    Image.fromarray(red).save(source / "train/0.png")
    take(tmp_path / "red", source)
    # ITU-R 601: red counts for 0.299 of the light
    assert set(read_idx(tmp_path / "red" / "train-images-idx3-ubyte")[0].flatten().tolist()) == {60}


def deep(source: Path) -> None:
    Image.fromarray(np.zeros((3, 5), np.uint16)).save(source / "train/2/2.png")


def see_through(source: Path) -> None:
    Image.new("RGBA", (5, 3), (0, 0, 0, 9)).save(source / "train/2/2.png")


def moving(source: Path) -> None:
    frames = [Image.new("L", (5, 3), grey) for grey in (0, 99)]
    frames[0].save(source / "train/2/2.gif", save_all=True, append_images=frames[1:])


def one_number_twice(source: Path) -> None:
    (source / "train/02").mkdir()
    Image.new("L", (5, 3)).save(source / "train/02/9.png")


def deeper(source: Path) -> None:
    (source / "train/2/more").mkdir()


PICTURES_WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "another size": (
        lambda source: Image.new("L", (5, 4)).save(source / "train/2/2.png"),
        r"2\.png: of 4 x 5 pixels, and the first of 3 x 5",
    ),
    "broken": (lambda source: (source / "test/1/2.png").write_bytes(b"\x89PNG"), r"2\.png: not a picture"),
    "deep": (deep, r"2\.png: not a picture \(of mode I"),
    "transparent": (see_through, r"2\.png: not a picture \(transparent"),
    "moving": (moving, r"2\.gif: not a picture \(several"),
    "deeper": (deeper, "more: a folder in the folder of a label"),
    "one number twice": (one_number_twice, "two folders of one number"),
    "arrays beside": (
        lambda source: np.save(source / "train_images.npy", np.zeros(3)),
        "pictures and arrays",
    ),
    "loose": (lambda source: Image.new("L", (5, 3)).save(source / "train/9.png"), r"9\.png: lies beside"),
    "a label of tests alone": (
        lambda source: (source / "test/1").rename(source / "test/8"),
        "test/8: a label that no training picture has",
    ),
    "none": (
        lambda source: [path.unlink() for path in source.glob("train/*/*.png")],
        "train: no pictures",
    ),
    "not divided": (
        lambda source: (source / "test").rename(source / "other"),
        "pictures in train/ and test/",
    ),
}


@pytest.mark.parametrize("kind", PICTURES_WRONG)
def test_wrong_pictures_are_refused_by_name(kind: str, cells: Arrays, tmp_path: Path) -> None:
    source = pictures(cells, tmp_path / "a", str)
    spoil, message = PICTURES_WRONG[kind]
    spoil(source)
    with pytest.raises(NpvaeError, match=message) as error:
        take(tmp_path / "cells", source)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "cells").exists()


@pytest.mark.parametrize("array", ["train_labels", "test_labels"])
def test_labels_of_half_the_images_are_refused(array: str, cells: Arrays, tmp_path: Path) -> None:
    del cells[array]
    with pytest.raises(NpvaeError, match="give both or neither"):
        take(tmp_path / "cells", zipfile_of(cells, tmp_path / "cells.npz"))


def single_array(raw: bytes) -> bytes:
    file = io.BytesIO()
    np.save(file, np.arange(3))
    return file.getvalue()


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda raw: b"",
    "cut": lambda raw: raw[: len(raw) // 2],
    "no zip": lambda raw: b"no zip at all",
    "a pickle": lambda raw: b"\x80\x04N.",
    "a single array": single_array,
    "a changed byte": lambda raw: raw[:180] + bytes([raw[180] ^ 1]) + raw[181:],
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_npz_is_refused_by_name(kind: str, cells: Arrays, tmp_path: Path, listing: Listing) -> None:
    source = zipfile_of(cells, tmp_path / "cells.npz")
    source.write_bytes(BROKEN[kind](source.read_bytes()))
    with pytest.raises(NpvaeError) as error:
        take(tmp_path / "cells", source)
    assert str(error.value).startswith(f"{source}: ")
    assert "\n" not in str(error.value)
    assert listing(tmp_path / "cells") == []


@pytest.mark.parametrize("source", ["nowhere.npz", "nowhere", "cells.csv"])
def test_a_source_of_no_known_form_is_refused(source: str, tmp_path: Path) -> None:
    (tmp_path / "cells.csv").touch()
    with pytest.raises(NpvaeError, match=source):
        take(tmp_path / "cells", tmp_path / source)


def test_a_folder_whose_own_files_are_missing_says_how_to_put_them_there(
    cells: Arrays, tmp_path: Path
) -> None:
    folder = tmp_path / "cells"
    take(folder, zipfile_of(cells, tmp_path / "cells.npz"))
    (folder / NAMES[1]).unlink()
    with pytest.raises(NpvaeError, match=rf"{NAMES[1]};.* put .* `npvae data --output {folder} --source"):
        look(folder)


@pytest.mark.parametrize("content", [b"", b"\0\0\x08", b"\0\0\x0d\1\0\0\0\1abcd", b"\0\0\x08\1\0\0\0\4abc"])
def test_own_files_that_are_broken_are_named(content: bytes, cells: Arrays, tmp_path: Path) -> None:
    folder = tmp_path / "cells"
    take(folder, zipfile_of(cells, tmp_path / "cells.npz"))
    (folder / NAMES[3]).write_bytes(content)
    with pytest.raises(NpvaeError, match=NAMES[3]):
        look(folder)
