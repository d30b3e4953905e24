"""Drop-out against the rate, scale and independence it promises."""

import math

import pytest
import torch

from npvae.model.dropout import Dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_units_are_dropped_at_the_rate_asked_and_the_rest_scaled(p: float) -> None:
    dropped = Dropout(p).train()(torch.ones(200, 500))
    error = math.sqrt(p * (1 - p) / dropped.numel())
    assert (dropped == 0).double().mean().item() == pytest.approx(p, abs=5 * error)
    torch.testing.assert_close(dropped[dropped != 0].unique(), torch.tensor([1 / (1 - p)]))


def test_units_are_dropped_independently() -> None:
    # four neighbouring units share one random integer
    dropped = (Dropout(0.5).train()(torch.ones(4000, 8)) == 0).double()
    correlation = torch.corrcoef(dropped.T) - torch.eye(8)
    assert correlation.abs().max().item() < 5 / math.sqrt(4000)


def test_masks_differ_from_call_to_call_and_follow_the_seed() -> None:
    layer, ones = Dropout(0.5).train(), torch.ones(10, 10)
    torch.manual_seed(0)
    first, second = layer(ones), layer(ones)
    torch.manual_seed(0)
    assert torch.equal(layer(ones), first)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("shape", [(3,), (5, 7), (2, 3, 5)])  # not multiples of four
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_gradient_takes_the_same_way_as_the_value(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    ones = torch.ones(shape, dtype=dtype, requires_grad=True)
    dropped = Dropout(0.5).train()(ones)
    dropped.sum().backward()
    assert dropped.dtype == dtype
    assert torch.equal(ones.grad, dropped.detach())


def test_nothing_is_dropped_in_evaluation_or_at_rate_zero() -> None:
    ones = torch.ones(100)
    assert torch.equal(Dropout(0.9).eval()(ones), ones)
    assert torch.equal(Dropout(0.0).train()(ones), ones)
