"""X fitted afterwards: the VAE stays, X comes to predict E[z], and the match is Eq. 5's."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from npvae.errors import NpvaeError
from npvae.fitting.afterwards import fit_x, fit_x_seeds
from npvae.model.checkpoint import load_models, new_model, save_models
from npvae.model.vae import VAE, NonparametricVAE
from npvae.settings import Fitting, Network, Recipe, Training, TrainingData

PIXELS = 24


def recipe(z_dim: int = 5, *, dropout: float = 0.0, **fitting: Any) -> Recipe:
    """In float32 on any machine, so that it can be held against arithmetic."""
    return Recipe(
        model="advised",
        z_dim=z_dim,
        data=TrainingData(name="toy", image_shape=(4, 6), validation_images=0, train_images=64),
        network=Network(hidden_units=16, dropout=dropout),
        train=Training(precision="float32"),
        advised=Fitting(**{"batch_size": 64} | fitting),
    )


def fresh(made: Recipe, seed: int = 0) -> NonparametricVAE:
    model = new_model(made, seed)
    assert isinstance(model, NonparametricVAE)
    return model


def blobs(count: int = 256, kinds: int = 4) -> Tensor:
    """Noisy images of a few kinds, uint8."""
    noise = torch.Generator().manual_seed(1)
    kind = torch.rand(kinds, PIXELS, generator=noise)[torch.arange(count) % kinds]
    return (255 * (kind + 0.1 * torch.rand(count, PIXELS, generator=noise)) / 1.1).to(torch.uint8)


def states(model: VAE) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def changed(before: dict[str, Tensor], model: VAE) -> set[str]:
    """Parts of the model with a weight that moved."""
    after = model.state_dict()
    return {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}


def match_by_hand(model: NonparametricVAE, images: Tensor) -> float:
    """The mean of Eq. 5's match among all images, image by image, in float64, in the dimensions in use."""
    with torch.no_grad():
        mu, x = (t.double().numpy() for t in (model.encode(images)[0], model.embed(images)))
    mu = mu[:, mu.var(0) > 0.01]
    scale, distances = model.length_scale.item(), []
    for i in range(len(mu)):
        predicted, total = np.zeros(mu.shape[1]), 0.0
        for j in range(len(mu)):
            if i != j:
                weight = math.exp(-((x[i] - x[j]) ** 2).sum() / (2 * scale**2))
                predicted, total = predicted + weight * mu[j], total + weight
        distances.append(((mu[i] - predicted / total) ** 2).sum())
    return float(np.mean(distances))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_vae_keeps_its_bits_and_x_and_l_are_learned(precision) -> None:
    model = fresh(recipe(dropout=0.3, x_dropout=0.2))
    before = states(model)
    fit_x(model, blobs(), Fitting(epochs=2, batch_size=64), seed=0, precision=precision)
    assert changed(before, model) == {"x_encoder", "kernel"}
    assert not any(module.training for module in model.modules())
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_an_epochs_match_is_that_of_a_double_loop_over_images() -> None:
    made, images = recipe(), blobs(64)
    model = fresh(made)
    expected = match_by_hand(model, images)
    frozen = Fitting(epochs=1, batch_size=64, learning_rate=1e-30)
    [epoch] = fit_x(model, images, frozen, seed=0, precision="float32")
    assert epoch.match == pytest.approx(expected, rel=1e-4)
    variance = model.encode(images)[0].detach().double().numpy().var(axis=0)
    assert epoch.match_r2 == pytest.approx(1 - expected / variance[variance > 0.01].sum(), abs=1e-4)
    assert epoch.length_scale == pytest.approx(1.0)


def test_e_of_z_is_the_evaluation_modes_whatever_the_drop_out() -> None:
    images, frozen = blobs(64), Fitting(epochs=1, batch_size=64, learning_rate=1e-30)
    model = fresh(recipe(dropout=0.5, x_dropout=0.0)).train()
    expected = match_by_hand(fresh(recipe()), images)  # the same weights, drawn from the same seed
    [epoch] = fit_x(model, images, frozen, seed=0, precision="float32")
    assert epoch.match == pytest.approx(expected, rel=1e-4)


def test_the_x_encoder_drops_out_units_of_its_own() -> None:
    images, frozen = blobs(64), Fitting(epochs=1, batch_size=64, learning_rate=1e-30)
    plain, dropped = (
        fit_x(fresh(recipe(x_dropout=p)), images, frozen, seed=0, precision="float32")[0].match
        for p in (0.0, 0.5)
    )
    assert abs(dropped - plain) > 1e-3 * plain


