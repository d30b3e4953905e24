"""z~ against Eq. 4 in float64 and limits that are known."""

import math

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from npvae.latent.predict import predict_z


def dense_prediction(x: Tensor, reference_x: Tensor, reference_z: Tensor, length_scale: float) -> Tensor:
    """Eq. 4 over the whole reference set, one query at a time, in float64."""
    x, reference_x, reference_z = x.double(), reference_x.double(), reference_z.double()
    predictions = []
    for query in x:
        log_weights = -((query - reference_x) ** 2).sum(1) / (2 * length_scale**2)
        weights = (log_weights - log_weights.max()).exp()
        predictions.append((weights[:, None] * reference_z).sum(0) / weights.sum())
    return torch.stack(predictions)


def reference(n: int = 23, m: int = 50, dz: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    return torch.randn(n, 2), torch.randn(m, 2), torch.randn(m, dz)


@pytest.mark.parametrize("max_elements", [1, 50, 149, 2**23], ids=["row", "exactly a row", "two rows", "all"])
@pytest.mark.parametrize("length_scale", [0.05, 1.0, 20.0])
def test_prediction_equals_the_dense_formula_however_it_is_chunked(
    max_elements: int, length_scale: float
) -> None:
    x, reference_x, reference_z = reference()
    got = predict_z(x, reference_x, reference_z, torch.tensor(length_scale), max_elements=max_elements)
    expected = dense_prediction(x, reference_x, reference_z, length_scale)
    torch.testing.assert_close(got.double(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dimensions", [1, 3])
def test_prediction_uses_every_axis_of_x(dimensions: int) -> None:
    x, reference_x, reference_z = torch.randn(5, dimensions), torch.randn(9, dimensions), torch.randn(9, 2)
    got = predict_z(x, reference_x, reference_z, torch.tensor(0.8))
    torch.testing.assert_close(
        got.double(), dense_prediction(x, reference_x, reference_z, 0.8), rtol=1e-4, atol=1e-5
    )


def test_close_points_far_from_the_origin_keep_their_distances() -> None:
    # |a|^2 + |b|^2 - 2 ab would have no correct digit left here; the coordinates are exact in float32
    x, z = torch.randint(-32, 32, (40, 2)) / 64, torch.randn(40, 3)
    got = predict_z(x + 1024, x + 1024, z, torch.tensor(0.5))
    torch.testing.assert_close(got.double(), dense_prediction(x, x, z, 0.5), rtol=1e-4, atol=1e-5)


def test_prediction_at_a_reference_point_leaves_nothing_out() -> None:
    # two points at distance 3, l = 2: weights 1 / (1 + e^(-9/8)) and the rest
    x, z = torch.tensor([[0.0, 0.0], [3.0, 0.0]]), torch.tensor([[1.0], [0.0]])
    own = 1 / (1 + math.exp(-9 / 8))
    got = predict_z(x, x, z, torch.tensor(2.0))
    torch.testing.assert_close(got, torch.tensor([[own], [1 - own]]))


class Made(TorchDispatchMode):
    """Holds on to every tensor that an operation makes."""

    def __init__(self) -> None:
        super().__init__()
        self.tensors: list[Tensor] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = func(*args, **(kwargs or {}))
        self.tensors += [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        return result


@pytest.mark.parametrize(("max_elements", "bound"), [(1000, 1000), (450, 450), (100, 100), (1, 100)])
def test_prediction_keeps_its_temporaries_bounded(max_elements: int, bound: int) -> None:
    # dense would be 60 x 100; one row of it is 100, and so is the largest argument
    x, reference_x, reference_z = torch.randn(60, 1), torch.randn(100, 1), torch.randn(100, 1)
    with Made() as made:
        predict_z(x, reference_x, reference_z, torch.tensor(1.0), max_elements=max_elements)
    assert 0 < max(tensor.numel() for tensor in made.tensors) <= bound


def test_prediction_takes_no_memory_by_the_chunk() -> None:
    # small results between freed blocks keep the heap from using these again: gigabytes at Z = 500
    pieces = []
    for chunks in (3, 30):
        x, reference_x, reference_z = reference(n=chunks, m=50)
        with Made() as made:
            predict_z(x, reference_x, reference_z, torch.tensor(1.0), max_elements=50)
        pieces.append(len({tensor.untyped_storage().data_ptr() for tensor in made.tensors}))
    assert pieces[0] == pieces[1]


def test_prediction_of_no_queries_is_empty() -> None:
    _, reference_x, reference_z = reference()
    assert predict_z(torch.empty(0, 2), reference_x, reference_z, torch.tensor(1.0)).shape == (0, 3)


def test_prediction_does_not_depend_on_the_order_of_the_reference() -> None:
    x, reference_x, reference_z = reference()
    order = torch.randperm(len(reference_x))
    got = predict_z(x, reference_x[order], reference_z[order], torch.tensor(0.5))
    torch.testing.assert_close(
        got, predict_z(x, reference_x, reference_z, torch.tensor(0.5)), rtol=1e-5, atol=1e-6
    )


def test_prediction_with_a_vanishing_length_scale_is_the_nearest_neighbour() -> None:
    x, reference_x, reference_z = reference()
    nearest = [
        min(range(len(reference_x)), key=lambda j: math.dist(query, reference_x[j].tolist()))
        for query in x.tolist()
    ]
    got = predict_z(x, reference_x, reference_z, torch.tensor(1e-6))
    torch.testing.assert_close(got, reference_z[nearest])


def test_prediction_with_an_endless_length_scale_is_the_mean() -> None:
    x, reference_x, reference_z = reference()
    got = predict_z(x, reference_x, reference_z, torch.tensor(1e6))
    torch.testing.assert_close(got, reference_z.mean(0).expand(len(x), -1), rtol=1e-5, atol=1e-6)


def test_prediction_far_from_the_reference_is_finite_and_its_nearest_point() -> None:
    reference_x = torch.tensor([[0.0, 0.0], [10.0, 0.0]])
    got = predict_z(torch.tensor([[1e5, 0.0]]), reference_x, torch.tensor([[1.0], [2.0]]), torch.tensor(1.0))
    assert got.tolist() == [[2.0]]


def test_prediction_changes_none_of_its_arguments() -> None:
    given = (*reference(), torch.tensor(0.5))
    before = [tensor.clone() for tensor in given]
    predict_z(*given, max_elements=60)
    assert all(torch.equal(a, b) for a, b in zip(given, before, strict=True))
