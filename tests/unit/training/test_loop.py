"""Training: repeatable, counted, stopped when it diverges, and recorded truthfully."""

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook

from npvae.errors import NpvaeError
from npvae.model.kernel import Kernel
from npvae.model.vae import VAE, NonparametricVAE, build
from npvae.settings import ModelName, Network, Objective, Precision, Training
from npvae.training.history import Epoch
from npvae.training.loop import fit

FROZEN = 1e-30  # a learning rate too small to change any weight


@pytest.fixture
def steps() -> Iterator[Callable[[], int]]:
    """Counts the optimiser's steps."""
    count = 0

    def add(*_: object) -> None:
        nonlocal count
        count += 1

    hook = register_optimizer_step_post_hook(add)
    yield lambda: count
    hook.remove()


def training(**options: Any) -> Training:
    """In float32 on any machine, so that it can be held against arithmetic."""
    return Training(**{"precision": "float32"} | options)


class Recorder(NonparametricVAE):
    """Keeps every training batch and what the encoders made of it."""

    def __init__(self, z_dim: int, network: Network, **options: Any) -> None:
        super().__init__(z_dim, network, **options)
        self.batches: list[Tensor] = []
        self.means: list[Tensor] = []
        self.sigmas: list[Tensor] = []
        self.places: list[Tensor] = []

    def encode(self, y: Tensor) -> tuple[Tensor, Tensor]:
        mu, sigma = super().encode(y)
        self.batches.append(y)
        self.means.append(mu.detach().double())
        self.sigmas.append(sigma.detach().double())
        return mu, sigma

    def embed(self, y: Tensor) -> Tensor:
        x = super().embed(y)
        self.places.append(x.detach().double())
        return x


def state(model: VAE) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


def two_kinds(count: int, pixels: int = 40) -> Tensor:
    """Two complementary binary images, alternating."""
    pattern = (torch.arange(pixels) % 3 == 0).float()
    return torch.stack([pattern, 1 - pattern]).repeat(count // 2, 1)


SCRIPT = """
import hashlib, torch
torch.set_num_threads(1)
from npvae.model.vae import build
from npvae.settings import Network, Training
from npvae.training.loop import fit
images = torch.rand(150, 784, generator=torch.Generator().manual_seed(9))
for name, precision in (("vae", "float32"), ("npvae", "float32"), ("npvae", "bfloat16")):
    model = build(name, 3, Network(hidden_units=24, dropout=0.2), seed=5)
    history = fit(model, images, Training(epochs=2, batch_size=32, precision=precision), seed=5)
    weights = b"".join(tensor.numpy().tobytes() for tensor in model.state_dict().values())
    print(name, hashlib.sha256(weights).hexdigest(), history)
"""


def test_a_seed_gives_the_same_bits_in_another_process() -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT],
            env=os.environ | {"PYTHONHASHSEED": str(index)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in (1, 2)
    ]
    first, second = (process.communicate(timeout=120) for process in processes)
    assert all(process.returncode == 0 for process in processes), first[1] + second[1]
    assert len(first[0].splitlines()) == 3
    assert first[0] == second[0]


@pytest.mark.parametrize("name", ["vae", "npvae"])
def test_a_seed_fixes_the_training_whatever_happened_before(name: ModelName) -> None:
    images, results = torch.rand(40, 784), []
    for seed, disturbance in ((0, 0), (0, 17), (1, 0)):
        model = build(
            name, 2, Network(hidden_units=8), seed=0
        )  # the same start, so that only fit's seed differs
        torch.rand(disturbance)
        fit(model, images, training(epochs=1, batch_size=10), seed=seed)
        results.append(state(model))
    assert same(results[0], results[1])
    assert not same(results[0], results[2])


def test_with_the_same_seed_both_models_see_the_same_batches(tiny: Network) -> None:
    class Plain(VAE):
        def encode(self, y: Tensor) -> tuple[Tensor, Tensor]:
            batches.append(y)
            return super().encode(y)

    batches: list[Tensor] = []
    images, recorder = torch.rand(20, 784), Recorder(2, Network(hidden_units=8, dropout=0.5))
    fit(recorder, images, training(epochs=2, batch_size=5), seed=3)
    fit(Plain(2, tiny), images, training(epochs=2, batch_size=5), seed=3)
    assert len(batches) == 8
    assert all(torch.equal(a, b) for a, b in zip(batches, recorder.batches, strict=True))


