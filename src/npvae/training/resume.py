"""The state of a training at the end of an epoch, in a file, so that a killed one goes on from there."""

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

import npvae
from npvae.files import write_atomically
from npvae.model.checkpoint import digest
from npvae.model.vae import VAE

_METADATA = "npvae"


class Saved(NamedTuple):
    """What was saved: tensors by name, and the records of the epochs that are done."""

    tensors: dict[str, Tensor]
    history: list[list[Any]]


class StateFile:
    """Where a training keeps its state, and what that state must belong to.

    Args:
        path: the file.
        key: of the training, from :func:`fingerprint`; the state of any other is not used.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path, self._key = path, key

    def save(self, tensors: dict[str, Tensor], history: Iterable[Iterable[object]]) -> None:
        """Write it: all of the file or none of it."""
        content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        records = [list(record) for record in history]
        metadata = {"key": self._key, "history": records, "sha256": digest(content)}
        write_atomically(self.path, save(content, {_METADATA: json.dumps(metadata)}))

    def load(self) -> Saved | None:
        """What was saved, if it is of this training; says on stderr what is used, or why not."""
        try:
            with safe_open(self.path, framework="pt") as file:
                metadata = json.loads(file.metadata()[_METADATA])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            history = metadata["history"]
            key = metadata["key"] if metadata["sha256"] == digest(tensors) else None
        except FileNotFoundError:
            return None
        except (SafetensorError, OSError, KeyError, TypeError, ValueError):
            key = None
        if key != self._key:
            what = "of another recipe, source, data or machine" if key else "not the state of a training"
            print(f"{self.path}: {what}; it is ignored, and the training starts anew", file=sys.stderr)
            return None
        print(f"{self.path}: the training goes on after epoch {history[-1][1]}", file=sys.stderr)
        return Saved(tensors, history)


def fingerprint(model: VAE, images: Tensor, *what: object) -> str:
    """What a training depends on, as one hash: untrained model, images, source, and ``what``."""
    parts = (*_source(), *map(str, what), repr(model), str(images.dtype), str(images.shape))
    whole = "\0".join((*parts, digest({"images": images, **model.state_dict()})))
    return hashlib.sha256(whole.encode()).hexdigest()


def _source() -> Iterator[str]:
    """The text of the modules that decide what a step computes."""
    package = Path(npvae.__path__[0])
    rooms = ("model/*.py", "training/*.py", "data/images.py", "*.py")
    for file in sorted(file for room in rooms for file in package.glob(room)):
        yield file.read_text()


def forget(folder: Path) -> None:
    """Remove the states of a stage's trainings, and half-written ones, once its results are there."""
    for name in ("seed-*.safetensors", "seeds.safetensors"):
        for file in (*folder.glob(name), *folder.glob(f".{name}-*")):
            file.unlink(missing_ok=True)
    with suppress(OSError):  # missing, or with files of someone else's
        folder.rmdir()
