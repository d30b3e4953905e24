"""The importance-weighted bound on models whose marginal likelihood and ELBO are known in closed form."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, MultivariateNormal, Normal, kl_divergence

from npvae.data.images import grey
from npvae.measures.likelihood import (
    binarise,
    importance_weighted,
    log_likelihoods,
)
from npvae.model.vae import build
from npvae.settings import ModelName, Network

SCALE = 0.7
# orthogonal columns, so that the posterior of z is a diagonal Gaussian
LOADINGS = torch.tensor([[1.0, 2.0], [2.0, -1.0], [0.0, 0.0]], dtype=torch.float64)
Y = torch.tensor([0.4, -1.1, 0.9], dtype=torch.float64)
Q = torch.tensor([0.1, 0.3], dtype=torch.float64), torch.tensor([0.5, 0.2], dtype=torch.float64)


def log_likelihood(y: Tensor, z: Tensor) -> Tensor:
    return Normal(z @ LOADINGS.T, SCALE).log_prob(y).sum(-1)


def log_marginal() -> float:
    covariance = LOADINGS @ LOADINGS.T + SCALE**2 * torch.eye(3, dtype=torch.float64)
    return float(MultivariateNormal(torch.zeros(3, dtype=torch.float64), covariance).log_prob(Y))


def posterior() -> tuple[Tensor, Tensor]:
    variance = 1 / (1 + LOADINGS.square().sum(0) / SCALE**2)
    return variance * (LOADINGS.T @ Y) / SCALE**2, variance.sqrt()


def estimates(mu: Tensor, sigma: Tensor, samples: int, repeats: int) -> Tensor:
    noise = torch.Generator().manual_seed(0)
    runs = [importance_weighted(log_likelihood, Y, mu, sigma, samples, noise) for _ in range(repeats)]
    return torch.stack(runs)


@pytest.mark.parametrize("samples", [1, 7])
def test_the_exact_posterior_gives_the_exact_value_every_time(samples: int) -> None:
    found = estimates(*posterior(), samples, 20)
    torch.testing.assert_close(found, torch.full_like(found, log_marginal()), rtol=0, atol=1e-9)


def test_one_sample_averages_to_the_elbo() -> None:
    mu, sigma = Q
    residual = (Y - LOADINGS @ mu).square() + LOADINGS.square() @ sigma.square()
    expected = -0.5 * (residual / SCALE**2 + math.log(2 * math.pi * SCALE**2)).sum()
    expected -= kl_divergence(Normal(mu, sigma), Normal(torch.zeros(2), torch.ones(2))).sum()
    found = estimates(mu, sigma, 1, 4_000)
    error = float(found.std() / math.sqrt(len(found)))
    assert error < 0.05
    assert float(found.mean()) == pytest.approx(float(expected), abs=4 * error)
    assert float(expected) < log_marginal() - 0.1


def test_the_bound_rises_to_the_marginal_with_the_number_of_samples() -> None:
    bounds = [float(estimates(*Q, k, 4_000).mean()) for k in (1, 5, 50)]
    assert bounds[0] < bounds[1] < bounds[2] < log_marginal() + 0.02


@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_one_sample_of_a_model_is_the_elbo_with_that_sample(scale: float) -> None:
    model = build("vae", 2, Network(hidden_units=8), seed=0).eval()
    images = torch.rand(3, 784, generator=torch.Generator().manual_seed(1))
    unit = torch.randn(1, 3, 2, generator=torch.Generator().manual_seed(7))[0]
    with torch.no_grad():
        for parameter in model.decoder[-1].parameters():
            parameter.mul_(scale)  # logits of thousands
        posterior = Normal(*model.encode(images))
        z = posterior.mean + posterior.stddev * unit
        ratio = posterior.log_prob(z).sum(-1) - Normal(0.0, 1.0).log_prob(z).sum(-1)
        decoded = Bernoulli(logits=model.decode(z).double(), validate_args=False)
        expected = decoded.log_prob(images.double()).sum(-1) - ratio
    found = log_likelihoods(model, images, samples=1, seed=7)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("name", ["vae", "npvae"])
def test_of_a_model_with_one_dimension_it_is_the_integral_over_z(name: ModelName) -> None:
    model = build(name, 1, Network(hidden_units=8, dropout=0.5), seed=0).eval()
    with torch.no_grad():
        for parameter in model.decoder[-1].parameters():
            parameter.mul_(0.2)  # a posterior that q is not too far from
    images = torch.rand(3, 784, generator=torch.Generator().manual_seed(1))
    found = -float(log_likelihoods(model, images, samples=2_000, seed=0).mean())
    exact = model.double()
    z = torch.linspace(-8, 8, 3_201, dtype=torch.float64)[:, None]
    expected = 0.0
    with torch.no_grad():
        log_prior = Normal(0.0, 1.0).log_prob(z[:, 0])
        for image in images.double():
            decoded = Bernoulli(logits=exact.decode(z), validate_args=False)
            integrand = decoded.log_prob(image).sum(-1) + log_prior
            largest = integrand.max()
            expected -= float(largest + (integrand - largest).exp().sum().mul(16 / 3_200).log()) / len(images)
    assert found == pytest.approx(expected, abs=0.1)


def test_the_same_seed_gives_the_same_estimate() -> None:
    model = build("vae", 2, Network(hidden_units=8), seed=0).eval()
    images = torch.rand(2, 784, generator=torch.Generator().manual_seed(1))
    first, second, other = (
        log_likelihoods(model, images, samples=2, seed=seed).tolist() for seed in (0, 0, 1)
    )
    assert first == second
    assert first != other


def test_binarised_pixels_have_the_grey_values_as_means() -> None:
    shades = torch.tensor([0.0, 0.25, 1.0]).repeat(20_000, 1)
    binary = binarise(shades, seed=0)
    assert set(binary.unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(binary.mean(0), shades[0], atol=0.01, rtol=0)


def test_binarisation_depends_on_its_seed_alone() -> None:
    shades = torch.full((5, 784), 0.5)
    torch.manual_seed(1)
    first = binarise(shades, seed=0)
    torch.manual_seed(2)
    assert binarise(shades, seed=0).equal(first)
    assert not binarise(shades, seed=1).equal(first)


@pytest.mark.parametrize("rows", [1, 5, 64])
def test_observations_in_a_batch_and_samples_in_chunks_give_each_its_exact_value(rows: int) -> None:
    y = torch.stack([Y, -2 * Y, 0 * Y])
    mu, sigma = posterior()
    means = torch.stack([mu, -2 * mu, 0 * mu])
    noise = torch.Generator().manual_seed(0)
    found = importance_weighted(log_likelihood, y, means, sigma.expand(3, -1), 16, noise, rows=rows)
    covariance = LOADINGS @ LOADINGS.T + SCALE**2 * torch.eye(3, dtype=torch.float64)
    expected = MultivariateNormal(torch.zeros(3, dtype=torch.float64), covariance).log_prob(y)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)


def test_of_a_model_each_image_has_its_own_value_and_few_are_decoded_at_once() -> None:
    model = build("vae", 2, Network(hidden_units=8), seed=0).eval()
    images = torch.rand(7, 784, generator=torch.Generator().manual_seed(1))
    decoded: list[int] = []
    model.decoder.register_forward_pre_hook(lambda _, inputs: decoded.append(inputs[0][..., 0].numel()))
    found = log_likelihoods(model, images, samples=50, seed=0, batch_size=3, rows=30)
    assert found.shape == (7,)
    assert found.dtype == torch.float64
    assert max(decoded) <= 30
    assert sum(decoded) == 7 * 50


@pytest.mark.parametrize("name", ["vae", "npvae"])
def test_bytes_are_the_grey_values_that_they_stand_for(name: ModelName) -> None:
    model = build(name, 2, Network(hidden_units=8), seed=0).eval()
    noise = torch.Generator().manual_seed(1)
    images = torch.randint(256, (7, 784), generator=noise, dtype=torch.uint8)
    found, expected = (
        log_likelihoods(model, one, samples=20, seed=3, batch_size=3) for one in (images, grey(images))
    )
    assert found.equal(expected)
    assert binarise(images, seed=0).equal(binarise(grey(images), seed=0))
    assert binarise(images, seed=0).is_floating_point()


def test_bits_are_black_and_white() -> None:
    model = build("vae", 2, Network(hidden_units=8), seed=0).eval()
    bits = torch.rand(4, 784, generator=torch.Generator().manual_seed(1)) < 0.3
    found, expected = (log_likelihoods(model, one, samples=20, seed=3) for one in (bits, bits.float()))
    assert found.equal(expected)
