"""The squared exponential kernel on X and its leave-one-out weights (Eqs. 4 and 6).

Row-normalised, the weights are those of Nadaraya-Watson regression, left one out: unsupervised kernel
regression (Meinicke, Klanke, Memisevic and Ritter, 2005) of E[z] on X. The signal variance of Eq. 6
cancels in the normalisation, so the length scale is the kernel's only parameter.
"""

import math

import torch
from torch import Tensor, nn


class Kernel(nn.Module):
    """The kernel with the length scale l that is learned.

    Here and in the objective, ``...`` is empty for one model, and ``S`` for that many trained side by side
    (:mod:`npvae.training.stacked`).

    Args:
        length_scale: l before training; its logarithm is the parameter.
    """

    def __init__(self, length_scale: float = 1.0) -> None:
        super().__init__()
        self.log_length_scale = nn.Parameter(torch.tensor(math.log(length_scale)))

    @property
    def length_scale(self) -> Tensor:
        """l of Eq. 6, positive: ``[...]``."""
        return self.log_length_scale.exp()

    def weights(self, x: Tensor) -> Tensor:
        """W of Eq. 6 among points of X: ``[..., B, Dx] -> [..., B, B]``."""
        return leave_one_out_weights(x, self.length_scale)


class CovarianceKernel(Kernel):
    """The covariance of the Gaussian process of Eq. 3, whose variances are learned too.

    Args:
        length_scale: l before training.
        variance: of the process before training, sigma^2 of Eq. 6.
        noise: the noise's before training.
    """

    def __init__(self, length_scale: float = 1.0, variance: float = 1.0, noise: float = 0.1) -> None:
        super().__init__(length_scale)
        self.log_variance = nn.Parameter(torch.tensor(math.log(variance)))
        self.log_noise = nn.Parameter(torch.tensor(math.log(noise)))

    @property
    def variance(self) -> Tensor:
        """sigma^2 of Eq. 6: ``[...]``."""
        return self.log_variance.exp()

    @property
    def noise(self) -> Tensor:
        """The noise's variance, ``[...]``, at least a jitter with which float32 factors the covariance."""
        return self.log_noise.exp() + 1e-4

    def covariance(self, x: Tensor) -> Tensor:
        """``K + noise I`` among points of X: ``[..., B, Dx] -> [..., B, B]``."""
        kernel = self.variance[..., None, None] * log_kernel(x, x, self.length_scale).exp()
        identity = torch.eye(x.shape[-2], dtype=x.dtype, device=x.device)
        return kernel + self.noise[..., None, None] * identity


def log_kernel(x: Tensor, reference: Tensor, length_scale: Tensor) -> Tensor:
    """``-|x_i - x_j|^2 / (2 l^2)``, Eq. 6 up to its variance: ``[..., N, Dx], [..., M, Dx] -> [..., N, M]``.

    The differences are explicit: ``cdist`` multiplies out the square and loses close points to rounding.
    An axis at a time, so that no temporary is larger than the result. l is a scalar, or ``[...]``.
    """
    squared = sum(
        (x[..., :, None, axis] - reference[..., None, :, axis]).square() for axis in range(x.shape[-1])
    )
    return squared * (-0.5 / length_scale.square())[..., None, None]


def leave_one_out_weights(x: Tensor, length_scale: Tensor) -> Tensor:
    """W of Eq. 6, ``[..., B, Dx] -> [..., B, B]``: ``W_ii = 0``, ``W_ij >= 0``, rows sum to 1.

    The diagonal is masked before a softmax: dividing by a row sum of kernel values underflows for a point
    far from all others.
    """
    itself = torch.eye(x.shape[-2], dtype=torch.bool, device=x.device)
    return log_kernel(x, x, length_scale).masked_fill(itself, -math.inf).softmax(-1)
