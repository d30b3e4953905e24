"""The objective's terms against direct formulas in float64."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from npvae.model import VAE, Network, NonparametricVAE
from npvae.objective import Terms, kl_nats, loss, match_penalty, reconstruction_nats, terms


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


def test_match_penalty_equals_the_double_loop() -> None:
    mu, x, length_scale = torch.randn(7, 4), torch.randn(7, 2), 0.8
    expected = []
    for i in range(7):
        kernel = [
            0.0
            if i == j
            else math.exp(-(math.dist(x[i].tolist(), x[j].tolist()) ** 2) / (2 * length_scale**2))
            for j in range(7)
        ]
        predicted = [sum(k * float(mu[j, d]) for j, k in enumerate(kernel)) / sum(kernel) for d in range(4)]
        expected.append(sum((float(mu[i, d]) - predicted[d]) ** 2 for d in range(4)))
    got = match_penalty(mu, x, torch.tensor(length_scale))
    torch.testing.assert_close(got, torch.tensor(expected), rtol=1e-5, atol=1e-5)


def test_match_penalty_is_zero_where_all_means_agree() -> None:
    mu = torch.tensor([[1.0, -2.0]]).expand(6, 2)
    torch.testing.assert_close(
        match_penalty(mu, torch.randn(6, 2), torch.tensor(1.0)), torch.zeros(6), rtol=0, atol=1e-10
    )


@pytest.mark.parametrize("length_scale", [0.5, 2.0])
def test_match_penalty_passes_gradcheck(length_scale: float) -> None:
    mu = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    x = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    scale = torch.tensor(length_scale, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(match_penalty, (mu, x, scale))


@pytest.mark.parametrize("neighbour_gradient", [True, False])
def test_gradient_on_the_means(neighbour_gradient: bool) -> None:
    # sum |mu - W mu|^2 has the gradient 2 (I - W)^T (I - W) mu; with the neighbours held fixed, 2 (I - W) mu
    mu, x = torch.randn(6, 3, dtype=torch.float64, requires_grad=True), torch.randn(6, 2, dtype=torch.float64)
    penalty = match_penalty(
        mu, x, torch.tensor(0.9, dtype=torch.float64), neighbour_gradient=neighbour_gradient
    )
    (got,) = torch.autograd.grad(penalty.sum(), mu)
    residual = torch.eye(6).double() - weights(x, 0.9)
    expected = 2 * residual @ mu.detach()
    torch.testing.assert_close(got, residual.T @ expected if neighbour_gradient else expected)


def test_holding_the_neighbours_fixed_leaves_value_and_kernel_gradients_alone() -> None:
    mu = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    x = torch.randn(6, 2, dtype=torch.float64, requires_grad=True)
    scale = torch.tensor(0.9, dtype=torch.float64, requires_grad=True)
    free, fixed = (match_penalty(mu, x, scale, neighbour_gradient=flag) for flag in (True, False))
    torch.testing.assert_close(free, fixed)
    for a, b in zip(
        torch.autograd.grad(free.sum(), (x, scale)), torch.autograd.grad(fixed.sum(), (x, scale)), strict=True
    ):
        assert a.abs().max() > 0
        torch.testing.assert_close(a, b)


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


@pytest.mark.parametrize("neighbour_gradient", [True, False])
def test_terms_hand_on_the_choice_of_gradient(neighbour_gradient: bool, tiny: Network) -> None:
    model = NonparametricVAE(2, tiny, initial_length_scale=0.6)
    y = torch.rand(5, 784)
    got = terms(model, y, neighbour_gradient=neighbour_gradient)
    (gradient,) = torch.autograd.grad(got.match.sum(), got.mu)
    residual = torch.eye(5).double() - weights(model.embed(y).detach(), 0.6)
    expected = 2 * residual @ got.mu.detach().double()
    expected = residual.T @ expected if neighbour_gradient else expected
    torch.testing.assert_close(gradient.double(), expected, rtol=1e-3, atol=1e-4)


def test_the_match_trains_the_x_encoder_and_the_length_scale(tiny: Network) -> None:
    model = NonparametricVAE(2, tiny)
    terms(model, torch.rand(8, 784)).match.sum().backward()
    trained = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert {name for name, _ in model.named_parameters() if name.startswith("x_encoder")} <= trained
    assert "log_length_scale" in trained
    assert not any(name.startswith("decoder") for name in trained)


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
