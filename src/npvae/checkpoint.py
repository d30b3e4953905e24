"""Checkpoints: the trainings of one model at one Z, stacked by seed, in one safetensors file.

Each tensor has a leading axis for the seeds. The metadata holds, as one JSON value, the seeds and every
parameter that the weights depend on (one, because safetensors writes several in an order of its own making,
and the same training must give the same bytes).
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from npvae.errors import NpvaeError
from npvae.files import write_atomically
from npvae.model import VAE, Network, build

_METADATA = "npvae"


def new_model(params: dict[str, Any], seed: int) -> VAE:
    """The untrained model that ``params`` (see :meth:`npvae.params.Params.of_checkpoint`) describe."""
    options = {k: v for k, v in params.get("npvae", {}).items() if k == "initial_length_scale"}
    return build(params["model"], params["z_dim"], Network(**params["network"]), seed=seed, **options)


def save_models(path: Path, models: dict[int, VAE], params: dict[str, Any]) -> None:
    """Write the models, by seed, with ``params`` as metadata: all of the file or none of it.

    No models at all is a valid checkpoint, of no seeds.
    """
    states = [model.state_dict() for model in models.values()]
    empty = {
        name: tensor.new_empty(0, *tensor.shape) for name, tensor in new_model(params, 0).state_dict().items()
    }
    stacked = {
        name: torch.stack([state[name].cpu() for state in states]) if states else tensor
        for name, tensor in empty.items()
    }
    trained = json.dumps({"params": params, "seeds": list(models)}, sort_keys=True)
    write_atomically(path, save(stacked, {_METADATA: trained}))


def load_models(path: Path, params: dict[str, Any]) -> dict[int, VAE]:
    """Read the models of a checkpoint, by seed, in evaluation mode on the CPU.

    Raises:
        NpvaeError: the file is missing or unreadable, or was trained with other parameters than ``params``;
            the message names the file and the keys.
    """
    try:
        with safe_open(path, framework="pt") as file:
            trained = json.loads((file.metadata() or {})[_METADATA])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        found, seeds = trained["params"], list(trained["seeds"])
    except FileNotFoundError:
        raise NpvaeError(f"{path}: no such checkpoint; train it first") from None
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise NpvaeError(f"{path}: not a checkpoint of this project ({error})") from None
    if differences := _differences(found, params):
        raise NpvaeError(f"{path}: trained with other parameters than asked for: {', '.join(differences)}")
    models = {}
    for index, seed in enumerate(seeds):
        model = new_model(params, seed)
        try:
            model.load_state_dict({name: tensor[index] for name, tensor in tensors.items()})
        except (RuntimeError, IndexError) as error:
            reason = " ".join(str(error).split())
            raise NpvaeError(f"{path}: its tensors are not those of its parameters ({reason})") from None
        models[seed] = model.eval()
    return models


def _differences(found: Any, asked: Any, key: str = "") -> list[str]:
    if isinstance(found, dict) and isinstance(asked, dict):
        return [
            difference
            for name in sorted(found.keys() | asked.keys())
            for difference in _differences(found.get(name), asked.get(name), f"{key}.{name}".lstrip("."))
        ]
    return [] if found == asked else [f"{key} is {found!r}, not {asked!r}"]
