"""What the page carries stands for the model, as nearly as it says."""

import numpy as np
import pytest
import torch

from npvae.explorer import part as module
from npvae.explorer.part import condensed, decode, part, predict, quantised


def test_images_in_one_cell_count_as_their_mean() -> None:
    x = np.array([[0.0, 0.0], [0.1, 0.3], [9.0, 9.0], [0.2, 0.3]], np.float32)
    mu = np.array([[1.0], [2.0], [7.0], [6.0]], np.float32)
    centres, means, count = condensed(x, mu, most=2)
    assert count.tolist() == [3, 1]
    assert centres == pytest.approx(np.array([[0.1, 0.2], [9.0, 9.0]]))
    assert means == pytest.approx(np.array([[3.0], [7.0]]))


def test_with_room_for_all_every_image_keeps_its_own_cell() -> None:
    x = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    centres, means, count = condensed(x, x, most=100_000)
    assert (count == 1).all()
    assert sorted(centres.tolist()) == sorted(x.tolist())
    assert np.array_equal(centres, means)


def test_images_at_one_place_are_one_cell() -> None:
    centres, means, count = condensed(np.ones((4, 2)), np.arange(4.0)[:, None], most=3)
    assert centres.tolist() == [[1, 1]]
    assert means.tolist() == [[1.5]]
    assert count.tolist() == [4]


@pytest.mark.parametrize("axis", [0, 1])
def test_a_byte_is_off_by_half_a_step(axis: int) -> None:
    matrix = np.random.default_rng(0).normal(size=(30, 20)) * np.logspace(-3, 3, 20)
    values, step = quantised(matrix, axis)
    assert values.dtype == np.int8
    assert step == pytest.approx(np.abs(matrix).max(axis=axis, keepdims=True) / 127)
    assert (np.abs(values * step - matrix) <= 0.5001 * step).all()


@pytest.mark.parametrize("shape", [(3, 0), (3, 4)])
def test_nothing_is_quantised_to_nothing(shape: tuple[int, int]) -> None:
    values, step = quantised(np.zeros(shape), axis=1)
    assert values.shape == shape
    assert not values.any()
    assert (step == 1).all()


def test_the_page_decodes_as_the_model_does(case) -> None:
    space = case.spaces["npvae", 5]
    arrays = part(space, case.images)
    x = space.points(case.images)
    assert arrays["x"] == pytest.approx(x.numpy())
    assert predict(arrays, x.numpy()) == pytest.approx(space.to_z(x).numpy(), abs=0.05)
    difference = np.abs(decode(arrays, predict(arrays, x.numpy())) - space.decode(x).numpy())
    assert difference.mean() < 0.01
    (largest, mean), _ = arrays["error"]
    assert (largest, mean) == pytest.approx((difference.max(), difference.mean()), rel=1e-3)


def test_units_that_are_not_active_are_left_out_and_folded_into_the_bias(case, monkeypatch) -> None:
    space = case.spaces["vae", 5]
    variance = space.embed(case.images).mu.var(0, correction=0).sort().values
    monkeypatch.setattr(module, "ACTIVE", float(variance[1:3].mean()))
    arrays = part(space, case.images)
    assert arrays["mu"].shape == (len(case.images), 3)
    assert arrays["weight0"].shape[1] == 3
    mu = space.embed(case.images).mu
    held = torch.where(mu.var(0, correction=0) > module.ACTIVE, mu, mu.mean(0))
    expected = space.decode(held).numpy()
    assert np.abs(decode(arrays, arrays["mu"] * arrays["mu_scale"]) - expected).mean() < 0.01


def test_a_model_without_x_has_no_places(case) -> None:
    assert not {"x", "cell_x", "error"} & part(case.spaces["vae", 2], case.images).keys()


def test_the_page_predicts_with_the_l_that_the_space_predicts_with(case) -> None:
    space = case.spaces["advised", 5]
    arrays = part(space, case.images)
    assert arrays["length_scale"] == pytest.approx(float(space.length_scale))
    assert arrays["length_scale"] != pytest.approx(float(space.model.length_scale.detach()), rel=0.01)
