"""The importance-weighted estimate of the log likelihood.

Burda, Grosse and Salakhutdinov (2016), *Importance Weighted Autoencoders*.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from npvae.model import VAE
from npvae.objective import reconstruction_nats

LogLikelihood = Callable[[Tensor, Tensor], Tensor]


def importance_weighted(
    log_likelihood: LogLikelihood, y: Tensor, mu: Tensor, sigma: Tensor, samples: int, noise: torch.Generator
) -> Tensor:
    """``log 1/k sum_s p(y|z_s) p(z_s) / q(z_s|y)``, ``z_s ~ q = N(mu, sigma^2)``, p(z) = N(0, I), in nats.

    Args:
        log_likelihood: ``log p(y|z)``: ``[S, D], [S, Dz] -> [S]``.
        y: one observation ``[D]``.
        mu: posterior mean ``[Dz]``.
        sigma: posterior standard deviation ``[Dz]``.
        samples: k.
        noise: source of the samples.

    Returns:
        A scalar in float64.
    """
    unit = torch.randn(samples, len(mu), generator=noise, device=mu.device, dtype=mu.dtype)
    z = mu + sigma * unit
    # log p(z) - log q(z): the constants cancel
    log_ratio = (0.5 * (unit.square() - z.square()) + sigma.log()).double().sum(-1)
    weights = log_likelihood(y.expand(samples, -1), z).double() + log_ratio
    return weights.logsumexp(0) - math.log(samples)


@torch.no_grad()
def negative_log_likelihood(model: VAE, images: Tensor, *, samples: int, seed: int) -> float:
    """Upper bound on the mean ``-log p(y)`` of images ``[N, pixels]``, in nats, an image at a time."""
    noise = torch.Generator(images.device).manual_seed(seed)
    mu, sigma = model.encode(images)

    def log_likelihood(y: Tensor, z: Tensor) -> Tensor:
        return -reconstruction_nats(model.decode(z), y)

    estimates = [
        importance_weighted(log_likelihood, y, m, s, samples, noise)
        for y, m, s in zip(images, mu, sigma, strict=True)
    ]
    return float(-torch.stack(estimates).mean())


def binarise(images: Tensor, *, seed: int) -> Tensor:
    """Random binarisation: pixels drawn with the grey values as probabilities."""
    noise = torch.Generator(images.device).manual_seed(seed)
    return images.bernoulli(generator=noise)
