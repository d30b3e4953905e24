"""The VAE whose prior is a mixture of its own posteriors at learned pseudo-inputs.

Tomczak and Welling (2018), *VAE with a VampPrior*. Encoder and decoder are the plain VAE's.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from npvae import machine
from npvae.data.images import grey, in_batches, random_subset, require_grey
from npvae.errors import NpvaeError
from npvae.measures.likelihood import importance_weighted
from npvae.measures.yardstick import Eye, Values, Yardstick
from npvae.model.objective import active_units, reconstruction_nats
from npvae.model.vae import VAE
from npvae.settings import Network, Training
from npvae.training.optimiser import MasterAdam


class VampPrior(VAE):
    """A VAE with p(z) = 1/K sum_k q(z|u_k), the pseudo-inputs u_k being parameters.

    Args:
        z_dim: Dz, the dimension of Z.
        pseudo_inputs: ``[K, pixels]``, images that the pseudo-inputs start from. They are kept in (0, 1) by a
            sigmoid; clipped, as the authors have them, the pixels that are 0 here would never move.
        network: the architecture of encoder and decoder.
    """

    def __init__(self, z_dim: int, pseudo_inputs: Tensor, network: Network | None = None) -> None:
        super().__init__(z_dim, network, pixels=pseudo_inputs.shape[1])
        self.pseudo_logits = nn.Parameter(grey(pseudo_inputs).clamp(0.02, 0.98).logit())

    def prior(self) -> tuple[Tensor, Tensor]:
        """Means and standard deviations of the prior's components: ``[K, Dz]`` twice."""
        return self.encode(self.pseudo_logits.sigmoid())

    @torch.no_grad()
    def draw(self, count: int, *, seed: int) -> Tensor:
        """Samples ``[count, Dz]`` of the prior."""
        mu, sigma = self.prior()
        noise = torch.Generator(mu.device).manual_seed(seed)
        component = torch.randint(len(mu), (count,), generator=noise, device=mu.device)
        unit = torch.randn(count, self.z_dim, generator=noise, device=mu.device)
        return mu[component] + sigma[component] * unit


class VampEpoch(NamedTuple):
    """Averages over one epoch's training images, drop-out on, in nats; the KL is estimated by one sample."""

    epoch: int
    reconstruction: float
    kl: float


def build(
    z_dim: int,
    images: Tensor,
    network: Network | None = None,
    *,
    pseudo_inputs: int = 500,
    seed: int,
) -> VampPrior:
    """A model whose networks start where the plain VAE's of that seed do; torch's own random state stays.

    Args:
        z_dim: Dz.
        images: ``[N, pixels]``, of which the pseudo-inputs start as some that are drawn.
        network: the architecture.
        pseudo_inputs: K; all images where there are fewer.
        seed: of the weights and the draw.
    """
    chosen = images[random_subset(len(images), pseudo_inputs, seed=seed).to(images.device)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return VampPrior(z_dim, chosen.cpu(), network).to(images.device)


def fit(
    model: VampPrior,
    images: Tensor,
    training: Training | None = None,
    *,
    seed: int,
    on_epoch: Callable[[VampEpoch], None] | None = None,
) -> None:
    """Train ``model`` in place as the plain VAE is, but for the prior and for the KL, of one sample.

    An epoch's last, ragged batch is left out. torch's own random state stays as it is.

    Args:
        model: on the device of the images; left in evaluation mode.
        images: ``[N, pixels]``, uint8, or grey values in [0, 1].
        training: the optimisation; where there are fewer images than a batch has, all are one batch.
        seed: of the order, the drop-out and the noise.
        on_epoch: called with the record of each epoch.

    Raises:
        NpvaeError: images are not grey values; or a loss is not finite, the message names the epoch.
    """
    training = training or Training()
    require_grey(images)
    size = min(training.batch_size, len(images))
    steps = len(images) // size
    bfloat16 = machine.resolve(training.precision, images.device) == "bfloat16"
    optimiser = MasterAdam(model, bfloat16=bfloat16, learning_rate=training.learning_rate)
    working = optimiser.working.train()
    shuffler = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[images.device] if images.is_cuda else []):
        torch.manual_seed(seed)
        for epoch in range(1, training.epochs + 1):
            order = torch.randperm(len(images), generator=shuffler)[: steps * size].to(images.device)
            total = torch.zeros(2, dtype=torch.float64, device=images.device)
            for batch in order.split(size):
                terms = torch.stack(_terms(working, grey(images[batch])))
                terms.sum().backward()
                optimiser.step()
                total += terms.detach()
            if not (total.isfinite().all() and optimiser.finite()):
                raise NpvaeError(
                    f"VampPrior, Z={model.z_dim}: the loss is not finite in epoch {epoch}, seed {seed}: "
                    "training stopped and nothing was saved; try a smaller train.learning_rate"
                )
            if on_epoch:
                on_epoch(VampEpoch(epoch, *(total / steps).tolist()))
    model.eval()


