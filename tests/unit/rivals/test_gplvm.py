"""The GP-LVM's bound and predictions against exact Gaussian processes, and a fit of toy images."""

import math
from collections.abc import Callable

import pytest
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel
from torch import Tensor
from torch.distributions import Independent, MultivariateNormal, Normal

from npvae.errors import NpvaeError
from npvae.rivals.gplvm import Components, FittedEpoch, Fitting, Processes, build, fit
from npvae.settings import Network

PIXELS = 12
SMALL = Fitting(components=4, inducing_points=10, epochs=30, batch_size=32, encoder_rate=0.01)
LENGTH_SCALE, VARIANCE, NOISE = 0.8, 1.7, 0.3


def images(count: int = 192, kinds: int = 4) -> Tensor:
    """Noisy images of a few kinds, uint8."""
    kind = torch.rand(kinds, PIXELS)[torch.arange(count) % kinds]
    return (255 * (kind + 0.1 * torch.rand(count, PIXELS)) / 1.1).to(torch.uint8)


def processes(inducing: Tensor, outputs: int) -> Processes:
    """With hyperparameters that stay as they are."""
    found = Processes(inducing, outputs)
    for parameter, value in (
        (found.log_length_scale, LENGTH_SCALE),
        (found.log_variance, VARIANCE),
        (found.log_noise, NOISE),
    ):
        parameter.data.fill_(math.log(value))
    return found


def optimised(found: Processes, x: Tensor, y: Tensor) -> float:
    """q(u) made the best there is; returns the bound of all points together."""
    newton = torch.optim.LBFGS([found.means, found.root], max_iter=500, tolerance_grad=1e-10)

    def value() -> Tensor:
        newton.zero_grad()
        bound = found.negative_bound(x, y, len(x))
        bound.backward()
        return bound

    for _ in range(5):
        newton.step(value)
    return len(x) * float(found.negative_bound(x, y, len(x)).detach())


def toy(count: int = 15) -> tuple[Tensor, Tensor]:
    x = torch.randn(count, 2, dtype=torch.float64)
    return x, torch.stack([x[:, 0].sin(), x[:, 1] ** 2, x.sum(1)], 1) + 0.1 * torch.randn(count, 3)


def test_with_the_data_as_inducing_points_it_is_the_exact_process() -> None:
    x, y = toy()
    found = processes(x, 3)
    bound = optimised(found, x, y)
    exact = GaussianProcessRegressor(
        ConstantKernel(VARIANCE) * RBF(LENGTH_SCALE), alpha=NOISE, optimizer=None
    )
    exact.fit(x.numpy(), y.numpy())
    assert bound == pytest.approx(-exact.log_marginal_likelihood_value_, abs=1e-3)
    queries = torch.randn(40, 2, dtype=torch.float64)
    wanted = torch.from_numpy(exact.predict(queries.numpy()))
    torch.testing.assert_close(found.predict(queries).detach(), wanted, rtol=0, atol=1e-3)


def test_with_fewer_it_is_a_bound() -> None:
    """The best one for these inducing points, Titsias's (2009), written down with dense matrices."""
    x, y = toy()
    found = processes(x[:4], 3)
    bound = optimised(found, x, y)

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return VARIANCE * (torch.cdist(a, b).square() / (-2 * LENGTH_SCALE**2)).exp()

    low_rank = kernel(x, x[:4]) @ kernel(x[:4], x[:4]).inverse() @ kernel(x[:4], x)
    noise = NOISE * torch.eye(len(x), dtype=torch.float64)
    seen = MultivariateNormal(torch.zeros(len(x), dtype=torch.float64), low_rank + noise).log_prob(y.T).sum()
    lost = 3 * (kernel(x, x) - low_rank).trace() / (2 * NOISE)
    assert bound == pytest.approx(float(lost - seen), abs=1e-3)


def test_the_bound_is_that_of_samples_and_of_torchs_divergence() -> None:
    """For any q(u), not only for the best, and of a batch of what there is."""
    x, y = toy()
    found = processes(x[:4], 3)
    torch.nn.init.normal_(found.means)
    with torch.no_grad():
        found.root += 0.3 * torch.randn(4, 4)
    root = found.root.detach().tril()
    q = MultivariateNormal(found.means.detach().T, scale_tril=root * root.diagonal().sign())
    p = MultivariateNormal(torch.zeros(4, dtype=torch.float64), torch.eye(4, dtype=torch.float64))
    weights = found._interpolation(x).detach()
    spread = (VARIANCE - weights.square().sum(0)).clamp_min(0).sqrt()
    values = q.sample((100_000,)) @ weights
    values = values + spread * torch.randn_like(values)
    expected = Independent(Normal(y.T, NOISE**0.5), 1).log_prob(values).sum(-1).mean() / len(x)
    wanted = torch.distributions.kl_divergence(q, p).sum() / 50 - expected
    assert found.negative_bound(x, y, 50).item() == pytest.approx(wanted.item(), rel=0.01)


def test_components_are_of_one_scale_and_restore_what_they_hold() -> None:
    given = images()
    some, all_of_them = Components(given, 3), Components(given, 99)
    reduced = some.reduce(given)
    torch.testing.assert_close(reduced.mean(0), torch.zeros(3), rtol=0, atol=1e-4)
    assert reduced.var(0).mean().item() == pytest.approx(1, rel=1e-3)
    grey = given / 255
    torch.testing.assert_close(all_of_them.restore(all_of_them.reduce(given)), grey, rtol=0, atol=1e-4)
    left = (some.restore(reduced) - grey).square().sum()
    singular = torch.linalg.svdvals(grey - grey.mean(0))
    assert left <= singular[3:].square().sum() * 1.0001  # clipping to [0, 1] can only help
    assert left > 0.9 * singular[3:].square().sum()


def fitted(given: Tensor, network: Network, on_epoch: Callable[[FittedEpoch], None] | None = None):
    components = Components(given, SMALL.components)
    model = build(given, network, SMALL, seed=0)
    fit(model, given, components.reduce(given), SMALL, seed=0, on_epoch=on_epoch)
    return model, components


def test_a_fit_separates_kinds_and_decodes_them(tiny: Network) -> None:
    given, history = images(), list[FittedEpoch]()
    random = torch.get_rng_state()
    model, components = fitted(given, tiny, history.append)
    assert torch.equal(random, torch.get_rng_state())
    assert history[-1].negative_bound < history[0].negative_bound - 1
    with torch.no_grad():
        x = model.embed(given)
        decoded = components.restore(model.processes.predict(x).float())
    middles = torch.stack([x[kind::4].mean(0) for kind in range(4)])
    assert (torch.cdist(x, middles).argmin(1) == torch.arange(len(x)) % 4).float().mean() > 0.95
    grey = given / 255
    assert (decoded - grey).square().mean() < 0.2 * (grey - grey.mean(0)).square().mean()


def test_the_same_seed_gives_the_same_model(tiny: Network) -> None:
    given = images()
    one, same = (fitted(given, tiny)[0].state_dict() for _ in range(2))
    assert all(torch.equal(tensor, same[name]) for name, tensor in one.items())


def test_a_bound_that_is_not_finite_ends_in_a_sentence(tiny: Network) -> None:
    given = images()
    model = build(given, tiny, SMALL, seed=0)
    with pytest.raises(NpvaeError, match="the bound is nan in epoch 1, seed 0"):
        fit(model, given, torch.full((len(given), 4), math.nan), SMALL, seed=0)
