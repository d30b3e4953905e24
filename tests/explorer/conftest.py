"""Small untrained models, whose parts the page's tests and the parts' own share."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from npvae.latent.spaces import Space, space_of
from npvae.model.vae import build
from npvae.settings import ModelName, Network

SHOWN = 120


class Case(NamedTuple):
    spaces: dict[tuple[ModelName, int], Space]
    images: Tensor
    digits: Tensor


@pytest.fixture(scope="session")
def case() -> Case:
    """All three models at Z = 2 and 5, untrained; ``advised`` shares its VAE with the plain one.

    x is E[z]'s first two units, in ``advised`` the other way round, so that places of X differ.
    """
    noise = torch.Generator().manual_seed(0)
    train = torch.randint(0, 256, (900, 784), generator=noise, dtype=torch.uint8)
    images = torch.randint(0, 256, (SHOWN, 784), generator=noise, dtype=torch.uint8)
    spaces = {}
    for model in ("vae", "npvae", "advised"):
        for z_dim in (2, 5):
            seed = z_dim + 10 * (model == "npvae")
            built = build(model, z_dim, Network(hidden_units=16, dropout=0), seed=seed).eval()
            with torch.no_grad():
                for name, weight in built.named_parameters():
                    if name.endswith("6.weight"):  # the last layers of encoders and decoder
                        weight.mul_(4)
                if model != "vae":
                    units = [0, 1] if model == "npvae" else [1, 0]
                    tied = built.encoder.state_dict()
                    tied |= {name: tied[name][units] for name in ("6.weight", "6.bias")}
                    built.x_encoder.load_state_dict(tied)
            scale = "leave-one-out" if model == "advised" else "learned"
            spaces[model, z_dim] = space_of(built, train, length_scale=scale)
    return Case(spaces, images, torch.arange(SHOWN) % 10)
