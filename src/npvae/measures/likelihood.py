"""The importance-weighted estimate of the log likelihood.

Burda, Grosse and Salakhutdinov (2016), *Importance Weighted Autoencoders*.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from npvae.data.images import grey
from npvae.model.vae import VAE

LogLikelihood = Callable[[Tensor, Tensor], Tensor]


def importance_weighted(
    log_likelihood: LogLikelihood,
    y: Tensor,
    mu: Tensor,
    sigma: Tensor,
    samples: int,
    noise: torch.Generator,
    *,
    rows: int = 2_000,
) -> Tensor:
    """``log 1/k sum_s p(y|z_s) p(z_s) / q(z_s|y)``, ``z_s ~ q = N(mu, sigma^2)``, p(z) = N(0, I), in nats.

    Args:
        log_likelihood: ``log p(y|z)``: ``[..., D], [S, ..., Dz] -> [S, ...]``.
        y: observations ``[..., D]``, of any batch shape.
        mu: posterior means ``[..., Dz]``.
        sigma: posterior standard deviations ``[..., Dz]``.
        samples: k.
        noise: source of the samples; which of them an observation gets depends on ``rows``.
        rows: bound on the rows of z that are decoded at once, at least one for each observation.

    Returns:
        ``[...]`` in float64.
    """
    batch = mu.shape[:-1]
    chunk = max(1, rows // batch.numel())
    total = mu.new_full(batch, -math.inf, dtype=torch.float64)
    for first in range(0, samples, chunk):
        shape = (min(chunk, samples - first), *mu.shape)
        unit = torch.randn(shape, generator=noise, device=mu.device, dtype=mu.dtype)
        z = mu + sigma * unit
        # log p(z) - log q(z): the constants cancel
        log_ratio = (0.5 * (unit.square() - z.square()) + sigma.log()).sum(-1, dtype=torch.float64)
        weights = log_likelihood(y, z).double() + log_ratio
        total = torch.logaddexp(total, weights.logsumexp(0))
    return total - math.log(samples)


@torch.no_grad()
def log_likelihoods(
    model: VAE, images: Tensor, *, samples: int, seed: int, batch_size: int = 20, rows: int = 2_000
) -> Tensor:
    """Lower bounds on ``log p(y)`` of images ``[N, pixels] -> [N]``, in nats, float64.

    Args:
        model: in evaluation mode.
        images: uint8, or in [0, 1], grey or binary.
        samples: k of :func:`importance_weighted`.
        seed: of the samples.
        batch_size: images at a time.
        rows: of z at a time; memory is bounded by ``max(rows, batch_size)`` decoded images.
    """
    noise = torch.Generator(images.device).manual_seed(seed)

    def log_likelihood(y: Tensor, z: Tensor) -> Tensor:
        logits = model.decode(z)
        # log p = y l - log(1 + exp l); torch's own softplus, not being vectorised, takes four times as long
        softplus = logits.abs().neg_().exp_().add_(1).log_().add_(logits.relu())
        return (y * logits).sum(-1) - softplus.sum(-1)

    estimates = [
        importance_weighted(log_likelihood, grey(batch), *model.encode(batch), samples, noise, rows=rows)
        for batch in images.split(batch_size)
    ]
    return torch.cat(estimates)


def binarise(images: Tensor, *, seed: int) -> Tensor:
    """Random binarisation: pixels drawn with the grey values as probabilities."""
    noise = torch.Generator(images.device).manual_seed(seed)
    return grey(images).bernoulli(generator=noise)