def _terms(model: VampPrior, y: Tensor) -> tuple[Tensor, Tensor]:
    """Reconstruction and KL of a batch ``[B, pixels]``, means in nats."""
    mu, sigma = model.encode(y)
    unit = torch.randn_like(mu)
    z = mu + sigma * unit
    log_q = (-0.5 * unit.square() - sigma.log()).sum(-1) - 0.5 * model.z_dim * math.log(2 * math.pi)
    kl = log_q - log_mixture(z, *model.prior())
    return reconstruction_nats(model.decode(z), y).mean(), kl.mean()


def log_mixture(z: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
    """``log 1/K sum_k N(z; mu_k, diag(sigma_k^2))``: ``[..., Dz], [K, Dz], [K, Dz] -> [...]``.

    The squares are multiplied out, about the components' mean: no temporary has both K and Dz.
    """
    centre = mu.mean(0)
    z, mu, precision = z - centre, mu - centre, sigma.square().reciprocal()
    squared = z.square() @ precision.mT - 2 * z @ (precision * mu).mT + (precision * mu.square()).sum(-1)
    log_norm = sigma.log().sum(-1) + 0.5 * mu.shape[1] * math.log(2 * math.pi) + math.log(len(mu))
    return (-0.5 * squared - log_norm).logsumexp(-1)


@torch.no_grad()
def log_likelihoods(
    model: VampPrior, images: Tensor, *, samples: int, seed: int, batch_size: int = 20
) -> Tensor:
    """Lower bounds on ``log p(y)`` under the model's own prior: ``[N, pixels] -> [N]``, nats, float64.

    Arguments are those of :func:`npvae.measures.likelihood.log_likelihoods`.
    """
    noise = torch.Generator(images.device).manual_seed(seed)
    mu, sigma = (one.double() for one in model.prior())

    def log_likelihood(y: Tensor, z: Tensor) -> Tensor:
        # the estimate has N(0, I) for a prior, which is taken out again
        normal = -0.5 * z.double().square().sum(-1) - 0.5 * model.z_dim * math.log(2 * math.pi)
        logits = model.decode(z)
        return log_mixture(z.double(), mu, sigma) - normal - reconstruction_nats(logits, y.expand_as(logits))

    estimates = [
        importance_weighted(log_likelihood, grey(batch), *model.encode(batch), samples, noise)
        for batch in images.split(batch_size)
    ]
    return torch.cat(estimates)


@torch.no_grad()
def measures(model: VampPrior, yardstick: Yardstick, *, seed: int) -> Values:
    """What does not need an X, by the names and on the images that the plain VAE's measures have.

    Args:
        model: in evaluation mode, on the device of the images.
        yardstick: what it is held against.
        seed: of the samples and of the real images that they are held against.
    """
    sizes, test = yardstick.sizes, yardstick.test.images
    mu = in_batches(lambda batch: model.encode(batch)[0], test)
    nats = [
        reconstruction_nats(model.decode(codes), batch).double()
        for codes, batch in zip(mu.split(1_000), test.split(1_000), strict=True)
    ]
    drawn = yardstick.test.draw(sizes.likelihood_images, seed=sizes.seed).images
    bounds = log_likelihoods(model, drawn, samples=sizes.importance_samples, seed=sizes.seed)
    samples = in_batches(lambda z: model.decode(z).sigmoid(), model.draw(sizes.samples, seed=seed))
    return {
        Eye("reconstruction"): float(torch.cat(nats).mean()),
        Eye("negative_log_likelihood"): float(-bounds.mean()),
        Eye("active_units"): active_units(mu.var(0, correction=0)),
        **yardstick.samples(samples, seed=seed),
    }
