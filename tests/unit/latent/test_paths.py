"""Paths against the geometry of the plane and of the sphere."""

import math

import pytest
import torch

from npvae.latent.paths import arc, line


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


@pytest.mark.parametrize("off", [1e-2, 1e-3, 2e-4, 1e-5, 1e-7])
@pytest.mark.parametrize("around", [0.0, math.pi])
def test_an_arc_between_nearly_parallel_or_opposite_points_keeps_their_norm(
    off: float, around: float
) -> None:
    start = torch.tensor([[3.0, 0.0]])
    end = torch.tensor([[3 * math.cos(around + off), 3 * math.sin(around + off)]])
    path = arc(start, end, 7)
    torch.testing.assert_close(path.norm(dim=-1), torch.full((1, 7), 3.0), rtol=5e-3, atol=0)
