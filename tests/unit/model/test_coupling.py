"""The matching term and its gradients against direct formulas in float64."""

import math

import pytest
import torch
from torch import Tensor

from npvae.model.coupling import match_penalty
from npvae.model.kernel import Kernel
from npvae.settings import Gradient

GRADIENTS: tuple[Gradient, ...] = ("all", "own", "x")


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
    got = match_penalty(mu, x, Kernel(length_scale), gradient=gradient)
    torch.testing.assert_close(
        got.double(), torch.tensor(expected, dtype=torch.float64), rtol=1e-5, atol=1e-5
    )


def test_it_is_zero_where_all_means_agree() -> None:
    mu = torch.tensor([[1.0, -2.0]]).expand(6, 2)
    torch.testing.assert_close(
        match_penalty(mu, torch.randn(6, 2), Kernel()), torch.zeros(6), rtol=0, atol=1e-10
    )


@pytest.mark.parametrize("length_scale", [0.5, 2.0])
def test_it_passes_gradcheck(length_scale: float) -> None:
    mu, x = points(5)
    kernel = Kernel(length_scale).double()
    # the kernel reads the parameter itself, which gradcheck moves in place
    assert torch.autograd.gradcheck(
        lambda mu, x, _: match_penalty(mu, x, kernel), (mu, x, kernel.log_length_scale)
    )


def test_eq_5_as_it_is_written_is_the_default() -> None:
    mu, x = points()
    kernel = Kernel(0.9).double()
    default, every = (
        torch.autograd.grad(match_penalty(mu, x, kernel, **options).sum(), mu)[0]
        for options in ({}, {"gradient": "all"})
    )
    assert torch.equal(default, every)


@pytest.mark.parametrize("gradient", ["all", "own"])
def test_gradient_on_the_means(gradient: Gradient) -> None:
    # sum |mu - W mu|^2 has the gradient 2 (I - W)^T (I - W) mu; with the neighbours held fixed, 2 (I - W) mu
    mu, x = points()
    penalty = match_penalty(mu, x, Kernel(0.9).double(), gradient=gradient)
    (got,) = torch.autograd.grad(penalty.sum(), mu)
    residual = torch.eye(6).double() - weights(x.detach(), 0.9)
    expected = 2 * residual @ mu.detach()
    torch.testing.assert_close(got, residual.T @ expected if gradient == "all" else expected)


@pytest.mark.parametrize("image", [0, 3])
def test_own_reaches_an_images_own_mean_and_all_its_neighbours_too(image: int) -> None:
    mu, x = points()
    kernel, w = Kernel(0.9).double(), weights(x.detach(), 0.9)[image]
    own, every = (
        torch.autograd.grad(match_penalty(mu, x, kernel, gradient=gradient)[image], mu)[0]
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
    penalty = match_penalty(mu, x, Kernel(0.9).double(), gradient="x")
    (on_mu, on_x) = torch.autograd.grad(penalty.sum(), (mu, x), allow_unused=True)
    assert on_mu is None
    assert on_x.abs().max() > 0


@pytest.mark.parametrize("gradient", ["own", "x"])
def test_the_choice_leaves_value_and_kernel_gradients_alone(gradient: Gradient) -> None:
    mu, x = points()
    kernel = Kernel(0.9).double()
    free, fixed = (match_penalty(mu, x, kernel, gradient=choice) for choice in ("all", gradient))
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
    got = match_penalty(mu, x, kernel)
    for index, length_scale in enumerate((0.4, 2.5)):
        residual = mu[index].double() - weights(x[index], length_scale) @ mu[index].double()
        torch.testing.assert_close(got[index].double(), (residual**2).sum(1), rtol=1e-4, atol=1e-5)
