"""The exact prediction from X to Z: the Gaussian process of Eq. 3, of which Eq. 4 is an approximation."""

import torch
from torch import Tensor

from npvae.errors import NpvaeError
from npvae.model.kernel import CovarianceKernel, log_kernel


@torch.no_grad()
def predict_process(
    x: Tensor, reference_x: Tensor, reference_z: Tensor, kernel: CovarianceKernel, *, rows: int = 1_000
) -> tuple[Tensor, Tensor]:
    """Mean and variance of z given those of the reference images.

    Eqs. 2.23 and 2.24 of Rasmussen and Williams (2006), in float64, from one Cholesky factor: time in M^3,
    memory in M^2. Every dimension of Z has the same kernel, hence the same variance: that of a noisy z.

    Args:
        x: queries ``[N, Dx]``.
        reference_x: locations ``[M, Dx]``.
        reference_z: their posterior means ``[M, Dz]``.
        kernel: the covariance.
        rows: how many queries are taken at a time.

    Returns:
        ``[N, Dz]`` and ``[N, 1]``, float64.

    Raises:
        NpvaeError: the covariance has no Cholesky factor.
    """
    queries, known, z = x.double(), reference_x.double(), reference_z.double()
    length_scale, variance, noise = (
        one.double() for one in (kernel.length_scale, kernel.variance, kernel.noise)
    )

    def covariance(points: Tensor) -> Tensor:
        return variance * log_kernel(points, known, length_scale).exp()

    among = covariance(known)
    among.diagonal().add_(noise)
    factor, wrong = torch.linalg.cholesky_ex(among)
    if wrong.item() or not factor.isfinite().all():
        raise NpvaeError(
            f"the covariance of {len(known)} images in X has no Cholesky factor "
            f"(l = {length_scale.item():g}, variance {variance.item():g}, noise {noise.item():g}): "
            "try a larger npvae.kernel_noise"
        )
    weights = torch.cholesky_solve(z, factor)
    means, variances = [], []
    for part in queries.split(rows):
        cross = covariance(part)
        means.append(cross @ weights)
        explained = torch.linalg.solve_triangular(factor, cross.mT, upper=False).square().sum(0)
        variances.append((variance + noise - explained)[:, None])
    return torch.cat(means), torch.cat(variances)
