"""Checkpoints: the trainings of one recipe, stacked by seed, in one safetensors file.

Each tensor has a leading axis for the seeds. The metadata holds, as one JSON value, the recipe, the seeds,
what machine they were trained on, and a sha256 of all of it (one value, because safetensors writes several in
an order of its own making, and the same training must give the same bytes).
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from npvae.errors import NpvaeError
from npvae.files import write_atomically
from npvae.model.vae import VAE, build
from npvae.settings import Recipe

_METADATA = "npvae"


def new_model(recipe: Recipe, seed: int) -> VAE:
    """The untrained model of a recipe."""
    chosen, pixels = recipe.npvae or recipe.advised, recipe.data.pixels
    return build(recipe.model, recipe.z_dim, recipe.network, chosen, pixels=pixels, seed=seed)


def save_models(path: Path, models: dict[int, VAE], recipe: Recipe, trained_on: dict[str, Any]) -> None:
    """Write the models of a recipe, by seed: all of the file or none of it.

    No models at all is a valid checkpoint, of no seeds.

    Args:
        path: the file.
        models: by seed.
        recipe: what they were trained by.
        trained_on: what :func:`npvae.machine.describe` says of the training.

    Raises:
        NpvaeError: a weight is not finite.
    """
    states = [model.state_dict() for model in models.values()]
    empty = {
        name: tensor.new_empty(0, *tensor.shape) for name, tensor in new_model(recipe, 0).state_dict().items()
    }
    stacked = {
        name: torch.stack([state[name].cpu() for state in states]) if states else tensor
        for name, tensor in empty.items()
    }
    _require_finite(path, stacked)
    metadata = {"recipe": recipe.model_dump(mode="json"), "seeds": list(models), "trained_on": trained_on}
    metadata["sha256"] = digest(stacked, json.dumps(metadata, sort_keys=True))
    write_atomically(path, save(stacked, {_METADATA: json.dumps(metadata, sort_keys=True)}))


def load_models(path: Path, recipe: Recipe) -> dict[int, VAE]:
    """Read the models of a checkpoint, by seed, in evaluation mode on the CPU.

    Raises:
        NpvaeError: the file is missing or unreadable, was trained by another recipe, or has weights that are
            not finite; the message names the file and the keys. Where the recipe leaves the precision to the
            machine, any will do.
    """
    found, asked = _read(path), recipe.model_dump(mode="json")
    trained = found.recipe
    try:
        auto = recipe.train.precision == "auto"
        trained["train"]["precision"] = "auto" if auto else found.trained_on["precision"]
    except (KeyError, TypeError) as error:
        raise NpvaeError(f"{path}: not a checkpoint of this project ({error})") from None
    if differences := _differences(trained, asked):
        raise NpvaeError(f"{path}: trained with other parameters than asked for: {', '.join(differences)}")
    count = len(found.seeds)
    kinds = {name: (one.dtype, *one.shape[1:], len(one)) for name, one in found.tensors.items() if one.dim()}
    wanted = {name: (one.dtype, *one.shape, count) for name, one in new_model(recipe, 0).state_dict().items()}
    if wrong := sorted(name for name in kinds.keys() | wanted.keys() if kinds.get(name) != wanted.get(name)):
        raise NpvaeError(f"{path}: its tensors are not those of its parameters ({', '.join(wrong)})")
    _require_finite(path, found.tensors)
    models = {}
    for index, seed in enumerate(found.seeds):
        models[seed] = new_model(recipe, seed).eval()
        models[seed].load_state_dict({name: tensor[index] for name, tensor in found.tensors.items()})
    return models


def trained_on(path: Path) -> dict[str, Any]:
    """What a checkpoint says of the machine that it was trained on; see :func:`npvae.machine.describe`."""
    return _read(path).trained_on


def digest(tensors: Mapping[str, Tensor], text: str = "") -> str:
    """A sha256 of ``text``, names and contents, which proves that no bit was changed."""
    whole = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        whole.update(name.encode() + b"\0")
        whole.update(tensors[name].detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
    return whole.hexdigest()


class _Contents(NamedTuple):
    recipe: dict[str, Any]
    seeds: list[int]
    trained_on: dict[str, Any]
    tensors: dict[str, Tensor]


def _read(path: Path) -> _Contents:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {})[_METADATA])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if metadata.pop("sha256") != digest(tensors, json.dumps(metadata, sort_keys=True)):
            raise ValueError("its bytes were changed after it was written")
        seeds: list[Any] = metadata["seeds"]
        if len(set(seeds)) < len(seeds) or not all(type(one) is int and 0 <= one < 2**63 for one in seeds):
            raise ValueError("its seeds are no seeds")
        return _Contents(metadata["recipe"], seeds, metadata["trained_on"], tensors)
    except FileNotFoundError:
        raise NpvaeError(f"{path}: no such checkpoint; train it first") from None
    # RuntimeError: JSON of brackets alone, or tensors of types that numpy has not
    except (SafetensorError, OSError, AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise NpvaeError(f"{path}: not a checkpoint of this project ({reason})") from None


def _require_finite(path: Path, tensors: Mapping[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise NpvaeError(f"{path}: {name} is not finite; train it again")


def _differences(found: Any, asked: Any, key: str = "") -> list[str]:
    if isinstance(found, dict) and isinstance(asked, dict):
        return [
            difference
            for name in sorted(found.keys() | asked.keys())
            for difference in _differences(found.get(name), asked.get(name), f"{key}.{name}".lstrip("."))
        ]
    return [] if found == asked else [f"{key} is {found!r}, not {asked!r}"]