def test_an_epoch_shows_every_image_once_and_in_a_new_order(tiny: Network) -> None:
    images = torch.arange(24.0)[:, None].expand(24, 4) / 24
    orders = []
    for seed in (0, 1):
        model = Recorder(2, tiny, pixels=4)
        fit(model, images, training(epochs=2, batch_size=8), seed=seed)
        shown = (torch.cat(model.batches)[:, 0] * 24).round().int().tolist()
        orders += [shown[:24], shown[24:]]
    assert all(sorted(order) == list(range(24)) for order in orders)
    assert len({tuple(order) for order in [*orders, range(24)]}) == 5


def test_different_images_are_left_out_in_different_epochs(tiny: Network) -> None:
    images = torch.arange(11.0)[:, None].expand(11, 4) / 11
    model = Recorder(2, tiny, pixels=4)
    fit(model, images, training(epochs=12, batch_size=5), seed=0)
    left_out = []
    for epoch in range(12):
        shown = (torch.cat(model.batches[2 * epoch : 2 * epoch + 2])[:, 0] * 11).round().int().tolist()
        left_out += set(range(11)) - set(shown)
    assert len(left_out) == 12
    assert len(set(left_out)) > 3


@pytest.mark.parametrize(
    ("images", "batch_size", "drop_last", "expected"),
    [
        (12, 4, True, [4, 4, 4]),
        (12, 4, False, [4, 4, 4]),
        (14, 4, True, [4, 4, 4]),
        (14, 4, False, [4, 4, 4, 2]),
        (13, 4, True, [4, 4, 4]),
        (13, 4, False, [4, 4, 4]),  # alone, an image has no neighbour
        (3, 4, False, [3]),
        (4, 4, True, [4]),
    ],
)
@pytest.mark.parametrize("epochs", [1, 3])
def test_steps(
    images: int,
    batch_size: int,
    drop_last: bool,
    expected: list[int],
    epochs: int,
    tiny: Network,
    steps: Callable[[], int],
) -> None:
    model = Recorder(2, tiny, pixels=6)
    options = training(epochs=epochs, batch_size=batch_size, drop_last=drop_last)
    history = fit(model, torch.rand(images, 6), options, seed=0)
    assert [len(batch) for batch in model.batches] == expected * epochs
    assert steps() == len(expected) * epochs
    assert [record.epoch for record in history] == list(range(1, epochs + 1))


@pytest.mark.parametrize("name", ["vae", "npvae"])
def test_the_loss_decreases_to_what_two_kinds_of_image_need(name: ModelName, tiny: Network) -> None:
    model = (VAE if name == "vae" else NonparametricVAE)(2, tiny, pixels=40)
    history = fit(model, two_kinds(256), training(epochs=25, batch_size=32, learning_rate=0.01), seed=0)
    first, last = (
        record.reconstruction + record.kl + (record.match or 0) for record in (history[0], history[-1])
    )
    assert last < first
    # 40 pixels that are on half of the time cost 40 ln 2 = 27.7 nats to a model that cannot tell the two
    # kinds apart; to know which of the two it is takes ln 2
    assert np.log(2) < history[-1].reconstruction + history[-1].kl < 0.25 * 40 * np.log(2)


def test_training_moves_every_parameter_and_ends_in_evaluation_mode() -> None:
    model = build("npvae", 2, Network(hidden_units=8), seed=0)
    before = state(model)
    fit(model, torch.rand(40, 784), training(epochs=1, batch_size=10), seed=0)
    assert not any(torch.equal(before[name], after) for name, after in model.state_dict().items())
    assert not any(module.training for module in model.modules())


def test_training_is_done_with_dropout() -> None:
    modes = []

    class Watched(VAE):
        def decode(self, z: Tensor) -> Tensor:
            modes.append(self.decoder.training)
            return super().decode(z)

    model = Watched(2, Network(hidden_units=8, dropout=0.5)).eval()
    fit(model, torch.rand(8, 784), training(epochs=2, batch_size=4), seed=0)
    assert modes == [True] * 4


