"""Whatever bytes a file of images has, an array of them comes out, or one sentence; in bounded memory."""

import gzip
import io
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image

from npvae.data.images import load_splits, read_idx
from npvae.data.own import look, take
from npvae.settings import Data
from tests.fuzz.damage import cases, damaged, outcome, tried

NAMES = [f"{p}-{k}-ubyte" for p in ("train", "t10k") for k in ("images-idx3", "labels-idx1")]
SIZE = st.integers(0, 3) | st.sampled_from([255, 2**16, 2**31, 2**32 - 1])


def idx(shape: tuple[int, ...], content: bytes, magic: bytes = b"\0\0\x08") -> bytes:
    return magic + bytes([len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + content


FILES = {
    NAMES[0]: idx((4, 2, 3), bytes(range(24))),
    NAMES[1]: idx((4,), b"\0\1\2\3"),
    NAMES[2]: idx((2, 2, 3), bytes(12)),
    NAMES[3]: idx((2,), b"\1\0"),
}
DATA = Data(name="own", image_shape=(2, 3), validation_images=1, train_images=3, test_images=2)


def put(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@cases
def test_any_header_over_any_bytes(cases: int, tmp_path: Path) -> None:
    path = tmp_path / "train-images-idx3-ubyte"

    @tried(
        cases,
        magic=st.just(b"\0\0\x08") | st.binary(min_size=3, max_size=3),
        shape=st.lists(SIZE, max_size=5) | st.lists(st.just(1), min_size=6, max_size=255),
        content=st.binary(max_size=30),
        cut=st.none() | st.integers(0, 30),
    )
    def _(magic: bytes, shape: list[int], content: bytes, cut: int | None) -> None:
        whole = idx(tuple(shape), content, magic)[:cut]
        path.write_bytes(whole)
        found = outcome(lambda: read_idx(path), path)
        if found is not None:
            assert list(found.shape) == shape
            assert found.tobytes() == whole[4 * (1 + len(shape)) :]


@cases
def test_four_files_of_which_one_is_damaged(cases: int, tmp_path: Path) -> None:
    folder = put(tmp_path / "own", FILES)

    @tried(
        cases,
        one=st.sampled_from(NAMES).flatmap(
            lambda name: st.tuples(st.just(name), damaged(FILES[name], start=16))
        ),
    )
    def _(one: tuple[str, bytes]) -> None:
        name, content = one
        put(folder, FILES | {name: content})
        outcome(lambda: load_splits(folder, DATA), folder / name)
        outcome(lambda: look(folder), folder)
        taken(folder, tmp_path)


def taken(source: Path, tmp_path: Path) -> None:
    """What comes out of it can be read, or nothing does."""
    destination = tmp_path / "destination"
    for left in destination.iterdir() if destination.is_dir() else ():
        left.unlink()
    own = outcome(lambda: take(destination, source), source)
    if own is None:
        assert not destination.is_dir() or not list(destination.iterdir())
        return
    assert look(destination) == own._replace(label_names=())
    data = Data(
        name="own",
        image_shape=own.image_shape,
        validation_images=0,
        train_images=own.train_images,
        test_images=own.test_images,
    )
    train, test = load_splits(destination, data)
    assert (len(train.labels), len(test.labels)) == (own.train_images, own.test_images)


@cases
def test_a_damaged_gzip(cases: int, tmp_path: Path) -> None:
    content = gzip.compress(FILES[NAMES[0]], mtime=0)
    source = put(tmp_path / "source", {name: FILES[name] for name in NAMES[1:]})

    @tried(cases, content=damaged(content))
    def _(content: bytes) -> None:
        (source / f"{NAMES[0]}.gz").write_bytes(content)
        taken(source, tmp_path)


def npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


ARRAYS = {
    "train_images": np.arange(24, dtype=np.uint8).reshape(4, 2, 3),
    "train_labels": np.arange(4),
    "test_images": np.zeros((2, 2, 3), np.uint8),
    "test_labels": np.arange(2),
}


@cases
def test_a_damaged_npz(cases: int, tmp_path: Path) -> None:
    source = tmp_path / "own.npz"

    @tried(cases, content=damaged(npz(**ARRAYS)))
    def _(content: bytes) -> None:
        source.write_bytes(content)
        taken(source, tmp_path)


@cases
def test_an_npz_whose_arrays_have_any_header(cases: int, tmp_path: Path) -> None:
    source = tmp_path / "own.npz"
    shape = st.lists(st.integers(0, 4) | st.integers(-2, 2**65), max_size=4).map(tuple).map(repr)
    types = st.sampled_from(["|u1", "<i8", ">i2", "|b1", "<f4", "|O", "<U3", "|V0", "<M8[s]", "|S2", "x"])
    header = st.builds(
        "{{'descr': '{}', 'fortran_order': {}, 'shape': {}, }}".format, types, st.booleans(), shape
    ) | st.text(max_size=30)

    @tried(
        cases,
        headers=st.dictionaries(st.sampled_from([*ARRAYS, "other"]), header, max_size=3),
        version=st.sampled_from([1, 2, 3, 9]),
        content=st.binary(max_size=48),
    )
    def _(headers: dict[str, str], version: int, content: bytes) -> None:
        source.write_bytes(npz(**{name: array for name, array in ARRAYS.items() if name not in headers}))
        with zipfile.ZipFile(source, "a") as file:
            for name, said in headers.items():
                line = said.encode("latin1", errors="replace") + b"\n"
                length = struct.pack("<H" if version == 1 else "<I", len(line))
                file.writestr(f"{name}.npy", b"\x93NUMPY" + bytes([version, 0]) + length + line + content)
        taken(source, tmp_path)


@pytest.mark.parametrize("kind", ["png", "gif", "tiff", "jpg"])
@cases
def test_a_damaged_picture(cases: int, kind: str, tmp_path: Path) -> None:
    source = tmp_path / "pictures"
    for name in ("train/a/1", "train/b/2", "test/a/3"):
        (source / name).parent.mkdir(parents=True)
        Image.new("L", (3, 2), 7).save(source / f"{name}.{kind}")
    path = source / f"train/b/2.{kind}"

    @tried(cases, content=damaged(path.read_bytes()))
    def _(content: bytes) -> None:
        path.write_bytes(content)
        taken(source, tmp_path)


def gigabytes(**arrays: tuple[int, ...]) -> bytes:
    """An npz of headers that state shapes, with four bytes each."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, shape in arrays.items():
            header = io.BytesIO()
            np.lib.format.write_array_header_1_0(
                header, {"descr": "|u1", "fortran_order": False, "shape": shape}
            )
            archive.writestr(f"{name}.npy", header.getvalue() + b"1234")
    return file.getvalue()


PROGRAM = """
import resource
from pathlib import Path
from npvae.data.images import read_idx
from npvae.data.own import take
from npvae.errors import NpvaeError
size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 64 * 2**20,) * 2)  # 64 MiB more, and no more than that
for source in ("honest", "idx", "a terabyte", "gzip", "gzip bomb", "npz.npz", "npz bomb.npz"):
    one = Path(source, "train-images-idx3-ubyte")
    for read in (lambda: take(Path("out"), Path(source)), lambda: read_idx(one)):
        try:
            print(source, len(read()))
        except NpvaeError as error:
            print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux bounds a process's memory")
def test_files_that_lie_of_gigabytes_take_no_memory(tmp_path: Path) -> None:
    huge = idx((2**30, 2, 3), b"1234")  # six gigabytes, it says
    put(tmp_path / "honest", FILES)
    put(tmp_path / "idx", FILES | {NAMES[0]: huge})
    os.truncate(put(tmp_path / "a terabyte", FILES | {NAMES[0]: huge}) / NAMES[0], 2**40)
    for kind, content in (("gzip", huge), ("gzip bomb", FILES[NAMES[0]] + bytes(2**28))):
        packed = {f"{NAMES[0]}.gz": gzip.compress(content, 1)}
        put(tmp_path / kind, packed | {NAMES[2]: FILES[NAMES[2]]})
    stated = gigabytes(train_images=(2**20, 2**6, 2**6), test_images=(1, 2**6, 2**6))
    (tmp_path / "npz.npz").write_bytes(stated)
    bomb = {"train_images": np.zeros(2**28, np.uint8), "test_images": np.zeros(1, np.uint8)}
    np.savez_compressed(tmp_path / "npz bomb.npz", **bomb)
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    name = NAMES[0]
    assert done.stdout.splitlines() == [
        "honest 5",  # words on them
        "honest 4",  # images
        *[f"idx/{name}: 20 bytes instead of 6442450960"] * 2,
        *[f"a terabyte/{name}: 1099511627776 bytes instead of 6442450960"] * 2,
        f"gzip/{name}.gz: 4 bytes instead of the 6442450944 bytes that its header states",
        f"gzip/{name}: missing; run `npvae data` first",
        f"gzip bomb/{name}.gz: more than the 24 bytes that its header states",
        f"gzip bomb/{name}: missing; run `npvae data` first",
        "npz.npz: train_images: 4 bytes instead of the 4294967296 bytes that its header states",
        f"npz.npz/{name}: not a directory",
        "npz bomb.npz: train_images has shape [268435456] and not [images, rows, columns]",
        f"npz bomb.npz/{name}: not a directory",
    ]
