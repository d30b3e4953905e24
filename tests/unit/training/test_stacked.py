"""Seeds side by side, against the same seeds one by one."""

import math

import pytest
import torch
from torch import Tensor

from npvae.errors import NpvaeError
from npvae.model.checkpoint import digest
from npvae.model.objective import loss, terms
from npvae.model.vae import VAE, build
from npvae.settings import Gradient, ModelName, Network, Objective, Training
from npvae.training.loop import fit
from npvae.training.optimiser import MasterAdam
from npvae.training.stacked import fit_stacked, stack, unstack


def models(name: ModelName, seeds: int = 3) -> list[VAE]:
    return [build(name, 4, Network(hidden_units=16, dropout=0), seed=seed) for seed in range(seeds)]


@pytest.mark.parametrize("name", ["vae", "npvae"])
def test_a_stack_computes_what_its_models_compute(name: ModelName) -> None:
    each = models(name)
    y, noise = torch.rand(3, 10, 784), torch.randn(3, 10, 4)
    together = terms(stack(each), y, noise)
    alone = [terms(*one) for one in zip(each, y, noise, strict=True)]
    for term, values in together._asdict().items():
        expected = torch.stack([getattr(one, term) for one in alone])
        torch.testing.assert_close(values, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(loss(together), torch.stack([loss(one) for one in alone]))


def test_length_scales_stay_apart() -> None:
    each = [
        build(
            "npvae",
            4,
            Network(hidden_units=16, dropout=0),
            Objective(initial_length_scale=scale),
            seed=0,
        )
        for scale in (0.3, 3.0)
    ]
    y, noise = torch.rand(10, 784), torch.randn(10, 4)
    together = terms(stack(each), torch.stack([y, y]), torch.stack([noise, noise]))
    for index, model in enumerate(each):
        torch.testing.assert_close(together.match[index], terms(model, y, noise).match, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(together.match[0], together.match[1])


@pytest.mark.parametrize("bfloat16", [True, False])
def test_steps_move_a_stack_as_they_move_its_models(bfloat16: bool) -> None:
    each, before = models("npvae"), models("npvae")
    stacked = stack(each)
    together = MasterAdam(stacked, bfloat16=bfloat16, learning_rate=1e-3)
    alone = [MasterAdam(model, bfloat16=bfloat16, learning_rate=1e-3) for model in each]
    for _ in range(5):
        y, noise = torch.rand(3, 10, 784), torch.randn(3, 10, 4)
        loss(terms(together.working, y, noise)).sum().backward()
        together.step()
        for index, optimiser in enumerate(alone):
            loss(terms(optimiser.working, y[index], noise[index])).backward()
            optimiser.step()
    learned = models("npvae")
    unstack(stacked, learned)
    for ours, theirs, start in zip(learned, each, before, strict=True):
        for name, weight in theirs.state_dict().items():
            if name == "x_encoder.6.bias":
                continue  # only differences in X count, so its gradient is nothing but rounding
            moved = (weight - start.state_dict()[name]).norm()
            assert moved > 0
            # Adam turns a rounding of a gradient near zero into a step of full size, so not weight by weight
            assert (ours.state_dict()[name] - weight).norm() < 0.05 * moved, name


class Recorder(VAE):
    """Keeps the batches it is shown."""

    def encode(self, y: Tensor) -> tuple[Tensor, Tensor]:
        self.batches: list[Tensor] = [*getattr(self, "batches", []), y]
        return super().encode(y)


def test_each_seed_sees_its_own_batches_in_its_own_order(monkeypatch: pytest.MonkeyPatch) -> None:
    images, network = torch.rand(22, 784), Network(hidden_units=4)
    options = Training(epochs=2, batch_size=5, precision="float32")
    alone = {}
    for seed in (3, 7):
        recorder = Recorder(2, network)
        fit(recorder, images, options, seed=seed)
        alone[seed] = torch.stack(recorder.batches)
    shown = []
    encode = VAE.encode
    monkeypatch.setattr(VAE, "encode", lambda self, y: (shown.append(y), encode(self, y))[1])
    fit_stacked({seed: VAE(2, network) for seed in (3, 7)}, images, options)
    together = torch.stack(shown, dim=1)
    for index, seed in enumerate((3, 7)):
        assert torch.equal(together[index], alone[seed])


@pytest.mark.parametrize("drop_last", [True, False])
def test_every_seed_of_a_stack_learns(drop_last: bool) -> None:
    images = (
        torch.arange(42)[:, None] % 2 == torch.arange(784) % 2
    ).float()  # two kinds, half of the pixels on
    models = {seed: build("npvae", 2, Network(hidden_units=8), seed=seed) for seed in (0, 1)}
    seen = []
    history = fit_stacked(
        models,
        images,
        Training(epochs=30, batch_size=8, learning_rate=0.01, drop_last=drop_last),
        on_epoch=seen.append,
    )
    assert [(one.seed, one.epoch) for one in history] == [(s, e) for s in (0, 1) for e in range(1, 31)]
    assert sorted(seen) == sorted(history)
    for seed, model in models.items():
        assert not model.training
        first, *_, last = (one for one in history if one.seed == seed)
        # not to know the kind costs 784 ln 2 = 543 nats
        assert last.reconstruction < 0.25 * 784 * math.log(2) < first.reconstruction
        assert last.length_scale == pytest.approx(model.length_scale.item())


def test_a_seed_that_diverges_is_named() -> None:
    pair = {seed: build("vae", 2, Network(hidden_units=8), seed=seed) for seed in (4, 5)}
    with torch.no_grad():
        pair[5].decoder[0].weight.fill_(float("nan"))
    with pytest.raises(NpvaeError, match=r"epoch 1.*seed 5"):
        fit_stacked(pair, torch.rand(20, 784), Training(epochs=3, batch_size=5))


def test_torchs_random_state_stays_as_it_is() -> None:
    pair = {seed: build("npvae", 2, Network(hidden_units=8), seed=seed) for seed in (4, 5)}
    images = torch.rand(20, 784)
    before = torch.get_rng_state()
    fit_stacked(pair, images, Training(epochs=1, batch_size=5))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("gradient", ["own", "x"])
def test_a_stack_is_trained_by_the_objective_that_is_asked_for(gradient: Gradient) -> None:
    # without drop-out and with one seed, the noise is the same too
    images, options = torch.rand(40, 784), Training(epochs=1, batch_size=10, precision="float32")
    objective = Objective(match_weight=3, match_gradient=gradient)
    (alone,), (stacked,), (other,) = models("npvae", 1), models("npvae", 1), models("npvae", 1)
    expected = fit(alone, images, options, objective, seed=0)
    found = fit_stacked({0: stacked}, images, options, objective)
    fit(other, images, options, seed=0)
    assert found[0].match == pytest.approx(expected[0].match, rel=1e-4)

    def distance(a: VAE, b: VAE) -> float:
        names = a.state_dict().keys() - {"x_encoder.6.bias"}  # its gradient is nothing but rounding
        moved = (a.state_dict()[name] - b.state_dict()[name] for name in names)
        return sum(one.square().sum().item() for one in moved) ** 0.5

    assert distance(stacked, alone) < 0.001 * distance(other, alone)


def test_a_stack_of_one_has_weights_that_can_be_saved() -> None:
    stacked = stack(models("npvae", seeds=1))
    digest(stacked.state_dict())
    assert all(weight.stride(-1) == 1 for weight in stacked.parameters())
