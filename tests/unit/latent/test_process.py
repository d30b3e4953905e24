"""Prediction by the Gaussian process, against scikit-learn's and against what is known of it."""

import numpy as np
import pytest
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from npvae.errors import NpvaeError
from npvae.latent.process import predict_process
from npvae.model.kernel import CovarianceKernel


def points(count: int, dimensions: int, seed: int) -> torch.Tensor:
    return torch.randn(count, dimensions, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("length_scale", "variance", "noise"), [(1.0, 1.0, 0.1), (0.4, 2.5, 0.01)])
def test_it_is_scikit_learns(length_scale: float, variance: float, noise: float) -> None:
    kernel = CovarianceKernel(length_scale, variance, noise)
    x, known, z = points(17, 2, 0), points(60, 2, 1), points(60, 3, 2)
    mean, spread = predict_process(x, known, z, kernel, rows=5)
    covariance = ConstantKernel(kernel.variance.item()) * RBF(kernel.length_scale.item())
    covariance += WhiteKernel(kernel.noise.item())
    other = GaussianProcessRegressor(covariance, alpha=0, optimizer=None).fit(known.numpy(), z.numpy())
    expected, deviation = other.predict(x.numpy(), return_std=True)
    assert mean.dtype == spread.dtype == torch.float64
    np.testing.assert_allclose(mean, expected, atol=1e-6)
    np.testing.assert_allclose(spread.expand(-1, 3), np.square(deviation), atol=1e-6)


def test_far_from_all_images_it_is_the_prior_and_at_one_without_noise_that_image() -> None:
    kernel = CovarianceKernel(1.0, 2.0, 1e-9)
    known, z = torch.tensor([[0.0, 0.0], [3.0, 0.0]]), torch.tensor([[1.0], [-2.0]])
    mean, variance = predict_process(torch.tensor([[0.0, 0.0], [1e4, 0.0]]), known, z, kernel)
    jitter = kernel.noise.item()
    assert mean[0].item() == pytest.approx(1.0, abs=1e-3)
    assert variance[0].item() == pytest.approx(2 * jitter, rel=1e-2)
    assert mean[1].item() == 0
    assert variance[1].item() == pytest.approx(2.0 + jitter)


def test_its_intervals_cover_what_it_draws() -> None:
    kernel = CovarianceKernel(0.7, 1.3, 0.2)
    x = points(400, 2, 3)
    factor = torch.linalg.cholesky(kernel.covariance(x).detach().double())
    z = factor @ points(400, 200, 4).double()
    mean, variance = predict_process(x[300:], x[:300], z[:300], kernel)
    covered = ((z[300:] - mean).abs() <= 1.959964 * variance.sqrt()).double().mean()
    assert covered.item() == pytest.approx(0.95, abs=0.01)


def test_without_a_factor_it_says_so() -> None:
    kernel = CovarianceKernel()
    with pytest.raises(NpvaeError, match="no Cholesky factor"):
        predict_process(points(3, 2, 0), torch.full((4, 2), float("nan")), points(4, 1, 1), kernel)