def test_a_first_step_is_adams(tiny: Network) -> None:
    # Adam's first step is the learning rate times the gradient's sign, whatever the gradient's size
    model = VAE(2, tiny, pixels=12)
    before = state(model)
    fit(model, torch.rand(8, 12), training(epochs=1, batch_size=8, learning_rate=1e-3), seed=0)
    moved = torch.cat([(model.state_dict()[name] - before[name]).flatten() for name in before])
    assert moved.abs().max().item() == pytest.approx(1e-3, rel=1e-3)
    assert moved.abs().median().item() == pytest.approx(1e-3, rel=1e-3)


def test_without_weight_the_match_trains_nothing_and_the_vae_is_the_plain_one() -> None:
    images = torch.rand(40, 784)
    network = Network(hidden_units=8, dropout=0)
    vae, free, tied = (build(name, 2, network, seed=0) for name in ("vae", "npvae", "npvae"))
    before = state(free)
    for model, weight in ((vae, 1), (free, 0), (tied, 10)):
        fit(model, images, training(epochs=1, batch_size=10), Objective(match_weight=weight), seed=0)
    for name, weight in state(
        vae
    ).items():  # Adam's vectors end elsewhere, which may round one weight otherwise
        torch.testing.assert_close(state(free)[name], weight, rtol=1e-6, atol=1e-8)
    assert torch.equal(before["x_encoder.0.weight"], free.state_dict()["x_encoder.0.weight"])
    assert not same(state(vae), state(tied))


def test_the_choice_of_gradient_reaches_the_training(tiny: Network) -> None:
    images, results = torch.rand(20, 784), []
    for gradient in ("all", "all", "own", "x"):
        model = build("npvae", 2, tiny, seed=0)
        objective = Objective(match_gradient=gradient)
        fit(model, images, training(epochs=1, batch_size=10), objective, seed=0)
        results.append(state(model))
    assert same(results[0], results[1])
    assert not any(same(a, b) for a, b in itertools.combinations(results[1:], 2))


def test_with_the_gradient_on_x_the_vae_is_that_of_no_match_and_x_learns(tiny: Network) -> None:
    images = torch.rand(40, 784)
    free, on_x, on_all = (build("npvae", 2, tiny, seed=0) for _ in range(3))
    before = state(on_x)
    for model, objective in (
        (free, Objective(match_weight=0)),
        (on_x, Objective(match_weight=10, match_gradient="x")),
        (on_all, Objective(match_weight=10)),
    ):
        fit(model, images, training(epochs=2, batch_size=10), objective, seed=0)
    of_vae = build("vae", 2, tiny, seed=0).state_dict().keys()
    assert all(torch.equal(state(free)[name], state(on_x)[name]) for name in of_vae)
    assert not any(torch.equal(state(on_all)[name], state(on_x)[name]) for name in of_vae)
    of_x = before.keys() - of_vae - {"x_encoder.6.bias"}
    assert len(of_x) == 6
    assert not any(torch.equal(before[name], state(on_x)[name]) for name in of_x)


@pytest.mark.parametrize("value", [float("nan"), 1e38], ids=["nan", "overflow to inf"])
def test_a_loss_that_is_not_finite_stops_the_training_at_once(
    value: float, tiny: Network, steps: Callable[[], int]
) -> None:
    class Breaking(VAE):
        calls = 0

        def decode(self, z: Tensor) -> Tensor:
            self.calls += 1
            return super().decode(z) * (value if self.calls == 6 else 1)

    model, seen = Breaking(2, tiny), []
    with pytest.raises(NpvaeError) as error:  # 4 steps an epoch: the sixth is the second epoch's second
        fit(model, torch.rand(40, 784), training(epochs=3, batch_size=10), seed=11, on_epoch=seen.append)
    message = str(error.value)
    assert "epoch 2, step 2" in message
    assert "seed 11" in message
    assert "\n" not in message
    assert model.calls == 6
    assert steps() == 5
    assert len(seen) == 1
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())


