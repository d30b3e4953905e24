"""Densities that are fitted to posterior means afterwards."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from npvae.latent.bandwidth import density_width
from npvae.latent.densities import draw_kernel, draw_mixture

DRAWS: list[Callable[[Tensor, int], Tensor]] = [
    lambda mu, seed: draw_mixture(mu, 50, components=2, seed=seed),
    lambda mu, seed: draw_kernel(mu, 50, seed=seed),
]


def two_heaps(count: int = 2_000) -> Tensor:
    """Two heaps in the first two of three dimensions; the third is not in use."""
    centres = torch.tensor([[4.0, 0.0], [-4.0, 2.0]])[torch.arange(count) % 2]
    heaps = centres + torch.randn(count, 2) * torch.tensor([0.5, 1.0])
    return torch.cat([heaps, 7 + 0.01 * torch.randn(count, 1)], 1)


def test_a_mixture_draws_from_the_heaps_it_was_fitted_to() -> None:
    mu = two_heaps()
    drawn = draw_mixture(mu, 3_000, components=2, seed=0)
    assert drawn.shape == (3_000, 3)
    assert drawn.dtype == mu.dtype
    right = drawn[:, 0] > 0
    assert float(right.float().mean()) == pytest.approx(0.5, abs=0.04)
    for heap, of in ((drawn[right], mu[::2]), (drawn[~right], mu[1::2])):
        torch.testing.assert_close(heap[:, :2].mean(0), of[:, :2].mean(0), atol=0.1, rtol=0)
        torch.testing.assert_close(heap[:, :2].T.cov(), of[:, :2].T.cov(), atol=0.15, rtol=0)


def test_a_kernel_density_draws_around_the_points_with_its_width() -> None:
    mu = two_heaps(400)
    drawn = draw_kernel(mu, 20_000, seed=0)
    expected = mu[:, :2].T.cov(correction=0) + density_width(mu[:, :2]) ** 2 * torch.eye(2)
    torch.testing.assert_close(drawn[:, :2].T.cov(), expected, atol=0.3, rtol=0.05)
    torch.testing.assert_close(drawn[:, :2].mean(0), mu[:, :2].mean(0), atol=0.15, rtol=0)


@pytest.mark.parametrize("draw", DRAWS)
def test_a_dimension_that_is_not_in_use_stays_at_its_mean_and_the_seed_decides(
    draw: Callable[[Tensor, int], Tensor],
) -> None:
    mu = two_heaps()
    first = draw(mu, 0)
    torch.testing.assert_close(first[:, 2], mu[:, 2].mean().expand(50))
    assert draw(mu, 0).equal(first)
    assert not draw(mu, 1).equal(first)


@pytest.mark.parametrize("draw", DRAWS)
def test_where_no_dimension_is_in_use_all_are_taken(draw: Callable[[Tensor, int], Tensor]) -> None:
    drawn = draw(3 + 1e-4 * torch.randn(100, 2), 0)
    torch.testing.assert_close(drawn, torch.full((50, 2), 3.0), atol=0.01, rtol=0)
    assert len(drawn.unique()) > 50
