"""All seeds of a recipe: each as if it were alone, and each with a state of its own."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from npvae.model.checkpoint import new_model
from npvae.settings import ModelName, Network, Objective, Recipe, Training, TrainingData
from npvae.training.history import Epoch
from npvae.training.loop import fit
from npvae.training.resume import forget
from npvae.training.seeds import fit_seeds

Listing = Callable[[Path], list[str]]


def recipe(name: ModelName) -> Recipe:
    return Recipe(
        model=name,
        z_dim=2,
        data=TrainingData(train_images=40),
        network=Network(hidden_units=8, dropout=0.2),
        train=Training(epochs=3, batch_size=10, precision="float32"),
        npvae=Objective(match_weight=0.5, match_gradient="own") if name == "npvae" else None,
    )


@pytest.fixture
def images() -> Tensor:
    return torch.randint(256, (40, 784), dtype=torch.uint8)


@pytest.mark.parametrize("name", ["vae", "npvae"])
def test_every_seed_is_trained_as_if_it_were_alone(name: ModelName, images: Tensor) -> None:
    seen: list[Epoch] = []
    models, history = fit_seeds(recipe(name), [5, 2], images, on_epoch=seen.append)
    assert list(models) == [5, 2]
    expected = []
    for seed in (5, 2):
        alone = new_model(recipe(name), seed)
        expected += fit(alone, images, recipe(name).train, recipe(name).npvae, seed=seed)
        for key, weight in alone.state_dict().items():
            assert torch.equal(models[seed].state_dict()[key], weight), key
    assert history == expected
    assert seen == expected


def test_no_seeds_at_all_are_allowed(images: Tensor, tmp_path: Path, listing: Listing) -> None:
    assert fit_seeds(recipe("vae"), [], images, states=tmp_path) == ({}, [])
    assert listing(tmp_path) == []


def test_seeds_that_are_done_are_not_trained_again(images: Tensor, tmp_path: Path, listing: Listing) -> None:
    class Stopped(Exception):
        pass

    def stop(record: Epoch) -> None:
        if (record.seed, record.epoch) == (1, 2):
            raise Stopped

    undisturbed, history = fit_seeds(recipe("npvae"), [0, 1, 2], images)
    states, seen = tmp_path / "states", []
    with pytest.raises(Stopped):
        fit_seeds(recipe("npvae"), [0, 1, 2], images, on_epoch=stop, states=states)
    assert listing(states) == ["seed-0.safetensors", "seed-1.safetensors"]
    models, resumed = fit_seeds(recipe("npvae"), [0, 1, 2], images, on_epoch=seen.append, states=states)
    assert resumed == history
    assert [(one.seed, one.epoch) for one in seen] == [(1, 3), (2, 1), (2, 2), (2, 3)]
    for seed, model in undisturbed.items():
        for key, weight in model.state_dict().items():
            assert torch.equal(models[seed].state_dict()[key], weight), (seed, key)
    forget(states)
    assert listing(tmp_path) == []
