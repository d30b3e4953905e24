"""How X ties the factored Z together: the term that is added to the evidence lower bound (Eqs. 1 to 5).

Three functions of one signature, from the paper's exact objective to the approximation that it trains by:
:func:`joint` (Eq. 1), :func:`predictive` (Eqs. 2 and 3) and :func:`means` (Eqs. 4 and 5). All are taken among
the images of a batch.
"""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor

from npvae.model.kernel import CovarianceKernel, Kernel
from npvae.settings import Divergence, Gradient

Coupling = Callable[[Tensor, Tensor, Tensor, Kernel, Gradient], Tensor]


def means(mu: Tensor, sigma: Tensor, x: Tensor, kernel: Kernel, gradient: Gradient = "all") -> Tensor:
    """``|mu_i - sum_j W_ij mu_j|^2`` of Eq. 5: ``[..., B, Dz], [..., B, Dx] -> [..., B]``.

    Args:
        mu: posterior means E[z].
        sigma: posterior standard deviations, which this term leaves out.
        x: locations in X.
        kernel: gives W.
        gradient: what it reaches; see :class:`npvae.settings.Objective`.
    """
    own, neighbours = _seen(mu, gradient)
    return (own - kernel.weights(x) @ neighbours).square().sum(-1)


def predictive(mu: Tensor, sigma: Tensor, x: Tensor, kernel: Kernel, gradient: Gradient = "all") -> Tensor:
    """``KL(q(z_i) || p(z_i|X, z_-i))`` of Eqs. 2 and 3, in nats, the z_j at their means.

    All leave-one-out predictions come from one inverse (Rasmussen and Williams, 2006, Eqs. 5.10 to 5.12).

    Args:
        mu: see :func:`means`.
        sigma: ``[..., B, Dz]``.
        x: see :func:`means`.
        kernel: the covariance.
        gradient: see :func:`means`.

    Returns:
        ``[..., B]``; NaN where the covariance has no Cholesky factor.
    """
    own, neighbours = _seen(mu, gradient)
    sigma = sigma.detach() if gradient == "x" else sigma
    mean, variance = leave_one_out(neighbours, x, cast(CovarianceKernel, kernel))
    ratio = sigma.square() / variance
    return 0.5 * (ratio + (own - mean).square() / variance - 1 - ratio.log()).sum(-1)


def joint(mu: Tensor, sigma: Tensor, x: Tensor, kernel: Kernel, gradient: Gradient = "all") -> Tensor:
    """``KL(q(Z) || p(Z|X))`` of Eq. 1 in nats, a share for each image; the shares sum to the divergence.

    p has a Gaussian process for each dimension of Z. Arguments and errors are those of :func:`predictive`;
    ``own`` is no choice here, since nobody is anyone's neighbour.
    """
    if gradient == "x":
        mu, sigma = mu.detach(), sigma.detach()
    factor = _factor(cast(CovarianceKernel, kernel).covariance(x))
    inverse = _inverse(factor)
    trace = inverse.diagonal(dim1=-2, dim2=-1)[..., None] * sigma.square()
    quadratic = mu * (inverse @ mu)
    log_determinant = 2 * factor.diagonal(dim1=-2, dim2=-1).log()[..., None]
    return 0.5 * (trace + quadratic - 1 + log_determinant - 2 * sigma.log()).sum(-1)


COUPLINGS: dict[Divergence, Coupling] = {"means": means, "predictive": predictive, "joint": joint}


def leave_one_out(z: Tensor, x: Tensor, kernel: CovarianceKernel) -> tuple[Tensor, Tensor]:
    """Mean and variance of each z_i given all others (Eq. 3): ``[..., B, Dz]`` and ``[..., B, 1]``.

    The variance is that of a noisy z_i. Both are NaN where the covariance has no Cholesky factor.

    Args:
        z: ``[..., B, Dz]``.
        x: ``[..., B, Dx]``.
        kernel: the covariance.
    """
    inverse = _inverse(_factor(kernel.covariance(x)))
    variance = 1 / inverse.diagonal(dim1=-2, dim2=-1)[..., None]
    return z - inverse @ z * variance, variance


def _factor(covariance: Tensor) -> Tensor:
    """The Cholesky factor, or NaN: an exception would have to wait for a GPU at every step."""
    factor, wrong = torch.linalg.cholesky_ex(covariance)
    return factor.masked_fill((wrong != 0)[..., None, None], torch.nan)


def _inverse(factor: Tensor) -> Tensor:
    """Of a covariance, from its factor; ``torch.cholesky_inverse`` can't be captured in a CUDA graph."""
    identity = torch.eye(factor.shape[-1], dtype=factor.dtype, device=factor.device)
    half = torch.linalg.solve_triangular(factor, identity, upper=False)
    return half.mT @ half


def _seen(mu: Tensor, gradient: Gradient) -> tuple[Tensor, Tensor]:
    """E[z] of the image that is predicted, and of those that predict it, as the gradient sees them."""
    return (
        mu.detach() if gradient == "x" else mu,
        mu if gradient == "all" else mu.detach(),
    )
