"""The matching term and its gradients against direct formulas in float64."""

import math

import numpy as np
import pytest
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from npvae.model.coupling import COUPLINGS, Coupling, joint, leave_one_out, means, predictive
from npvae.model.kernel import CovarianceKernel, Kernel
from npvae.settings import Divergence, Gradient

GRADIENTS: tuple[Gradient, ...] = ("all", "own", "x")
SIGMA = torch.ones(())  # that term leaves it out


def weights(x: Tensor, length_scale: float) -> Tensor:
    """W of Eq. 6 with a plain division, in float64; for points that are close enough."""
    kernel = torch.exp(-((x[:, None].double() - x[None].double()) ** 2).sum(-1) / (2 * length_scale**2))
    kernel = kernel - torch.diag(kernel.diagonal())
    return kernel / kernel.sum(1, keepdim=True)


def points(count: int = 6) -> tuple[Tensor, Tensor]:
    """E[z] and locations in X, in float64, that want gradients."""
    mu = torch.randn(count, 3, dtype=torch.float64, requires_grad=True)
    return mu, torch.randn(count, 2, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("gradient", GRADIENTS)
@pytest.mark.parametrize("length_scale", [0.5, 0.8, 2.0])
def test_its_value_equals_the_double_loop(gradient: Gradient, length_scale: float) -> None:
    mu, x = torch.randn(7, 4), torch.randn(7, 2)
    expected = []
    for i in range(7):
        kernel = [
            0.0
            if i == j
            else math.exp(-(math.dist(x[i].tolist(), x[j].tolist()) ** 2) / (2 * length_scale**2))
            for j in range(7)
        ]
        predicted = [sum(k * float(mu[j, d]) for j, k in enumerate(kernel)) / sum(kernel) for d in range(4)]
        expected.append(sum((float(mu[i, d]) - predicted[d]) ** 2 for d in range(4)))
    got = means(mu, SIGMA, x, Kernel(length_scale), gradient=gradient)
    torch.testing.assert_close(
        got.double(), torch.tensor(expected, dtype=torch.float64), rtol=1e-5, atol=1e-5
    )


def test_it_is_zero_where_all_means_agree() -> None:
    mu = torch.tensor([[1.0, -2.0]]).expand(6, 2)
    torch.testing.assert_close(
        means(mu, SIGMA, torch.randn(6, 2), Kernel()), torch.zeros(6), rtol=0, atol=1e-10
    )


@pytest.mark.parametrize("length_scale", [0.5, 2.0])
def test_it_passes_gradcheck(length_scale: float) -> None:
    mu, x = points(5)
    kernel = Kernel(length_scale).double()
    # the kernel reads the parameter itself, which gradcheck moves in place
    assert torch.autograd.gradcheck(
        lambda mu, x, _: means(mu, SIGMA, x, kernel), (mu, x, kernel.log_length_scale)
    )


def test_eq_5_as_it_is_written_is_the_default() -> None:
    mu, x = points()
    kernel = Kernel(0.9).double()
    default, every = (
        torch.autograd.grad(means(mu, SIGMA, x, kernel, **options).sum(), mu)[0]
        for options in ({}, {"gradient": "all"})
    )
    assert torch.equal(default, every)


@pytest.mark.parametrize("gradient", ["all", "own"])
def test_gradient_on_the_means(gradient: Gradient) -> None:
    # sum |mu - W mu|^2 has the gradient 2 (I - W)^T (I - W) mu; with the neighbours held fixed, 2 (I - W) mu
    mu, x = points()
    penalty = means(mu, SIGMA, x, Kernel(0.9).double(), gradient=gradient)
    (got,) = torch.autograd.grad(penalty.sum(), mu)
    residual = torch.eye(6).double() - weights(x.detach(), 0.9)
    expected = 2 * residual @ mu.detach()
    torch.testing.assert_close(got, residual.T @ expected if gradient == "all" else expected)


@pytest.mark.parametrize("image", [0, 3])
def test_own_reaches_an_images_own_mean_and_all_its_neighbours_too(image: int) -> None:
    mu, x = points()
    kernel, w = Kernel(0.9).double(), weights(x.detach(), 0.9)[image]
    own, every = (
        torch.autograd.grad(means(mu, SIGMA, x, kernel, gradient=gradient)[image], mu)[0]
        for gradient in ("own", "all")
    )
    residual = mu.detach()[image] - w @ mu.detach()
    expected = torch.zeros(6, 3).double()
    expected[image] = 2 * residual
    others = [index for index in range(6) if index != image]
    assert torch.equal(own[others], torch.zeros(5, 3).double())
    torch.testing.assert_close(own, expected)
    torch.testing.assert_close(every, expected - 2 * w[:, None] * residual)
    assert (every[others].abs().sum(1) > 0).all()


def test_x_reaches_no_mean() -> None:
    mu, x = points()
    penalty = means(mu, SIGMA, x, Kernel(0.9).double(), gradient="x")
    (on_mu, on_x) = torch.autograd.grad(penalty.sum(), (mu, x), allow_unused=True)
    assert on_mu is None
    assert on_x.abs().max() > 0


@pytest.mark.parametrize("gradient", ["own", "x"])
def test_the_choice_leaves_value_and_kernel_gradients_alone(gradient: Gradient) -> None:
    mu, x = points()
    kernel = Kernel(0.9).double()
    free, fixed = (means(mu, SIGMA, x, kernel, gradient=choice) for choice in ("all", gradient))
    torch.testing.assert_close(free, fixed)
    wanted = (x, kernel.log_length_scale)
    for a, b in zip(
        torch.autograd.grad(free.sum(), wanted), torch.autograd.grad(fixed.sum(), wanted), strict=True
    ):
        assert a.abs().max() > 0
        torch.testing.assert_close(a, b)


def test_models_side_by_side_have_their_own_length_scales() -> None:
    kernel = Kernel()
    kernel.log_length_scale = torch.nn.Parameter(torch.tensor([0.4, 2.5]).log())
    mu, x = torch.randn(2, 7, 3), torch.randn(2, 7, 2)
    got = means(mu, SIGMA, x, kernel)
    for index, length_scale in enumerate((0.4, 2.5)):
        residual = mu[index].double() - weights(x[index], length_scale) @ mu[index].double()
        torch.testing.assert_close(got[index].double(), (residual**2).sum(1), rtol=1e-4, atol=1e-5)


def process(noise: float = 0.3) -> CovarianceKernel:
    """A covariance in float64."""
    return CovarianceKernel(0.8, variance=1.7, noise=noise).double()


def with_deviations(count: int = 7) -> tuple[Tensor, Tensor, Tensor]:
    """E[z], the deviations of q and locations in X."""
    mu, x = points(count)
    return mu, (0.2 + torch.rand(count, 3, dtype=torch.float64)).requires_grad_(), x


def test_leave_one_out_is_scikit_learns_process_without_that_image() -> None:
    mu, _, x = (one.detach() for one in with_deviations())
    kernel = process()
    mean, variance = (one.detach() for one in leave_one_out(mu, x, kernel))
    shape = ConstantKernel(float(kernel.variance)) * RBF(float(kernel.length_scale))
    for i in range(7):
        others = [j for j in range(7) if j != i]
        dense = GaussianProcessRegressor(shape, alpha=float(kernel.noise), optimizer=None)
        dense.fit(x[others].numpy(), mu[others].numpy())
        expected, deviation = dense.predict(x[i : i + 1].numpy(), return_std=True)
        np.testing.assert_allclose(mean[i].numpy(), expected[0], rtol=0, atol=1e-6)
        # scikit-learn's is the process's own; an observation's has the noise too
        expected_variance = deviation[0] ** 2 + float(kernel.noise)
        np.testing.assert_allclose(variance[i].item(), expected_variance, rtol=0, atol=1e-6)


def test_predictive_is_the_divergence_from_that_prediction() -> None:
    mu, sigma, x = with_deviations()
    kernel = process()
    mean, variance = leave_one_out(mu, x, kernel)
    expected = kl_divergence(Normal(mu, sigma), Normal(mean, variance.sqrt().expand_as(mean))).sum(1)
    torch.testing.assert_close(predictive(mu, sigma, x, kernel), expected, rtol=0, atol=1e-6)


def test_joint_is_the_divergence_between_two_multivariate_normals() -> None:
    mu, sigma, x = with_deviations()
    kernel = process()
    prior = MultivariateNormal(torch.zeros(7, dtype=torch.float64), kernel.covariance(x))
    expected = sum(
        kl_divergence(MultivariateNormal(mu[:, d], torch.diag(sigma[:, d] ** 2)), prior) for d in range(3)
    )
    torch.testing.assert_close(joint(mu, sigma, x, kernel).sum(), expected, rtol=0, atol=1e-6)


def test_the_covariance_is_that_of_scikit_learn() -> None:
    x = torch.randn(5, 2, dtype=torch.float64)
    kernel = process()
    shape = ConstantKernel(1.7) * RBF(0.8) + WhiteKernel(float(kernel.noise))
    np.testing.assert_allclose(kernel.covariance(x).detach().numpy(), shape(x.numpy()), atol=1e-12)


@pytest.mark.parametrize("couple", [predictive, joint])
def test_exact_divergences_pass_gradcheck(couple: Coupling) -> None:
    mu, sigma, x = with_deviations(5)
    kernel = process()

    def of(mu: Tensor, sigma: Tensor, x: Tensor, *_: Tensor) -> Tensor:
        return couple(mu, sigma, x, kernel)

    assert torch.autograd.gradcheck(of, (mu, sigma, x, *kernel.parameters()))


@pytest.mark.parametrize("name", COUPLINGS)
def test_with_the_gradient_on_x_it_reaches_neither_mean_nor_deviation(name: Divergence) -> None:
    mu, sigma, x = with_deviations()
    COUPLINGS[name](mu, sigma, x, process(), "x").sum().backward()
    assert mu.grad is None
    assert sigma.grad is None
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_predictive_with_the_gradient_on_the_own_mean_leaves_the_neighbours_alone() -> None:
    mu, sigma, x = with_deviations()
    predictive(mu, sigma, x, process(), "own")[2].backward()
    assert mu.grad is not None
    assert mu.grad.abs().sum(1).nonzero().tolist() == [[2]]


@pytest.mark.parametrize("name", ["predictive", "joint"])
def test_stacked_models_each_get_their_own(name: Divergence) -> None:
    mu, sigma, x = (torch.rand(2, 6, width, dtype=torch.float64) + 0.1 for width in (3, 3, 2))
    kernels = [
        CovarianceKernel(scale, variance, noise) for scale, variance, noise in ((1, 2, 0.3), (0.5, 1, 0.1))
    ]
    both = CovarianceKernel().double()
    for key, parameter in both.named_parameters():
        parameter.data = torch.stack([getattr(kernel, key).detach().double() for kernel in kernels])
    got = COUPLINGS[name](mu, sigma, x, both, "all")
    for index, kernel in enumerate(kernels):
        alone = COUPLINGS[name](mu[index], sigma[index], x[index], kernel.double(), "all")
        torch.testing.assert_close(got[index], alone, rtol=0, atol=1e-10)


@pytest.mark.parametrize("couple", [predictive, joint])
def test_a_covariance_without_a_factor_gives_nan_and_no_exception(couple: Coupling) -> None:
    class Negative(CovarianceKernel):
        @property
        def noise(self) -> Tensor:
            return torch.tensor(-5.0)

    got = couple(torch.randn(4, 2), torch.ones(4, 2), torch.randn(4, 2), Negative())
    assert got.isnan().all()


@pytest.mark.parametrize("couple", [predictive, joint])
def test_coinciding_points_have_a_factor_in_float32(couple: Coupling) -> None:
    kernel = CovarianceKernel(1.0, 1.0, 1e-12)
    got = couple(torch.randn(128, 5), torch.ones(128, 5), torch.zeros(128, 2), kernel)
    assert got.isfinite().all()
