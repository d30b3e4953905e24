"""Nearest neighbours against brute force in float64."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from npvae.data.images import grey, load_test, load_train
from npvae.measures.neighbours import Neighbours


def test_of_real_images_they_are_the_brute_forces(mnist: Path) -> None:
    train, test = load_train(mnist, count=4_000).images, load_test(mnist, count=300).images
    blurred = (grey(test) + grey(test).flip(0)) / 2
    for queries in (test, blurred):
        distances, indices = Neighbours(train).nearest(queries, 10)
        exact = cdist(grey(queries).double().numpy(), grey(train).double().numpy())
        order = exact.argsort(1)[:, :10]
        np.testing.assert_array_equal(indices[:, 0], order[:, 0])
        assert (indices.numpy() == order).mean() > 0.999
        np.testing.assert_allclose(distances, np.take_along_axis(exact, order, 1), rtol=1e-3)


@pytest.mark.parametrize("rows", [1, 7, 500])
def test_distances_to_near_copies_survive_cancellation(rows: int) -> None:
    noise = torch.Generator().manual_seed(0)
    points = torch.rand(40, 784, generator=noise) * 0.2 + 0.8  # norms of 25, distances of 1e-3
    copies = points.flip(0)[:20] + 4e-5 * torch.randn(20, 784, generator=noise)
    expected = cdist(copies.double().numpy(), points.double().numpy()).min(1)
    assert expected.max() < 2e-3
    found = Neighbours(points).nearest(copies, rows=rows)[0]
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-4)
    assert Neighbours(points).nearest(points, rows=rows)[0].max() == 0


def test_all_points_may_be_asked_for_and_a_lone_one_too() -> None:
    points = torch.stack([torch.full((784,), value) for value in (1.0, 0.9, 0.1)])
    distances, indices = Neighbours(points).nearest(torch.zeros(1, 784), 3)
    torch.testing.assert_close(distances, torch.tensor([[2.8, 25.2, 28.0]]))  # 28 = sqrt(784)
    assert indices.tolist() == [[2, 1, 0]]
    assert Neighbours(points[:1]).nearest(points[1:])[1].tolist() == [[0], [0]]


def test_few_components_still_give_exact_distances() -> None:
    noise = torch.Generator().manual_seed(0)
    points, queries = torch.randn(60, 9, generator=noise), torch.randn(20, 9, generator=noise)
    found = Neighbours(points, components=2).nearest(queries, spare=59)[0]
    np.testing.assert_allclose(found[:, 0], cdist(queries, points).min(1), rtol=1e-5)


def test_bytes_are_the_grey_values_that_they_stand_for_and_stay_bytes() -> None:
    noise = torch.Generator().manual_seed(0)
    points = torch.randint(256, (120, 784), generator=noise, dtype=torch.uint8)
    queries = torch.randint(256, (40, 784), generator=noise, dtype=torch.uint8)
    stored, shades = Neighbours(points, rows=70), Neighbours(grey(points), rows=70)
    assert stored.points is points
    for asked in (queries, grey(queries), points):
        found, expected = stored.nearest(asked, 3), shades.nearest(grey(asked), 3)
        assert found[0].equal(expected[0])
        assert found[1].equal(expected[1])
    exact = cdist(grey(queries).double().numpy(), grey(points).double().numpy())
    np.testing.assert_allclose(stored.nearest(queries)[0][:, 0], exact.min(1), rtol=1e-5)


@pytest.mark.parametrize("rows", [1, 45, 1_000])
def test_the_nearest_do_not_depend_on_how_many_points_are_taken_at_a_time(rows: int) -> None:
    noise = torch.Generator().manual_seed(0)
    points, queries = torch.rand(90, 784, generator=noise), torch.rand(30, 784, generator=noise)
    distances, indices = Neighbours(points, rows=rows).nearest(queries, 2, rows=rows)
    exact = cdist(queries.double().numpy(), points.double().numpy())
    np.testing.assert_array_equal(indices, exact.argsort(1)[:, :2])
    np.testing.assert_allclose(distances, np.sort(exact, 1)[:, :2], rtol=1e-5)
