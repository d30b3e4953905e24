"""The kernel on X against float64 loops and limits that are known."""

import math

import pytest
import torch

from npvae.model.kernel import Kernel, leave_one_out_weights, log_kernel


def loop_weights(x: list[list[float]], length_scale: float) -> list[list[float]]:
    """Eq. 6, diagonal subtracted and rows normalised, as the paper writes it."""
    rows = []
    for i, a in enumerate(x):
        row = []
        for j, b in enumerate(x):
            distance = sum((p - q) ** 2 for p, q in zip(a, b, strict=True))
            row.append(0.0 if i == j else math.exp(-distance / (2 * length_scale**2)))
        rows.append([value / sum(row) for value in row])
    return rows


@pytest.mark.parametrize("length_scale", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("dimensions", [1, 2, 5])
def test_log_kernel_is_eq_6(length_scale: float, dimensions: int) -> None:
    x, other = torch.randn(6, dimensions), torch.randn(4, dimensions)
    got = log_kernel(x, other, torch.tensor(length_scale))
    expected = [
        [
            -sum((p - q) ** 2 for p, q in zip(a, b, strict=True)) / (2 * length_scale**2)
            for b in other.tolist()
        ]
        for a in x.tolist()
    ]
    torch.testing.assert_close(
        got.double(), torch.tensor(expected, dtype=torch.float64), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("length_scale", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("dimensions", [1, 2, 5])
def test_weights_equal_the_double_loop(length_scale: float, dimensions: int) -> None:
    x = torch.randn(17, dimensions)
    got = leave_one_out_weights(x, torch.tensor(length_scale))
    expected = torch.tensor(loop_weights(x.tolist(), length_scale), dtype=torch.float64)
    torch.testing.assert_close(got.double(), expected, rtol=2e-5, atol=1e-7)


def test_weights_are_a_convex_combination_of_the_others() -> None:
    weights = leave_one_out_weights(3 * torch.randn(128, 2), torch.tensor(0.7))
    assert torch.equal(weights.diagonal(), torch.zeros(128))
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(1), torch.ones(128), rtol=0, atol=1e-6)


def test_two_points_have_only_each_other() -> None:
    weights = leave_one_out_weights(torch.tensor([[0.0, 0.0], [50.0, -9.0]]), torch.tensor(0.1))
    assert weights.tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_weights_follow_the_points_when_they_are_permuted() -> None:
    x, order = torch.randn(12, 2), torch.randperm(12)
    weights = leave_one_out_weights(x, torch.tensor(1.0))
    permuted = leave_one_out_weights(x[order], torch.tensor(1.0))
    torch.testing.assert_close(permuted, weights[order][:, order])


def test_where_every_kernel_value_underflows_the_nearest_neighbour_gets_the_weight() -> None:
    x = torch.tensor([[0.0, 0.0], [1000.0, 0.0], [1900.0, 0.0], [2700.0, 0.0]])
    naive = (-(torch.cdist(x.double(), x.double()) ** 2) / 2).exp().fill_diagonal_(0).sum(1)
    assert (naive == 0).all()  # the row sums that a division would meet, even in float64
    weights = leave_one_out_weights(x, torch.tensor(1.0))
    assert weights.tolist() == [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 1, 0]]


PLACES = {
    "all at one place": torch.zeros(8, 2),
    "pairs at one place": torch.tensor([[0.0, 0.0], [0.3, 1.0], [-2.0, 0.5]]).repeat(2, 1),
    "one far away": torch.cat([torch.eye(7, 2), torch.full((1, 2), 1e4)]),
    "all far away": 1e6 * torch.arange(16.0).reshape(8, 2),
    "two heaps": torch.cat([torch.zeros(4, 2), torch.full((4, 2), 1e3)]),
}


@pytest.mark.parametrize("place", PLACES)
def test_weights_and_gradients_are_finite(place: str) -> None:
    x = PLACES[place].clone().requires_grad_()
    length_scale = torch.tensor(1.0, requires_grad=True)
    weights = leave_one_out_weights(x, length_scale)
    (weights @ torch.randn(len(x), 3)).square().sum().backward()
    assert torch.isfinite(weights).all()
    torch.testing.assert_close(weights.sum(1), torch.ones(len(x)))
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    assert length_scale.grad is not None
    assert torch.isfinite(length_scale.grad)


def test_close_points_far_from_the_origin_keep_their_distances() -> None:
    # |a|^2 + |b|^2 - 2 ab would have no correct digit left here; the coordinates are exact in float32
    x = torch.randint(-32, 32, (40, 2)) / 64
    far = x + 1024
    expected = torch.tensor(loop_weights(x.tolist(), 0.5), dtype=torch.float64)
    torch.testing.assert_close(
        leave_one_out_weights(far, torch.tensor(0.5)).double(), expected, rtol=1e-5, atol=1e-7
    )


def test_coincident_points_share_the_weight_evenly() -> None:
    weights = leave_one_out_weights(torch.ones(5, 2), torch.tensor(1.0))
    torch.testing.assert_close(weights, (torch.ones(5, 5) - torch.eye(5)) / 4)


@pytest.mark.parametrize("length_scale", [0.3, 4.0])
def test_the_module_gives_the_weights_of_its_length_scale(length_scale: float) -> None:
    kernel, x = Kernel(length_scale), torch.randn(17, 2)
    assert [name for name, _ in kernel.named_parameters()] == ["log_length_scale"]
    assert kernel.log_length_scale.item() == pytest.approx(math.log(length_scale))
    expected = torch.tensor(loop_weights(x.tolist(), length_scale), dtype=torch.float64)
    torch.testing.assert_close(kernel.weights(x).double(), expected, rtol=2e-5, atol=1e-7)