@pytest.mark.parametrize("name", ["vae", "npvae"])
def test_a_learning_rate_far_too_large_is_reported_as_such(name: ModelName, tiny: Network) -> None:
    with pytest.raises(NpvaeError, match=r"epoch \d+, step \d+.*train\.learning_rate"):
        fit(
            build(name, 2, tiny, seed=0),
            torch.rand(40, 784),
            training(epochs=5, batch_size=10, learning_rate=1e25),
            seed=0,
        )


def test_each_epoch_is_reported_as_it_ends(tiny: Network, steps: Callable[[], int]) -> None:
    seen: list[tuple[Epoch, int]] = []
    history = fit(
        build("vae", 2, tiny, seed=0),
        torch.rand(20, 784),
        training(epochs=3, batch_size=5),
        seed=4,
        on_epoch=lambda record: seen.append((record, steps())),
    )
    assert [record for record, _ in seen] == history
    assert [count for _, count in seen] == [4, 8, 12]
    assert {record.seed for record in history} == {4}


def test_a_plain_vae_has_no_match_to_record(tiny: Network) -> None:
    (record,) = fit(
        build("vae", 2, tiny, seed=0), torch.rand(8, 784), training(epochs=1, batch_size=4), seed=0
    )
    assert (record.match, record.match_r2, record.length_scale) == (None, None, None)


@pytest.mark.parametrize(
    ("count", "batch_size", "drop_last"), [(64, 64, True), (64, 16, True), (60, 16, False)]
)
def test_the_record_equals_sums_by_hand(count: int, batch_size: int, drop_last: bool, tiny: Network) -> None:
    model = Recorder(3, tiny, kernel=Kernel(0.7))
    before = state(model)
    (record,) = fit(
        model,
        torch.rand(count, 784).round(),
        training(epochs=1, batch_size=batch_size, drop_last=drop_last, learning_rate=FROZEN),
        seed=0,
    )
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=1e-25)
    residuals = []
    for mu, x in zip(model.means, model.places, strict=True):
        kernel = torch.exp(-((x[:, None] - x[None]) ** 2).sum(-1) / (2 * 0.7**2)).fill_diagonal_(0)
        residuals.append(mu - kernel / kernel.sum(1, keepdim=True) @ mu)
    residual, mu, sigma = torch.cat(residuals), torch.cat(model.means), torch.cat(model.sigmas)
    assert len(mu) == count
    unexplained, spread = (residual**2).sum(), ((mu - mu.mean(0)) ** 2).sum()
    assert record.match == pytest.approx((unexplained / count).item(), rel=1e-4)
    assert record.match_r2 == pytest.approx((1 - unexplained / spread).item(), abs=1e-4)
    assert record.kl == pytest.approx(
        ((mu**2 + sigma**2 - 1).sum(1) / 2 - sigma.log().sum(1)).mean().item(), rel=1e-4
    )
    assert record.length_scale == pytest.approx(0.7)


def test_each_record_is_of_its_own_epoch(tiny: Network) -> None:
    model = Recorder(3, tiny)
    history = fit(model, torch.rand(40, 784), training(epochs=3, batch_size=10, learning_rate=0.01), seed=0)
    for index, record in enumerate(history):
        epoch = slice(4 * index, 4 * index + 4)
        mu, sigma = torch.cat(model.means[epoch]), torch.cat(model.sigmas[epoch])
        kl = (mu**2 + sigma**2 - 1).sum(1) / 2 - sigma.log().sum(1)
        assert record.kl == pytest.approx(kl.mean().item(), rel=1e-4)
    assert history[-1].length_scale == pytest.approx(model.length_scale.item())
    assert len({record.length_scale for record in history}) == 3


def test_the_recorded_reconstruction_is_an_average_over_images_in_nats(tiny: Network) -> None:
    class Constant(VAE):
        def decode(self, z: Tensor) -> Tensor:  # p = 1 / (1 + e^-2) everywhere
            return super().decode(z) * 0 + 2

    images = torch.zeros(10, 784)
    images[:3] = 1
    (record,) = fit(Constant(2, tiny), images, training(epochs=1, batch_size=4, drop_last=False), seed=0)
    on, off = np.log1p(np.exp(-2)), np.log1p(np.exp(2))
    assert record.reconstruction == pytest.approx(784 * (3 * on + 7 * off) / 10, rel=1e-5)


