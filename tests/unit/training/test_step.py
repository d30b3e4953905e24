"""What a training step costs, counted rather than timed."""

from collections import Counter
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from npvae.model.vae import build
from npvae.settings import ModelName, Network, Precision, Training
from npvae.training.loop import fit

# layers of encoder, decoder and X encoder
LAYERS = {"vae": 6, "npvae": 9}
# backward, each has two, but for the first of an encoder: images need no gradient
PRODUCTS = {"vae": 6 + 11, "npvae": 9 + 16}


class Calls(TorchDispatchMode):
    """Counts operations, and matrix products by the type of what comes out."""

    def __init__(self) -> None:
        super().__init__()
        self.count: Counter[str] = Counter()
        self.products: Counter[torch.dtype] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        self.count[name] += 1
        out = func(*args, **(kwargs or {}))
        if name in {"mm", "addmm", "bmm", "baddbmm"}:
            self.products[out.dtype] += 1
        return out


def per_step(name: ModelName, precision: Precision = "bfloat16") -> Calls:
    """Calls of one step more: those of three steps less those of two."""
    results = []
    for steps in (2, 3):
        model = build(name, 20, Network(hidden_units=32), seed=0)
        with Calls() as calls:
            options = Training(epochs=1, batch_size=16, precision=precision)
            fit(model, torch.rand(16 * steps, 784), options, seed=0)
        results.append(calls)
    results[1].count.subtract(results[0].count)
    results[1].products.subtract(results[0].products)
    return results[1]


@pytest.mark.parametrize("name", ["vae", "npvae"])
def test_every_product_of_the_networks_runs_once_and_in_bfloat16(name: ModelName) -> None:
    step = per_step(name)
    assert step.products[torch.bfloat16] == PRODUCTS[name]
    # the match's: W mu, and the gradients of both
    assert step.products[torch.float32] == (3 if name == "npvae" else 0)


@pytest.mark.parametrize("name", ["vae", "npvae"])
def test_in_float32_no_product_is_rounded(name: ModelName) -> None:
    step = per_step(name, "float32")
    assert step.products[torch.bfloat16] == 0
    assert step.products[torch.float32] == PRODUCTS[name] + (3 if name == "npvae" else 0)


@pytest.mark.parametrize("name", ["vae", "npvae"])
def test_one_update_for_all_weights_and_no_mask_drawn_unit_by_unit(name: ModelName) -> None:
    step = per_step(name)
    assert step.count["_fused_adam_"] == 1
    assert step.count["bernoulli_"] == 0
    assert step.count["native_dropout"] == 0
    assert step.count["random_"] == 2 * LAYERS[name] // 3  # one for each hidden layer
    assert step.count["randn_like"] == 1


@pytest.mark.parametrize(("name", "most"), [("vae", 235), ("npvae", 405)])
def test_a_step_is_few_operations(name: ModelName, most: int) -> None:
    assert sum(per_step(name).count.values()) <= most
