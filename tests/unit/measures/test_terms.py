"""The terms on test images against formulas of torch.distributions, in float64."""

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Normal, kl_divergence

from npvae.data.images import grey
from npvae.latent.spaces import space_of
from npvae.measures.terms import reconstruction, terms
from npvae.model.vae import VAE, build
from npvae.settings import ModelName, Network

IMAGES = torch.randint(256, (1_130, 784), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


def model_of(name: ModelName, z_dim: int = 21) -> VAE:
    return build(name, z_dim, Network(hidden_units=8), seed=0).eval()


def nats(model: VAE, z: Tensor, images: Tensor) -> list[float]:
    decoded = Bernoulli(logits=model.decode(z).double(), validate_args=False)
    return (-decoded.log_prob(grey(images).double()).sum(-1)).tolist()


def measured(model: VAE, images: Tensor, seed: int = 0) -> dict[str, list[float]]:
    found = terms(model, images, space_of(model, images).embed(images), seed=seed)
    return {name: each.tolist() for name, each in found.items()}


@pytest.mark.parametrize("count", [1, 30, 1_130])
@pytest.mark.parametrize("name", ["vae", "npvae"])
@torch.no_grad()
def test_all_terms_are_torchs(name: ModelName, count: int) -> None:
    model, images = model_of(name), IMAGES[:count]
    found = measured(model, images, seed=5)
    posterior = Normal(*model.encode(images))
    assert set(found) == {"reconstruction", "kl", "negative_elbo"}
    assert found["reconstruction"] == pytest.approx(nats(model, posterior.mean, images), rel=1e-5)
    kl = kl_divergence(posterior, Normal(0.0, 1.0)).sum(-1)
    assert found["kl"] == pytest.approx(kl.tolist(), rel=1e-5)
    noise = torch.Generator().manual_seed(5)
    unit = torch.cat([torch.randn(len(batch), 21, generator=noise) for batch in images.split(1_000)])
    z = posterior.mean + posterior.stddev * unit
    expected = torch.tensor(nats(model, z, images)) + kl
    assert found["negative_elbo"] == pytest.approx(expected.tolist(), rel=1e-5)


@torch.no_grad()
def test_the_noise_of_an_image_does_not_depend_on_the_number_of_images() -> None:
    model = model_of("vae", 3)
    seen: list[Tensor] = []
    model.decoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    for count in (1_000, 1_130):
        measured(model, IMAGES[:count])
    shorter, longer = seen[1], seen[4]
    assert len(seen) == 2 * 1 + 2 * 2  # from the means and from the samples, a batch at a time
    torch.testing.assert_close(shorter, longer)


def test_the_seed_decides_the_noise_and_nothing_else() -> None:
    model = model_of("npvae")
    first, again, other = (measured(model, IMAGES[:50], seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert {key for key in first if first[key] != other[key]} == {"negative_elbo"}


@pytest.mark.parametrize("count", [3, 1_130])
@torch.no_grad()
def test_reconstruction_holds_each_image_against_its_own_code(count: int) -> None:
    model, images = model_of("vae", 4), IMAGES[:count]
    z = torch.randn(count, 4, generator=torch.Generator().manual_seed(2))
    assert reconstruction(model, images, z).tolist() == pytest.approx(nats(model, z, images), rel=1e-6)


def test_bytes_are_the_grey_values_that_they_stand_for() -> None:
    for name in ("vae", "npvae"):
        model = model_of(name)
        assert measured(model, IMAGES) == measured(model, grey(IMAGES))
