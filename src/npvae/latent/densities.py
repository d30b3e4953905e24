"""Densities fitted afterwards to the posterior means of a plain VAE, to sample from instead of the prior.

Ghosh, Sajjadi, Vergari, Black and Schoelkopf (2020), *From Variational to Deterministic Autoencoders*:
density estimation ex post. X has such a density too, the kernel density of the reference images, so that
samples through X must be held against these as well as against the prior.
"""

import torch
from sklearn.mixture import GaussianMixture
from torch import Tensor

from npvae.data.images import random_subset
from npvae.latent.bandwidth import density_width

_FITTED = 20_000  # points that a mixture is fitted to


def draw_mixture(mu: Tensor, count: int, *, components: int, seed: int) -> Tensor:
    """Samples ``[count, Dz]`` of a mixture of Gaussians with full covariances, fitted to E[z] ``[M, Dz]``.

    Fitted to 20,000 points at most, in the dimensions that are in use; the others stay at their mean.
    """
    active = _active(mu)
    points = mu[random_subset(len(mu), _FITTED, seed=seed).to(mu.device)][:, active].double().cpu().numpy()
    mixture = GaussianMixture(min(components, len(points)), random_state=seed, init_params="k-means++")
    drawn = mixture.fit(points).sample(count)[0]
    return _with_means(mu, active, torch.from_numpy(drawn))


def draw_kernel(mu: Tensor, count: int, *, seed: int) -> Tensor:
    """Samples ``[count, Dz]`` of the kernel density of E[z] ``[M, Dz]``.

    Its width has the largest leave-one-out likelihood. In the dimensions that are in use; the others stay at
    their mean.
    """
    active = _active(mu)
    points = mu[:, active]
    noise = torch.Generator(mu.device).manual_seed(seed)
    centres = points[torch.randint(len(points), (count,), generator=noise, device=mu.device)]
    offset = torch.randn(centres.shape, generator=noise, device=mu.device)
    return _with_means(mu, active, centres + density_width(points) * offset)


def _active(mu: Tensor) -> Tensor:
    """Dimensions in use, as :func:`npvae.model.objective.active_units` counts them; all where none is."""
    active = mu.var(0, correction=0) > 0.01
    return active if active.any() else torch.ones_like(active)


def _with_means(mu: Tensor, active: Tensor, drawn: Tensor) -> Tensor:
    z = mu.mean(0).repeat(len(drawn), 1)
    z[:, active] = drawn.to(z)
    return z
