"""What the figures read, against the networks asked one image at a time."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from npvae.data.images import Split, grey
from npvae.latent.export import embedding_table, interpolants, thin, thumbnails
from npvae.latent.spaces import Space, space_of
from npvae.model.vae import build
from npvae.settings import Network, Objective

NOISE = torch.Generator().manual_seed(1)
TRAIN, TEST = (
    Split(
        torch.randint(256, (count, 784), generator=NOISE, dtype=torch.uint8),
        torch.randint(10, (count,), generator=NOISE),
    )
    for count in (40, 15)
)


def x_space(images: Tensor = TRAIN.images) -> Space:
    model = build("npvae", 5, Network(hidden_units=8), Objective(initial_length_scale=0.5), seed=0)
    return space_of(model.eval(), images, torch.tensor([30, 2, 11, 8]))


def z_space(z_dim: int) -> Space:
    return space_of(build("vae", z_dim, Network(hidden_units=8), seed=0).eval(), TRAIN.images)


@pytest.mark.parametrize(("space", "names"), [(x_space(), ["x1", "x2"]), (z_space(2), ["z1", "z2"])])
def test_a_plane_is_written_a_row_an_image(space: Space, names: list[str]) -> None:
    table = embedding_table(space, {"train": TRAIN, "test": TEST})
    assert table.columns.tolist() == ["split", "digit", *names]
    assert table["split"].tolist() == ["train"] * 40 + ["test"] * 15
    assert table["digit"].tolist() == [*TRAIN.labels.tolist(), *TEST.labels.tolist()]
    points = np.concatenate([space.points(split.images).numpy() for split in (TRAIN, TEST)])
    np.testing.assert_array_equal(table[names].to_numpy(), points)


@pytest.mark.parametrize("z_dim", [1, 3, 20])
def test_of_a_z_that_cannot_be_drawn_only_the_digits_are_written(z_dim: int) -> None:
    table = embedding_table(z_space(z_dim), {"train": TRAIN, "test": TEST})
    assert table.columns.tolist() == ["split", "digit"]
    assert len(table) == 55


def test_bytes_are_the_grey_values_that_they_stand_for() -> None:
    stored, shades = x_space(), x_space(grey(TRAIN.images))
    given = [{"test": TEST}, {"test": Split(grey(TEST.images), TEST.labels)}]
    pd.testing.assert_frame_equal(*(embedding_table(stored, splits) for splits in given))
    ends = TRAIN.images[[4, 7]]
    assert interpolants(stored, ends, 3).equal(interpolants(shades, grey(ends), 3))
    for found, expected in zip(
        thumbnails(stored, TEST.images, 3), thumbnails(shades, grey(TEST.images), 3), strict=True
    ):
        assert found.equal(expected) if isinstance(found, Tensor) else found == expected


@pytest.mark.parametrize("space", [x_space(), z_space(2), z_space(20)])
@pytest.mark.parametrize("steps", [1, 3])
def test_interpolants_are_those_of_the_straight_line_between_two_real_images(
    space: Space, steps: int
) -> None:
    ends = TRAIN.images[[4, 7]]
    start, end = space.points(ends)
    places = torch.stack([start + (end - start) * step / (steps + 1) for step in range(1, steps + 1)])
    found = interpolants(space, ends, steps)
    assert found.shape == (steps + 2, 784)
    assert found.is_floating_point()
    assert found[0].equal(ends[0] / 255)
    assert found[-1].equal(ends[1] / 255)
    torch.testing.assert_close(found[1:-1], space.decode(places), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("across", [2, 5, 1_000])
def test_thumbnails_lie_at_images_apart_and_leave_no_room(across: int) -> None:
    space = x_space()
    places, images, side = thumbnails(space, TEST.images, across)
    points = space.points(TEST.images)
    low, high = np.quantile(points.double().numpy(), [0.001, 0.999], axis=0)
    assert side == pytest.approx((high - low).max() / across, rel=1e-4)
    gaps = (places[:, None] - places).abs().amax(-1) + side * torch.eye(len(places))
    assert gaps.min() >= side
    assert ((points[:, None] - places).abs().amax(-1) < side).any(1).all()  # of those left out, too
    assert all((points == place).all(1).any() for place in places)
    assert images.equal(space.decode(places))
    assert len(places) == 15 or across < 1_000


def test_thinning_keeps_the_first_of_those_that_overlap() -> None:
    points = torch.tensor([[0.0, 0.0], [0.9, 0.9], [1.0, 0.0], [0.0, -1.0], [1.5, 0.5], [0.9, 3.0]])
    assert thin(points, 1.0).tolist() == [0, 2, 3, 5]
    assert thin(points, 0.1).tolist() == [0, 1, 2, 3, 4, 5]
    assert thin(points, 9.0).tolist() == [0]
