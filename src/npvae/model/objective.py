"""The objective: the evidence lower bound and what ties Z to X (Eqs. 1 to 5), in nats."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from npvae.data.images import grey
from npvae.model.coupling import COUPLINGS
from npvae.model.vae import VAE, NonparametricVAE
from npvae.settings import Objective


class Terms(NamedTuple):
    """What the objective is made of, per image ``[..., B]``, and the posterior means it was made from.

    The matching term is zero for a plain VAE. Here and below, ``...`` is empty for one model, and ``S`` for
    that many trained side by side (:mod:`npvae.training.stacked`).
    """

    reconstruction: Tensor
    kl: Tensor
    match: Tensor
    mu: Tensor


def reconstruction_nats(logits: Tensor, y: Tensor) -> Tensor:
    """``-log p(y|z)`` of a Bernoulli decoder, summed over pixels: ``[..., B, pixels]`` twice ``-> [..., B]``.

    From logits: a clipped sigmoid cannot be told from 1 in float32.
    """
    return F.binary_cross_entropy_with_logits(logits, grey(y), reduction="none").sum(-1)


def kl_nats(mu: Tensor, sigma: Tensor) -> Tensor:
    """``KL(N(mu, diag(sigma^2)) || N(0, I))``, summed over Z: ``[..., B, Dz]`` twice ``-> [..., B]``."""
    return 0.5 * (mu.square() + sigma.square() - 1 - 2 * sigma.log()).sum(-1)


def terms(model: VAE, y: Tensor, noise: Tensor | None = None, *, objective: Objective | None = None) -> Terms:
    """Evaluate the objective's terms on a batch, with one sample z = mu + sigma * noise.

    Args:
        model: a plain or nonparametric VAE.
        y: images ``[..., B, pixels]``, uint8 or grey values in [0, 1].
        noise: ``[..., B, Dz]``, standard normal; drawn where not given.
        objective: which term ties a nonparametric VAE's Z to X, and what its gradient reaches; Eq. 5's
            unless given. Its weight is :func:`loss`'s.
    """
    y = grey(y)
    mu, sigma = model.encode(y)
    match = mu.new_zeros(mu.shape[:-1])
    if isinstance(model, NonparametricVAE):
        chosen = objective or Objective()
        couple = COUPLINGS[chosen.divergence]
        match = couple(mu, sigma, model.embed(y), model.kernel, chosen.match_gradient)
    noise = torch.randn_like(mu) if noise is None else noise
    logits = model.decode(mu + sigma * noise)
    return Terms(reconstruction_nats(logits, y), kl_nats(mu, sigma), match, mu)


def loss(terms: Terms, *, match_weight: float = 1.0) -> Tensor:
    """What training minimises: the batch mean of -ELBO + w * match, ``[...]`` (Eq. 5 has w = 1)."""
    return (terms.reconstruction + terms.kl + match_weight * terms.match).mean(-1)


def active_units(variance: Tensor) -> int:
    """How many dimensions of Z are in use: those where Var_y E[z|y], ``[Dz]``, exceeds 0.01.

    Burda, Grosse and Salakhutdinov (2016), *Importance Weighted Autoencoders*.
    """
    return int((variance > 0.01).sum())
