"""The VampPrior's density, draws, likelihood and training, against torch.distributions and known answers."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from npvae.errors import NpvaeError
from npvae.measures.likelihood import log_likelihoods as under_a_normal
from npvae.model.objective import kl_nats, reconstruction_nats
from npvae.model.vae import build as build_vae
from npvae.rivals import vampprior
from npvae.rivals.vampprior import VampEpoch, VampPrior, build, fit, log_likelihoods, log_mixture
from npvae.settings import Network, Training

PIXELS = 12
FLOAT32 = Training(epochs=15, batch_size=32, learning_rate=0.01, precision="float32")


def images(count: int = 192, kinds: int = 4) -> Tensor:
    """Noisy images of a few kinds, uint8."""
    kind = torch.rand(kinds, PIXELS)[torch.arange(count) % kinds]
    return (255 * (kind + 0.1 * torch.rand(count, PIXELS)) / 1.1).to(torch.uint8)


def mixture(mu: Tensor, sigma: Tensor) -> MixtureSameFamily:
    return MixtureSameFamily(Categorical(torch.ones(len(mu))), Independent(Normal(mu, sigma), 1))


@pytest.mark.parametrize("shape", [(7, 3), (2, 5, 3)])
def test_the_density_is_torchs_mixture(shape: tuple[int, ...]) -> None:
    mu, sigma, z = 3 + 2 * torch.randn(11, 3), 0.05 + torch.rand(11, 3), 3 + 2 * torch.randn(shape)
    wanted = mixture(mu.double(), sigma.double()).log_prob(z.double())
    torch.testing.assert_close(log_mixture(z.double(), mu.double(), sigma.double()), wanted)
    torch.testing.assert_close(log_mixture(z, mu, sigma), wanted.float(), rtol=1e-3, atol=1e-2)


def test_the_prior_is_the_posteriors_at_the_pseudo_inputs(tiny: Network) -> None:
    given = images()
    model = build(2, given, tiny, pseudo_inputs=10, seed=3).eval()
    plain = build_vae("vae", 2, tiny, pixels=PIXELS, seed=3).eval()
    starts = model.pseudo_logits.detach().sigmoid()
    assert torch.cdist(255 * starts, given.float()).amin(1).max() < 255 * 0.021 * math.sqrt(PIXELS)
    for ours, theirs in zip(model.prior(), plain.encode(starts), strict=True):
        torch.testing.assert_close(ours, theirs)  # the networks start where the plain VAE's do
    mu, sigma = model.prior()
    z, reference = model.draw(20_000, seed=0), mixture(mu, sigma)
    torch.testing.assert_close(z.mean(0), reference.mean, rtol=0, atol=0.05)
    torch.testing.assert_close(z.var(0), reference.variance, rtol=0.05, atol=0.01)


def test_the_terms_are_one_sample_of_the_bound(tiny: Network) -> None:
    """Averaged over samples, against the plain VAE's exact KL, where all pseudo-inputs give N(0, I)."""
    model = build(2, images(), tiny, pseudo_inputs=5, seed=0).eval()
    y = torch.rand(4, PIXELS)
    mu, sigma = model.encode(y)
    model.prior = lambda: (torch.zeros(5, 2), torch.ones(5, 2))  # type: ignore[method-assign]
    many = y.repeat(4_000, 1)
    found, kl = vampprior._terms(model, many)
    assert kl.item() == pytest.approx(kl_nats(mu, sigma).mean().item(), rel=0.02)
    logits = model.decode(mu + sigma * torch.randn(4_000, 4, 2))
    wanted = reconstruction_nats(logits, many.view(4_000, 4, PIXELS)).mean()
    assert found.item() == pytest.approx(wanted.item(), rel=0.01)


def test_with_a_normal_prior_the_likelihood_is_the_plain_vaes(tiny: Network) -> None:
    given = images()[:30]
    model = build(2, given, tiny, pseudo_inputs=5, seed=0).eval()
    wanted = under_a_normal(model, given, samples=9, seed=1)
    own = log_likelihoods(model, given, samples=9, seed=1)
    model.prior = lambda: (torch.zeros(5, 2), torch.ones(5, 2))  # type: ignore[method-assign]
    torch.testing.assert_close(log_likelihoods(model, given, samples=9, seed=1), wanted, rtol=0, atol=1e-4)
    assert (own - wanted).abs().max() > 0.01


def test_the_likelihood_is_that_of_quadrature_in_one_dimension(tiny: Network) -> None:
    model = build(1, images(), tiny, pseudo_inputs=5, seed=0).eval()
    y, z = torch.rand(3, PIXELS), torch.linspace(-12, 12, 20_001)[:, None]
    with torch.no_grad():
        log_joint = (
            mixture(*model.prior()).log_prob(z)
            - reconstruction_nats(model.decode(z)[:, None].expand(-1, 3, -1), y.expand(len(z), 3, -1)).T
        )
    wanted = log_joint.double().logsumexp(1) + math.log(24 / 20_000)
    found = log_likelihoods(model, y, samples=200_000, seed=0)
    torch.testing.assert_close(found, wanted, rtol=0, atol=0.02)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_training_moves_networks_and_pseudo_inputs_and_explains_the_images(precision, tiny: Network) -> None:
    given, history = images(), list[VampEpoch]()
    model = build(2, given, tiny, pseudo_inputs=20, seed=0)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random = torch.get_rng_state()
    fit(model, given, FLOAT32.model_copy(update={"precision": precision}), seed=0, on_epoch=history.append)
    assert torch.equal(random, torch.get_rng_state())
    assert not any(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert not any(module.training for module in model.modules())
    first, last = (one.reconstruction + one.kl for one in (history[0], history[-1]))
    assert last < first - 0.5


def test_the_same_seed_gives_the_same_model(tiny: Network) -> None:
    given = images()
    models = [build(2, given, tiny, pseudo_inputs=5, seed=seed) for seed in (0, 0, 1)]
    for model, seed in zip(models, (0, 0, 1), strict=True):
        fit(model, given, FLOAT32.model_copy(update={"epochs": 1}), seed=seed)
    one, same, other = (model.pseudo_logits for model in models)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_a_loss_that_is_not_finite_ends_in_a_sentence(tiny: Network) -> None:
    model = VampPrior(2, images()[:5], tiny)
    with torch.no_grad():
        model.decoder[0].weight.fill_(math.nan)
    with pytest.raises(NpvaeError, match=r"not finite in epoch 1, seed 0: .*train\.learning_rate"):
        fit(model, images(), FLOAT32, seed=0)
