"""What is counted along paths, and which pairs of images they join."""

import numpy as np
import pytest
import torch

from npvae.errors import NpvaeError
from npvae.measures.interpolation import digit_changes, random_pairs, third_digits, unevenness


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


def test_pairs_are_as_many_as_asked_for_where_one_digit_prevails() -> None:
    labels = torch.zeros(1_000, dtype=torch.long)
    labels[:5] = 1
    pairs = random_pairs(labels, 50, seed=0)
    assert len(pairs) == 50
    assert (labels[pairs].sum(1) == 1).all()


def test_one_digit_has_no_pairs() -> None:
    with pytest.raises(NpvaeError, match="one label"):
        random_pairs(torch.ones(10, dtype=torch.long), 5, seed=0)


def test_a_third_digit_is_neither_of_the_ends() -> None:
    told = torch.eye(10)[torch.tensor([1, 2, 3, 4])]
    ends = torch.tensor([[1, 7], [7, 2], [2, 4], [5, 6]])
    assert third_digits(told, ends) == 0.5