def test_x_comes_to_predict_what_a_random_x_does_not() -> None:
    made, images = recipe(epochs=60, learning_rate=0.01), blobs()
    model = fresh(made)
    before = match_by_hand(model, images[:64])
    history = fit_x(model, images, made.advised, seed=0, precision="float32")
    assert [epoch.epoch for epoch in history] == list(range(1, 61))
    assert match_by_hand(model, images[:64]) < 0.6 * before
    assert history[-1].match < 0.6 * history[0].match
    assert history[-1].match_r2 > 0.8


def test_the_rate_falls_to_zero_along_a_cosine(monkeypatch) -> None:
    rates: list[float] = []
    step = torch.optim.Adam.step

    def noted(self: torch.optim.Adam, *args: Any) -> Any:
        rates.append(self.param_groups[0]["lr"])
        return step(self, *args)

    monkeypatch.setattr(torch.optim.Adam, "step", noted)
    # 4 batches of 30 among 130 images: the ragged rest is left out
    fit_x(fresh(recipe()), blobs(130), Fitting(epochs=3, batch_size=30, learning_rate=0.004), seed=0)
    expected = [0.004 * (1 + math.cos(math.pi * t / 12)) / 2 for t in range(12)]
    assert rates == pytest.approx(expected, abs=1e-9)


def test_a_seed_decides_all_and_torchs_own_state_stays() -> None:
    images, fitting = blobs(), Fitting(epochs=2, batch_size=64, x_dropout=0.2)

    def fitted(seed: int) -> tuple[list[Any], dict[str, Tensor]]:
        torch.rand(3)  # whatever was drawn before
        model = fresh(recipe(x_dropout=0.2))
        return fit_x(model, images, fitting, seed=seed, precision="float32"), states(model)

    torch.manual_seed(5)
    (first, once), (second, twice), (other, _) = fitted(0), fitted(0), fitted(1)
    drawn = torch.rand(2)
    torch.manual_seed(5)
    torch.rand(9)
    assert torch.equal(drawn, torch.rand(2))
    assert first == second
    assert all(torch.equal(once[name], twice[name]) for name in once)
    assert [epoch[2:] for epoch in first] != [epoch[2:] for epoch in other]


def test_fewer_images_than_a_batch_are_one_batch() -> None:
    [epoch] = fit_x(fresh(recipe()), blobs(20), Fitting(epochs=1, batch_size=1_024), seed=0)
    assert math.isfinite(epoch.match)


def test_no_variance_has_no_r2() -> None:
    images = blobs(2)[:1].repeat(64, 1)
    [epoch] = fit_x(fresh(recipe()), images, Fitting(epochs=1, batch_size=64), seed=0, precision="float32")
    assert epoch.match_r2 is None or epoch.match < 1e-9


def test_a_match_that_is_not_finite_ends_in_a_sentence() -> None:
    model = fresh(recipe())
    with torch.no_grad():
        model.x_encoder[0].bias.fill_(math.nan)
    reason = r"the match is nan at epoch 1, step 1, seed 3: .*smaller advised.learning_rate"
    with pytest.raises(NpvaeError, match=reason):
        fit_x(model, blobs(), Fitting(epochs=1, batch_size=64), seed=3)


def test_a_rate_that_is_too_large_is_found_out() -> None:
    wild = Fitting(epochs=3, batch_size=64, learning_rate=1e38)
    with pytest.raises(NpvaeError, match=r"at epoch \d, step \d"):
        fit_x(fresh(recipe()), blobs(), wild, seed=0, precision="float32")


def test_images_that_are_not_grey_are_refused() -> None:
    with pytest.raises(NpvaeError, match="grey values must be in"):
        fit_x(fresh(recipe()), blobs().float(), seed=0)


def test_each_seeds_own_vae_gets_an_x_and_stays(tmp_path) -> None:
    made, images = recipe(epochs=1), blobs()
    plain = {
        seed: new_model(made.model_copy(update={"model": "vae", "advised": None}), seed) for seed in (2, 7)
    }
    before = {seed: states(model) for seed, model in plain.items()}
    seen: list[Any] = []
    models, records = fit_x_seeds(made, plain, images, on_epoch=seen.append)
    assert list(models) == [2, 7]
    assert [(record.seed, record.epoch) for record in records] == [(2, 1), (7, 1)]
    assert seen == records
    save_models(tmp_path / "advised.safetensors", models, made, {"precision": "float32"})
    loaded = load_models(tmp_path / "advised.safetensors", made)
    for seed, vae in plain.items():
        assert not changed(before[seed], vae)
        assert isinstance(loaded[seed], NonparametricVAE)
        for name, tensor in before[seed].items():
            assert torch.equal(loaded[seed].state_dict()[name], tensor)
    assert not torch.equal(models[2].embed(images[:5]), models[7].embed(images[:5]))


def test_no_seeds_are_no_models() -> None:
    assert fit_x_seeds(recipe(), {}, blobs()) == ({}, [])
