"""Files: written whole, and named where they can't be read."""

import glob
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from npvae.errors import NpvaeError

if TYPE_CHECKING:
    import numpy as np

CURE = "`dvc repro` makes it again"  # what a stage made and storage spoiled


@contextmanager
def reading(name: Path | str, what: str, cure: str = "") -> Iterator[None]:
    """Name the file where the block, which reads it, fails: of broken bytes libraries raise what they like.

    Args:
        name: the file, and which part of it.
        what: it should be.
        cure: what to do about it.

    Raises:
        NpvaeError: the block failed.
        PermissionError: the system refuses, which it says well itself.
    """
    try:
        yield
    except (NpvaeError, PermissionError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        said = "missing" if isinstance(error, FileNotFoundError) else f"not {what} ({reason})"
        raise NpvaeError(f"{name}: {said}{cure and f'; {cure}'}") from None


def read_arrays(path: Path, *names: str) -> "dict[str, np.ndarray]":
    """The arrays of an npz file, by name; all of them unless some are named. Nothing is unpickled.

    Raises:
        NpvaeError: it is missing or damaged, or an array is missing or not finite; the message names it.
    """
    import numpy as np

    with reading(path, "an archive of arrays", CURE):
        with np.load(path) as file:
            # NumPy stops where an array is full, which may be before its checksum is compared
            if damaged := file.zip.testzip():
                raise ValueError(f"{damaged} is damaged")
            if len({*file.files}) != _stated(path):  # zipfile takes half a list, and a name twice
                raise ValueError("its list of arrays is damaged")
            arrays = {name: file[name] for name in names or file.files}
        for name, array in arrays.items():
            if array.dtype.kind in "fc" and not np.isfinite(array).all():
                raise ValueError(f"{name} is not finite")
    return arrays


def _stated(path: Path) -> int:
    """How many members a zip file says at its end that it has; NumPy writes no comment after that."""
    with path.open("rb") as file:
        file.seek(-22, os.SEEK_END)
        return int.from_bytes(file.read()[10:12], "little")


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write a file so that a reader finds all of it or none, whatever interrupts the writing.

    What a killed process left half-written of the same file is removed; its name begins with a dot, which
    DVC is told to ignore.

    Raises:
        OSError: the system refuses; it names ``path``, also for a full disk, which names no file itself.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        left_over = list(path.parent.glob(f".{glob.escape(path.name)}-{'[a-z0-9_]' * 8}"))
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
            try:
                file.write(content.encode() if isinstance(content, str) else content)
                file.close()
                Path(file.name).chmod(0o644)
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink()
                raise
        for other in left_over:
            if other.is_file():
                other.unlink(missing_ok=True)
    except OSError as error:
        if error.errno is not None:
            error.filename = str(path)
        raise
