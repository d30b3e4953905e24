"""The basic measures against formulas of torch.distributions, and what the reference images decide."""

from typing import Literal

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Normal, kl_divergence

from npvae.data import Split
from npvae.metrics import evaluate
from npvae.model import VAE, Network, NonparametricVAE, build


def split(count: int, seed: int) -> Split:
    noise = torch.Generator().manual_seed(seed)
    return Split(torch.rand(count, 784, generator=noise), torch.randint(10, (count,), generator=noise))


TRAIN, TEST = split(80, 0), split(30, 1)


def nats(model: VAE, z: Tensor) -> float:
    decoded = Bernoulli(logits=model.decode(z).double(), validate_args=False)
    return -float(decoded.log_prob(TEST.images.double()).sum(-1).mean())


def measured(model: VAE, reference: Tensor) -> dict[str, float]:
    return evaluate(model, TRAIN, TEST, reference, neighbours=3, seed=0)


@pytest.mark.parametrize("name", ["vae", "npvae"])
@torch.no_grad()
def test_reconstruction_and_kl_are_torchs(name: Literal["vae", "npvae"]) -> None:
    model = build(name, 20, Network(hidden_units=8), seed=0).eval()
    found = measured(model, torch.arange(80))
    posterior = Normal(*model.encode(TEST.images))
    assert found["reconstruction"] == pytest.approx(nats(model, posterior.mean), rel=1e-5)
    kl = kl_divergence(posterior, Normal(0.0, 1.0)).sum(-1).mean()
    assert found["kl"] == pytest.approx(float(kl), rel=1e-5)
    assert found["active_units"] == int((posterior.mean.var(0, correction=0) > 0.01).sum())


@torch.no_grad()
def test_what_goes_through_x_uses_the_reference_images_and_nothing_else_does() -> None:
    model = NonparametricVAE(4, Network(hidden_units=8), initial_length_scale=0.5).eval()
    every, few = measured(model, torch.arange(80)), measured(model, torch.tensor([70, 3, 12]))
    assert {key for key in every if every[key] != few[key]} == {"reconstruction_from_x", "match_r2"}
    x, mu = model.embed(TEST.images).double(), model.encode(TEST.images)[0].double()
    for found, reference in ((every, TRAIN.images), (few, TRAIN.images[[70, 3, 12]])):
        weights = (-torch.cdist(x, model.embed(reference).double()).square() / (2 * 0.5**2)).exp()
        z = (weights / weights.sum(1, keepdim=True)) @ model.encode(reference)[0].double()
        assert found["reconstruction_from_x"] == pytest.approx(nats(model, z.float()), rel=1e-5)
        r2 = 1 - (mu - z).square().sum() / (mu - mu.mean(0)).square().sum()
        assert found["match_r2"] == pytest.approx(float(r2), rel=1e-4)


def test_order_does_not_matter_to_a_reference_set_of_all() -> None:
    model = NonparametricVAE(4, Network(hidden_units=8)).eval()
    first, second = measured(model, torch.arange(80)), measured(model, torch.arange(80).flip(0))
    assert first == pytest.approx(second, rel=1e-5)
