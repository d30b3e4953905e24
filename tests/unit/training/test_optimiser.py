"""Adam on float32 weights, against torch's own and against the rounding that bfloat16 allows."""

import copy

import pytest
import torch

from npvae.model.objective import loss, terms
from npvae.model.vae import NonparametricVAE, build
from npvae.settings import Network
from npvae.training.optimiser import MasterAdam


def test_in_float32_it_is_adam() -> None:
    network, images = Network(hidden_units=8, dropout=0), torch.rand(6, 10, 784)
    ours, theirs = (build("npvae", 2, network, seed=0) for _ in range(2))
    optimiser = MasterAdam(ours, learning_rate=0.01)
    adam = torch.optim.Adam(theirs.parameters(), lr=0.01, fused=True)
    assert optimiser.working is ours
    for batch in images:
        noise = torch.randn(10, 2)
        loss(terms(ours, batch, noise)).backward()
        optimiser.step()
        adam.zero_grad()
        loss(terms(theirs, batch, noise)).backward()
        adam.step()
    for name, weight in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], weight, rtol=1e-6, atol=1e-8)


def test_bfloat16_is_for_the_networks_alone() -> None:
    model = build("npvae", 9, Network(hidden_units=50, dropout=0), seed=0)
    exact = copy.deepcopy(model)
    optimiser = MasterAdam(model, bfloat16=True, learning_rate=0.01)
    assert isinstance(optimiser.working, NonparametricVAE)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert optimiser.working.kernel.log_length_scale.dtype == torch.float32
    y, z = torch.rand(20, 784), torch.randn(20, 9)
    for rounded, plain in (
        (optimiser.working.encode(y)[0], exact.encode(y)[0]),
        (optimiser.working.decode(z), exact.decode(z)),
        (optimiser.working.embed(y), exact.embed(y)),
    ):
        assert rounded.dtype == torch.float32
        # bfloat16 keeps 8 bits: a relative error of about 2^-8, and not of 2^-24
        assert 2**-12 < ((rounded - plain).norm() / plain.norm()).item() < 2**-5


def test_updates_smaller_than_bfloat16_can_hold_add_up() -> None:
    # each is a 2,000th of a weight; bfloat16 alone would round every one of them away
    model = build("vae", 2, Network(hidden_units=8, dropout=0), seed=0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.fill_(1.0)
    optimiser = MasterAdam(model, bfloat16=True, learning_rate=1 / 2000)
    for _ in range(20):
        for weight in optimiser.working.parameters():
            weight.grad = torch.ones_like(weight)
        optimiser.step()
    for weight, working in zip(model.parameters(), optimiser.working.parameters(), strict=True):
        torch.testing.assert_close(weight, torch.full_like(weight, 0.99), rtol=0, atol=1e-5)
        assert torch.equal(working, weight.to(torch.bfloat16))


@pytest.mark.parametrize("bfloat16", [True, False])
def test_gradients_are_forgotten_after_a_step(bfloat16: bool) -> None:
    model = build("npvae", 2, Network(hidden_units=8), seed=0)
    optimiser = MasterAdam(model, bfloat16=bfloat16, learning_rate=0.01)
    loss(terms(optimiser.working, torch.rand(5, 784))).backward()
    optimiser.step()
    assert all(weight.grad is None for weight in optimiser.working.parameters())


@pytest.mark.parametrize("bfloat16", [True, False])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_one_weight_that_is_not_finite_is_found(bfloat16: bool, value: float) -> None:
    model = build("vae", 2, Network(hidden_units=8), seed=0)
    optimiser = MasterAdam(model, bfloat16=bfloat16, learning_rate=0.01)
    assert optimiser.finite()
    with torch.no_grad():
        model.get_parameter("decoder.6.bias")[-1] = value
    assert not optimiser.finite()


@pytest.mark.parametrize("bfloat16", [True, False])
def test_an_optimiser_that_is_restored_goes_on_in_the_same_bits(bfloat16: bool) -> None:
    def step(optimiser: MasterAdam, number: int) -> None:
        torch.manual_seed(number)
        loss(terms(optimiser.working, torch.rand(5, 784))).backward()
        optimiser.step()

    whole, other = (build("npvae", 2, Network(hidden_units=8), seed=seed) for seed in (0, 1))
    optimiser = MasterAdam(whole, bfloat16=bfloat16, learning_rate=0.01)
    for number in range(3):
        step(optimiser, number)
    kept = {name: tensor.clone() for name, tensor in optimiser.state().items()}
    restored = MasterAdam(other, bfloat16=bfloat16, learning_rate=0.01)
    restored.restore(kept)
    for number in range(3, 6):
        step(optimiser, number)
        step(restored, number)
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, other.state_dict()[name]), name