def test_units_are_active_above_a_variance_of_a_hundredth(tiny: Network) -> None:
    class Known(VAE):
        def encode(self, y: Tensor) -> tuple[Tensor, Tensor]:
            return (2 * y[:, :5] - 1) * scale + 3, torch.ones(len(y), 5)

    # means of 3 +- sqrt(v) have the variance v
    scale = torch.tensor([0.0, 0.0097, 0.0103, 0.04, 4.0]).sqrt()
    images = torch.tensor([[1.0], [0.0]]).repeat(16, 6)
    (record,) = fit(Known(5, tiny, pixels=6), images, training(epochs=1, batch_size=8), seed=0)
    assert record.active_units == 3


def test_the_defaults_are_20_epochs_of_whole_batches_of_128(tiny: Network) -> None:
    shown = []

    class Watched(VAE):
        def decode(self, z: Tensor) -> Tensor:
            shown.append(len(z))
            return super().decode(z)

    history = fit(Watched(2, tiny), torch.rand(300, 784), seed=0)
    assert len(history) == 20
    assert shown == [128, 128] * 20


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_torchs_random_state_stays_as_it_is(precision: Precision) -> None:
    model, images = build("npvae", 2, Network(hidden_units=8, dropout=0.5), seed=0), torch.rand(40, 784)
    before = torch.get_rng_state()
    fit(model, images, training(epochs=2, batch_size=10, precision=precision), seed=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_torchs_random_state_stays_even_where_a_training_is_stopped(tiny: Network) -> None:
    images = torch.rand(40, 784)
    before = torch.get_rng_state()
    with pytest.raises(NpvaeError, match="epoch"):
        fit(build("vae", 2, tiny, seed=0), images, training(batch_size=10, learning_rate=1e25), seed=0)
    assert torch.equal(torch.get_rng_state(), before)


def trained(images: Tensor, precision: Precision) -> tuple[dict[str, Tensor], list[Epoch]]:
    model = build("npvae", 2, Network(hidden_units=8, dropout=0.2), seed=0)
    history = fit(model, images, training(epochs=2, batch_size=10, precision=precision), seed=0)
    return state(model), history


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_bits_bytes_and_floats_of_the_same_content_train_alike(precision: Precision) -> None:
    bits = torch.rand(40, 784) < 0.3
    expected = trained(bits.float(), precision)
    for images in (bits, bits.to(torch.uint8) * 255):
        weights, history = trained(images, precision)
        assert same(weights, expected[0])
        assert history == expected[1]
    grey = torch.randint(256, (40, 784), dtype=torch.uint8)
    weights, history = trained(grey, precision)
    expected = trained(torch.from_numpy(grey.numpy() / np.float32(255)), precision)
    assert same(weights, expected[0])
    assert history == expected[1]


def spoilt(value: float) -> Tensor:
    images = torch.rand(40, 784)
    images[39, 783] = value
    return images


@pytest.mark.parametrize(
    "images",
    [
        torch.randint(256, (40, 784)),
        torch.randint(2, (40, 784), dtype=torch.int32),
        spoilt(255.0),
        spoilt(1.001),
        spoilt(-0.001),
        spoilt(float("nan")),
        spoilt(float("inf")),
    ],
    ids=["int64", "int32", "to 255", "above one", "below zero", "nan", "inf"],
)
def test_images_that_are_no_grey_values_are_refused_before_the_first_step(
    images: Tensor, tiny: Network, steps: Callable[[], int]
) -> None:
    model = build("vae", 2, tiny, seed=0)
    before = state(model)
    with pytest.raises(NpvaeError, match="images"):
        fit(model, images, training(epochs=1, batch_size=10), seed=0)
    assert steps() == 0
    assert same(state(model), before)


@pytest.mark.parametrize(("images", "batch_size"), [(0, 4), (1, 4), (3, 4), (5, 128)])
def test_images_that_make_no_whole_batch_are_refused(images: int, batch_size: int, tiny: Network) -> None:
    with pytest.raises(NpvaeError, match=rf"train\.batch_size is {batch_size}, of {images} images"):
        fit(build("vae", 2, tiny, seed=0), torch.rand(images, 784), training(batch_size=batch_size), seed=0)
