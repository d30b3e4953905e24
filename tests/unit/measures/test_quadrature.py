"""The likelihood through X against a Monte Carlo average over the density on X."""

import math

import pytest
import torch
from torch.distributions import Bernoulli

from npvae.data.images import grey
from npvae.latent.spaces import XSpace
from npvae.measures import quadrature
from npvae.measures.quadrature import log_likelihoods_through_x
from npvae.model.vae import build
from npvae.settings import Network, Objective

TRAIN = torch.randint(256, (40, 9), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def space_with(length_scale: float) -> XSpace:
    objective = Objective(initial_length_scale=length_scale)
    model = build("npvae", 3, Network(hidden_units=8), objective, pixels=9, seed=0).eval()
    return XSpace(model, TRAIN)


@pytest.mark.parametrize("length_scale", [0.2, 1.0])
@torch.no_grad()
def test_it_is_the_mean_likelihood_over_places_drawn_from_the_density(length_scale: float) -> None:
    space, images = space_with(length_scale), TRAIN[:6]
    places = space.draw(60_000, seed=3)
    decoded = Bernoulli(logits=space.model.decode(space.to_z(places)).double(), validate_args=False)
    expected = torch.stack(
        [decoded.log_prob(y).sum(-1).logsumexp(0) - math.log(len(places)) for y in grey(images).double()]
    )
    found = log_likelihoods_through_x(space, images)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, expected, atol=0.02, rtol=0)


@torch.no_grad()
def test_far_reference_images_can_be_left_out_of_a_prediction() -> None:
    space = space_with(0.05)
    places, _ = quadrature._grid(space, 3)
    torch.testing.assert_close(quadrature._predicted(space, places), space.to_z(places), atol=1e-4, rtol=1e-4)


def test_a_finer_grid_gives_nearly_the_same() -> None:
    space = space_with(0.5)
    coarse, fine = (log_likelihoods_through_x(space, TRAIN[:6], fineness=n) for n in (3, 8))
    torch.testing.assert_close(coarse, fine, atol=0.01, rtol=0)


def test_it_is_no_greater_than_the_likelihood_at_the_best_place() -> None:
    space = space_with(0.3)
    with torch.no_grad():
        logits = space.model.decode(space.to_z(space.draw(5_000, seed=0)))
    best = Bernoulli(logits=logits, validate_args=False).log_prob(grey(TRAIN[:1])).sum(-1).max()
    assert float(log_likelihoods_through_x(space, TRAIN[:1])) < float(best) + 0.05
