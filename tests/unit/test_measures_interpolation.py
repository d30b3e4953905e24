"""Paths against the geometry of the sphere, and what is counted along them."""

import math

import numpy as np
import pytest
import torch

from npvae.errors import NpvaeError
from npvae.measures.interpolation import arc, digit_changes, line, random_pairs, unevenness


@pytest.mark.parametrize("dimensions", [2, 20, 500])
def test_an_arc_stays_on_the_sphere_in_the_ends_plane_and_turns_evenly(dimensions: int) -> None:
    noise = torch.Generator().manual_seed(dimensions)
    start, end = torch.randn(2, 6, dimensions, generator=noise, dtype=torch.float64)
    start, end = (5 * ends / ends.norm(dim=-1, keepdim=True) for ends in (start, end))
    path = arc(start, end, 4)
    assert path.shape == (6, 4, dimensions)
    torch.testing.assert_close(path.norm(dim=-1), torch.full((6, 4), 5.0, dtype=torch.float64))
    whole = ((start * end).sum(-1) / 25).acos()
    turned = ((path * start[:, None]).sum(-1) / 25).acos()
    torch.testing.assert_close(turned, whole[:, None] * torch.arange(1, 5) / 5, rtol=1e-6, atol=1e-9)
    for points, a, b in zip(path, start, end, strict=True):
        plane = torch.stack([a, b], 1)
        outside = points - (plane @ torch.linalg.lstsq(plane, points.T).solution).T
        assert outside.norm() < 1e-9


def test_a_line_is_straight_and_even() -> None:
    points = line(torch.tensor([[0.0, 0.0]]), torch.tensor([[4.0, 8.0]]), 3)
    torch.testing.assert_close(points, torch.tensor([[[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]]]))


def test_an_arc_between_different_norms_changes_them_evenly() -> None:
    norms = arc(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 4.0]]), 2)[0].norm(dim=-1)
    torch.testing.assert_close(norms, torch.tensor([2.0, 3.0]))


def test_an_arc_between_parallel_points_is_a_line() -> None:
    start, end = torch.tensor([[1.0, 1.0]]), torch.tensor([[3.0, 3.0]])
    torch.testing.assert_close(arc(start, end, 3), line(start, end, 3))


def test_an_arc_is_the_same_either_way() -> None:
    start, end = torch.randn(2, 3, 20, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(arc(start, end, 5), arc(end, start, 5).flip(1))


def test_a_line_between_normal_points_of_many_dimensions_loses_norm_and_an_arc_does_not() -> None:
    start, end = torch.randn(2, 100, 500, generator=torch.Generator().manual_seed(0))
    norm = math.sqrt(500)
    assert float(line(start, end, 1).norm(dim=-1).mean()) == pytest.approx(norm / math.sqrt(2), rel=0.02)
    assert float(arc(start, end, 1).norm(dim=-1).mean()) == pytest.approx(norm, rel=0.02)


def test_an_arc_from_the_origin_is_finite() -> None:
    path = arc(torch.zeros(1, 3), torch.ones(1, 3), 3)
    assert path.isfinite().all()
    assert (path.norm(dim=-1) <= math.sqrt(3)).all()


def test_pairs_are_drawn_from_all_images_and_both_ways() -> None:
    labels = torch.arange(100) % 10
    pairs = random_pairs(labels, 3_000, seed=0)
    assert set(pairs[:, 0].tolist()) == set(pairs[:, 1].tolist()) == set(range(100))
    digits = labels[pairs]
    counts = np.zeros((10, 10))
    np.add.at(counts, (digits[:, 0].numpy(), digits[:, 1].numpy()), 1)
    assert (counts.diagonal() == 0).all()
    assert counts[~np.eye(10, dtype=bool)].min() > 10  # 33 expected


def test_pairs_depend_on_the_seed_alone() -> None:
    labels = torch.arange(500) % 10
    pairs = random_pairs(labels, 300, seed=0)
    torch.rand(7)
    assert pairs.equal(random_pairs(labels, 300, seed=0))
    assert not pairs.equal(random_pairs(labels, 300, seed=1))


def test_digit_changes_do_not_run_over_from_one_path_to_the_next() -> None:
    digits = torch.tensor([[1, 1, 2], [3, 3, 3], [4, 5, 4], [6, 7, 8]])
    assert digit_changes(torch.eye(10)[digits]) == pytest.approx((1 + 0 + 2 + 2) / 4)


def test_unevenness_is_a_mean_of_ratios_and_has_no_scale() -> None:
    steps = torch.tensor([[1.0, 1, 1, 1], [1, 3, 1, 3]])
    paths = torch.cat([torch.zeros(2, 1), steps.cumsum(1)], 1)[..., None]
    assert unevenness(paths) == pytest.approx((1 + 1.5) / 2)
    assert unevenness(10 * paths) == pytest.approx(unevenness(paths))


def test_unevenness_of_one_jump_is_the_number_of_steps() -> None:
    assert unevenness(torch.tensor([0.0, 0, 0, 1, 1])[None, :, None]) == pytest.approx(4)


def test_a_path_that_stands_still_is_even() -> None:
    assert unevenness(torch.ones(1, 4, 3)) == 0


@pytest.mark.parametrize("off", [1e-2, 1e-3, 2e-4, 1e-5, 1e-7])
@pytest.mark.parametrize("around", [0.0, math.pi])
def test_an_arc_between_nearly_parallel_or_opposite_points_keeps_their_norm(
    off: float, around: float
) -> None:
    start = torch.tensor([[3.0, 0.0]])
    end = torch.tensor([[3 * math.cos(around + off), 3 * math.sin(around + off)]])
    path = arc(start, end, 7)
    torch.testing.assert_close(path.norm(dim=-1), torch.full((1, 7), 3.0), rtol=5e-3, atol=0)


def test_pairs_are_as_many_as_asked_for_where_one_digit_prevails() -> None:
    labels = torch.zeros(1_000, dtype=torch.long)
    labels[:5] = 1
    pairs = random_pairs(labels, 50, seed=0)
    assert len(pairs) == 50
    assert (labels[pairs].sum(1) == 1).all()


def test_one_digit_has_no_pairs() -> None:
    with pytest.raises(NpvaeError, match="one digit"):
        random_pairs(torch.ones(10, dtype=torch.long), 5, seed=0)
