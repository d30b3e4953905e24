"""Seeds side by side, against the same seeds one by one."""

import math

import pytest
import torch
from torch import Tensor

from npvae.errors import NpvaeError
from npvae.model import VAE, Network, build
from npvae.objective import loss, terms
from npvae.optimiser import MasterAdam
from npvae.stacked import fit_stacked, stack, unstack
from npvae.train import fit


def models(name: str, seeds: int = 3, **options: float) -> list[VAE]:
    return [
        build(name, 4, Network(hidden_units=16, dropout=0), seed=seed, **options) for seed in range(seeds)
    ]


@pytest.mark.parametrize("name", ["vae", "npvae"])
def test_a_stack_computes_what_its_models_compute(name: str) -> None:
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
        build("npvae", 4, Network(hidden_units=16, dropout=0), seed=0, initial_length_scale=scale)
        for scale in (0.3, 3.0)
    ]
    y, noise = torch.rand(10, 784), torch.randn(10, 4)
    together = terms(stack(each), torch.stack([y, y]), torch.stack([noise, noise]))
    for index, model in enumerate(each):
        torch.testing.assert_close(together.match[index], terms(model, y, noise).match, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(together.match[0], together.match[1])


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_steps_move_a_stack_as_they_move_its_models(precision: str) -> None:
    each, before = models("npvae"), models("npvae")
    stacked = stack(each)
    together = MasterAdam(stacked, precision=precision, learning_rate=1e-3)
    alone = [MasterAdam(model, precision=precision, learning_rate=1e-3) for model in each]
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
    images, network, options = torch.rand(22, 784), Network(hidden_units=4), {"epochs": 2, "batch_size": 5}
    alone = {}
    for seed in (3, 7):
        recorder = Recorder(2, network)
        fit(recorder, images, seed=seed, **options)
        alone[seed] = torch.stack(recorder.batches)
    shown = []
    encode = VAE.encode
    monkeypatch.setattr(VAE, "encode", lambda self, y: (shown.append(y), encode(self, y))[1])
    fit_stacked({seed: VAE(2, network) for seed in (3, 7)}, images, **options)
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
        epochs=30,
        batch_size=8,
        learning_rate=0.01,
        drop_last=drop_last,
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
        fit_stacked(pair, torch.rand(20, 784), epochs=3, batch_size=5)
