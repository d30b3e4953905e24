"""The objective's terms against direct formulas in float64."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from npvae.model.kernel import Kernel
from npvae.model.objective import Terms, active_units, kl_nats, loss, reconstruction_nats, terms
from npvae.model.vae import VAE, NonparametricVAE
from npvae.settings import Gradient, Network, Objective


def weights(x: Tensor, length_scale: float) -> Tensor:
    """W of Eq. 6 with a plain division, in float64; for points that are close enough."""
    kernel = torch.exp(-((x[:, None].double() - x[None].double()) ** 2).sum(-1) / (2 * length_scale**2))
    kernel = kernel - torch.diag(kernel.diagonal())
    return kernel / kernel.sum(1, keepdim=True)


def bernoulli_nats(logits: Tensor, y: Tensor) -> Tensor:
    p = 1 / (1 + torch.exp(-logits.double()))
    return -(y.double() * p.log() + (1 - y.double()) * (1 - p).log()).sum(1)


def test_kl_equals_torch_distributions() -> None:
    mu, sigma = torch.randn(9, 5), torch.rand(9, 5) * 2 + 0.01
    standard = Normal(torch.zeros(9, 5).double(), torch.ones(9, 5).double())
    expected = kl_divergence(Normal(mu.double(), sigma.double()), standard).sum(1)
    torch.testing.assert_close(kl_nats(mu, sigma).double(), expected, rtol=1e-5, atol=1e-5)


def test_kl_of_the_prior_with_itself_is_zero() -> None:
    assert kl_nats(torch.zeros(3, 20), torch.ones(3, 20)).tolist() == [0, 0, 0]


def test_kl_is_finite_for_the_smallest_sigma() -> None:
    # one dimension: (sigma^2 - 1 - 2 log sigma) / 2 at 1e-6
    got = kl_nats(torch.zeros(1, 1), torch.full((1, 1), 1e-6)).item()
    assert got == pytest.approx((1e-12 - 1 + 12 * math.log(10)) / 2)


def test_reconstruction_equals_the_bernoulli_formula_on_grey_values() -> None:
    logits, y = 3 * torch.randn(8, 30), torch.rand(8, 30)
    expected = bernoulli_nats(logits, y)
    torch.testing.assert_close(reconstruction_nats(logits, y).double(), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("logit", "y", "nats"),
    [(0, 0.3, math.log(2)), (1e4, 1, 0), (1e4, 0, 1e4), (-1e4, 1, 1e4), (1e4, 0.25, 7500), (-200, 0.5, 100)],
)
def test_reconstruction_is_exact_and_finite_for_huge_logits(logit: float, y: float, nats: float) -> None:
    logits = torch.full((1, 784), float(logit), requires_grad=True)
    got = reconstruction_nats(logits, torch.full((1, 784), float(y)))
    got.sum().backward()
    assert got.item() == pytest.approx(784 * nats, rel=1e-6)
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad, torch.full((1, 784), 1 / (1 + math.exp(-max(logit, -500))) - y))


@pytest.mark.parametrize("cls", [VAE, NonparametricVAE])
def test_terms_put_the_pieces_together(cls: type[VAE], tiny: Network) -> None:
    model, y, noise = cls(3, tiny), torch.rand(6, 784), torch.randn(6, 3)
    got = terms(model, y, noise)
    mu, sigma = model.encode(y)
    torch.testing.assert_close(got.mu, mu)
    torch.testing.assert_close(
        got.reconstruction.double(), bernoulli_nats(model.decode(mu + sigma * noise), y), rtol=1e-4, atol=1e-2
    )
    expected_kl = kl_divergence(Normal(mu, sigma), Normal(torch.zeros(6, 3), torch.ones(6, 3))).sum(1)
    torch.testing.assert_close(got.kl, expected_kl, rtol=1e-4, atol=1e-4)
    if isinstance(model, NonparametricVAE):
        residual = mu.double() - weights(model.embed(y), 1.0) @ mu.double()
        torch.testing.assert_close(got.match.double(), (residual**2).sum(1), rtol=1e-4, atol=1e-5)
        assert (got.match > 0).all()


def test_a_plain_vae_has_no_match(tiny: Network) -> None:
    assert terms(VAE(3, tiny), torch.rand(6, 784)).match.tolist() == [0.0] * 6


@pytest.mark.parametrize("gradient", ["all", "own"])
def test_terms_hand_on_the_choice_of_gradient(gradient: Gradient, tiny: Network) -> None:
    model = NonparametricVAE(2, tiny, kernel=Kernel(0.6))
    y = torch.rand(5, 784)
    got = terms(model, y, objective=Objective(match_gradient=gradient))
    (found,) = torch.autograd.grad(got.match.sum(), got.mu)
    residual = torch.eye(5).double() - weights(model.embed(y).detach(), 0.6)
    expected = 2 * residual @ got.mu.detach().double()
    expected = residual.T @ expected if gradient == "all" else expected
    torch.testing.assert_close(found.double(), expected, rtol=1e-3, atol=1e-4)


def reached(model: NonparametricVAE) -> set[str]:
    """Names of the parameters that have a gradient other than zero."""
    return {name for name, p in model.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}


def test_the_match_trains_the_x_encoder_and_the_length_scale(tiny: Network) -> None:
    model = NonparametricVAE(2, tiny)
    terms(model, torch.rand(8, 784)).match.sum().backward()
    trained = reached(model)
    assert {name for name, _ in model.named_parameters() if name.startswith("x_encoder")} <= trained
    assert "kernel.log_length_scale" in trained
    assert "encoder.0.weight" in trained
    assert not any(name.startswith("decoder") for name in trained)


def test_with_the_gradient_on_x_the_match_trains_nothing_else(tiny: Network) -> None:
    model = NonparametricVAE(2, tiny)
    terms(model, torch.rand(8, 784), objective=Objective(match_gradient="x")).match.sum().backward()
    of_x = {name for name, _ in model.named_parameters() if name.startswith(("x_encoder", "kernel"))}
    assert {name for name, p in model.named_parameters() if p.grad is not None} == of_x
    # only differences in X count, so that bias has a gradient of nothing but rounding
    assert of_x - {"x_encoder.6.bias"} <= reached(model)


@pytest.mark.parametrize("cls", [VAE, NonparametricVAE])
def test_terms_of_bytes_are_those_of_their_grey_values(cls: type[VAE], tiny: Network) -> None:
    model, noise = cls(3, tiny), torch.randn(6, 3)
    images = torch.randint(256, (6, 784), dtype=torch.uint8)
    values = torch.from_numpy(images.numpy() / np.float32(255))
    for a, b in zip(terms(model, images, noise), terms(model, values, noise), strict=True):
        assert torch.equal(a, b)


def test_the_noise_is_standard_normal(tiny: Network) -> None:
    class Known(VAE):
        def encode(self, y: Tensor) -> tuple[Tensor, Tensor]:
            return torch.full((len(y), 2), 3.0), torch.full((len(y), 2), 2.0)

        def decode(self, z: Tensor) -> Tensor:
            self.seen = z
            return z

    model = Known(2, tiny, pixels=2)
    terms(model, torch.rand(20_000, 2))
    assert model.seen.mean().item() == pytest.approx(3, abs=0.05)
    assert model.seen.std().item() == pytest.approx(2, abs=0.05)
    assert ((model.seen - 3).abs() < 2).float().mean().item() == pytest.approx(0.6827, abs=0.015)


def test_loss_is_the_weighted_mean() -> None:
    parts = Terms(
        torch.tensor([1.0, 2.0]), torch.tensor([3.0, 5.0]), torch.tensor([10.0, 20.0]), torch.zeros(2, 1)
    )
    assert loss(parts).item() == (1 + 3 + 10 + 2 + 5 + 20) / 2
    assert loss(parts, match_weight=0.5).item() == (1 + 3 + 5 + 2 + 5 + 10) / 2
    assert loss(parts, match_weight=0).item() == (1 + 3 + 2 + 5) / 2


def test_a_unit_is_active_above_a_variance_of_a_hundredth() -> None:
    assert active_units(torch.tensor([0.0, 0.0099, 0.0101, 3.0])) == 2
