"""The widths that leave-one-out prediction chooses, against a search by brute force."""

import math

import numpy as np
import pytest
import torch
from sklearn.neighbors import KernelDensity

from npvae.latent.bandwidth import density_width, leave_one_out_length_scale


def test_the_length_scale_has_the_least_leave_one_out_error() -> None:
    x = torch.rand(300, 2) * 6
    z = torch.stack([x[:, 0].sin(), (x[:, 1] * 2).cos()], 1) + 0.1 * torch.randn(300, 2)
    found = float(leave_one_out_length_scale(x, z, start=torch.tensor(1.0)))

    def error(scale: float) -> float:
        squared = (x[:, None].double() - x.double()).square().sum(-1)
        kernel = (squared / (-2 * scale**2)).exp().fill_diagonal_(0)
        predicted = kernel @ z.double() / kernel.sum(1, keepdim=True)
        return float((z.double() - predicted).square().sum(-1).mean())

    scales = np.geomspace(0.1, 2, 200)
    best = scales[np.argmin([error(scale) for scale in scales])]
    assert found == pytest.approx(best, rel=0.04)


def test_it_does_not_depend_on_where_the_search_starts_nor_on_the_unit_of_x() -> None:
    x, noise = torch.rand(200, 2), 0.05 * torch.randn(200, 1)
    z = (5 * x).sin().sum(1, keepdim=True) + noise
    first = float(leave_one_out_length_scale(x, z, start=torch.tensor(0.2)))
    assert float(leave_one_out_length_scale(x, z, start=torch.tensor(1.0))) == pytest.approx(first, rel=0.05)
    scaled = leave_one_out_length_scale(100 * x, z, start=torch.tensor(20.0))
    assert float(scaled) == pytest.approx(100 * first, rel=0.05)


@pytest.mark.parametrize("dimensions", [1, 2, 12])
def test_the_density_has_the_greatest_leave_one_out_likelihood(dimensions: int) -> None:
    points = torch.randn(80, dimensions) * torch.linspace(0.5, 2, dimensions)
    found = density_width(points)

    def likelihood(width: float) -> float:
        each = []
        for i in range(len(points)):
            others = np.delete(points.numpy(), i, 0)
            density = KernelDensity(bandwidth=width).fit(others)
            each.append(density.score_samples(points[i : i + 1].numpy())[0])
        return float(np.mean(each))

    assert likelihood(found) >= max(likelihood(found * math.exp(step)) for step in (-0.1, 0.1))
