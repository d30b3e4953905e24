"""Calibration of the Gaussian process on X, against a process made by hand."""

import pytest
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.metrics import r2_score

from npvae.data.images import random_subset
from npvae.measures.calibration import calibration
from npvae.model.vae import NonparametricVAE, build
from npvae.settings import Network, Objective


def images_of(count: int, seed: int) -> torch.Tensor:
    noise = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, 784), generator=noise, dtype=torch.uint8)


@pytest.mark.parametrize("divergence", ["predictive", "joint"])
def test_coverage_and_r2_are_those_of_scikit_learns_process(divergence: str, tiny: Network) -> None:
    train, test = images_of(90, 0), images_of(40, 1)
    objective = Objective(divergence=divergence, kernel_noise=0.02)  # type: ignore[arg-type]
    model = build("npvae", 1, tiny, objective, seed=0).eval()
    assert isinstance(model, NonparametricVAE)
    found = calibration(model, train, test, reference=30, seed=5)
    known = train[random_subset(90, 30, seed=5)]
    with torch.no_grad():
        x, queries = model.embed(known).numpy(), model.embed(test).numpy()
        z, mu = (model.encode(images)[0].numpy() for images in (known, test))
    noise, length_scale = model.kernel.noise.item(), model.length_scale.item()  # type: ignore[operator]
    covariance = ConstantKernel(1.0) * RBF(length_scale) + WhiteKernel(noise)
    process = GaussianProcessRegressor(covariance, alpha=0, optimizer=None).fit(x, z)
    mean, deviation = process.predict(queries, return_std=True)
    covered = abs(mu[:, 0] - mean) <= 1.96 * deviation
    assert found["z_coverage"] == pytest.approx(covered.mean())
    assert found["match_r2_process"] == pytest.approx(r2_score(mu[:, 0], mean), abs=1e-5)


@pytest.mark.parametrize("name", ["vae", "npvae"])
def test_a_model_without_a_process_has_none(name: str, tiny: Network) -> None:
    model = build(name, 2, tiny, seed=0).eval()  # type: ignore[arg-type]
    assert calibration(model, images_of(9, 0), images_of(5, 1)) == {}
