"""Checkpoints come back bit for bit, or not at all."""

import copy
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from npvae.checkpoint import load_models, new_model, save_models
from npvae.errors import NpvaeError
from npvae.model import VAE, NonparametricVAE
from npvae.params import load_params

Parameters = dict[str, Any]
Listing = Callable[[Path], list[str]]


@pytest.fixture(params=["vae", "npvae"])
def params(request: pytest.FixtureRequest, root: Path) -> Parameters:
    """The committed parameters with a small network."""
    parameters = load_params(root / "params.yaml").of_checkpoint(request.param, 3)
    parameters["network"]["hidden_units"] = 6
    return parameters


def models(params: Parameters, *seeds: int) -> dict[int, VAE]:
    """Models whose every parameter differs from a new one's, as after training."""
    result = {}
    for seed in seeds:
        result[seed] = new_model(params, seed)
        torch.manual_seed(1000 + seed)
        for parameter in result[seed].parameters():
            torch.nn.init.normal_(parameter)
    return result


def assert_same(a: VAE, b: VAE) -> None:
    left, right = a.state_dict(), b.state_dict()
    assert left.keys() == right.keys()
    for name in left:
        assert left[name].dtype == right[name].dtype
        assert torch.equal(left[name], right[name]), name


def test_models_come_back_bit_for_bit_by_seed(params: Parameters, tmp_path: Path) -> None:
    saved = models(params, 4, 0, 2)
    path = tmp_path / "new folder" / "m.safetensors"
    save_models(path, saved, params)
    loaded = load_models(path, params)
    assert list(loaded) == [4, 0, 2]
    for seed, model in saved.items():
        assert_same(loaded[seed], model)
        assert type(loaded[seed]) is type(model)
        assert not loaded[seed].training


def test_unusual_values_come_back_too(params: Parameters, tmp_path: Path) -> None:
    saved = models(params, 0)
    special = torch.tensor([float("inf"), -0.0, 1e-45, 3.4028235e38, float("-inf"), 1 / 3])
    with torch.no_grad():
        saved[0].get_parameter("encoder.0.weight").view(-1)[:6] = special
    save_models(tmp_path / "m", saved, params)
    got = load_models(tmp_path / "m", params)[0].get_parameter("encoder.0.weight").detach().flatten()[:6]
    assert got.view(torch.int32).tolist() == special.view(torch.int32).tolist()


def test_a_loaded_model_computes_the_same(params: Parameters, tmp_path: Path) -> None:
    saved = models(params, 1)
    save_models(tmp_path / "m", saved, params)
    model, loaded, y = saved[1].eval(), load_models(tmp_path / "m", params)[1], torch.rand(4, 784)
    assert all(torch.equal(a, b) for a, b in zip(model.encode(y), loaded.encode(y), strict=True))
    if isinstance(model, NonparametricVAE):
        assert isinstance(loaded, NonparametricVAE)
        assert torch.equal(model.embed(y), loaded.embed(y))
        assert torch.equal(model.length_scale, loaded.length_scale)


def test_the_same_models_give_the_same_bytes(params: Parameters, tmp_path: Path) -> None:
    # results are cached by content; twenty times, because one order of two comes up half of the time
    contents = set()
    for _ in range(20):
        save_models(tmp_path / "m", models(params, 0, 1), copy.deepcopy(params))
        contents.add((tmp_path / "m").read_bytes())
    assert len(contents) == 1


def test_no_seeds_at_all_is_a_checkpoint(params: Parameters, tmp_path: Path) -> None:
    save_models(tmp_path / "m", {}, params)
    assert load_models(tmp_path / "m", params) == {}


@pytest.mark.parametrize(
    "key",
    [
        "z_dim",
        "data.validation_images",
        "data.train_images",
        "network.hidden_units",
        "network.dropout",
        "train.epochs",
        "train.batch_size",
        "train.learning_rate",
    ],
)
def test_other_parameters_are_refused_by_file_and_key(params: Parameters, key: str, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_models(path, models(params, 0), params)
    asked = copy.deepcopy(params)
    *sections, name = key.split(".")
    place = asked
    for section in sections:
        place = place[section]
    place[name] = place[name] * 2
    with pytest.raises(NpvaeError) as error:
        load_models(path, asked)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert message.count(" is ") == 1  # that key alone
    assert f"{key} is " in message
    assert "\n" not in message


def test_a_parameter_that_is_new_or_gone_is_refused(params: Parameters, tmp_path: Path) -> None:
    save_models(tmp_path / "m", models(params, 0), params)
    new, gone = copy.deepcopy(params), copy.deepcopy(params)
    new["train"]["momentum"] = 0.9
    del gone["train"]["epochs"]
    with pytest.raises(NpvaeError, match=r"train\.momentum"):
        load_models(tmp_path / "m", new)
    with pytest.raises(NpvaeError, match=r"train\.epochs"):
        load_models(tmp_path / "m", gone)


def test_the_other_model_is_refused(root: Path, tmp_path: Path) -> None:
    params = load_params(root / "params.yaml")
    vae, npvae = params.of_checkpoint("vae", 2), params.of_checkpoint("npvae", 2)
    save_models(tmp_path / "m", {}, vae)
    with pytest.raises(NpvaeError, match="model is 'vae', not 'npvae'"):
        load_models(tmp_path / "m", npvae)


def test_a_missing_file_is_named(params: Parameters, tmp_path: Path) -> None:
    with pytest.raises(NpvaeError, match=r"absent\.safetensors"):
        load_models(tmp_path / "absent.safetensors", params)


@pytest.mark.parametrize("length", [0, 4, 100, -1, -5000])
def test_a_truncated_file_is_named(params: Parameters, length: int, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_models(path, models(params, 0), params)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(NpvaeError, match=r"m\.safetensors"):
        load_models(path, params)


@pytest.mark.parametrize("content", [b"garbage" * 100, b"\x89PNG\r\n", bytes(4096)])
def test_garbage_is_named(params: Parameters, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(NpvaeError, match=r"m\.safetensors"):
        load_models(path, params)


def test_tensors_without_our_metadata_are_named(params: Parameters, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_file({"weight": torch.zeros(1, 2)}, path)
    with pytest.raises(NpvaeError, match=r"m\.safetensors"):
        load_models(path, params)


def test_a_folder_in_the_files_place_is_named(params: Parameters, tmp_path: Path) -> None:
    with pytest.raises(NpvaeError, match=tmp_path.name):
        load_models(tmp_path, params)


@contextmanager
def full_disk(limit: int) -> Iterator[None]:
    """No file can grow beyond ``limit`` bytes."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


def test_a_write_that_fails_midway_leaves_no_file(
    params: Parameters, tmp_path: Path, listing: Listing
) -> None:
    with full_disk(8192), pytest.raises(OSError, match="too large"):
        save_models(tmp_path / "m", models(params, 0, 1), params)
    assert listing(tmp_path) == []


def test_a_write_that_fails_midway_leaves_the_old_file(
    params: Parameters, tmp_path: Path, listing: Listing
) -> None:
    old = models(params, 7)
    save_models(tmp_path / "m", old, params)
    with full_disk(8192), pytest.raises(OSError, match="too large"):
        save_models(tmp_path / "m", models(params, 0, 1), params)
    assert listing(tmp_path) == ["m"]
    assert_same(load_models(tmp_path / "m", params)[7], old[7])


@pytest.mark.parametrize("error", [OSError("disk gone"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_a_write_that_fails_at_the_end_leaves_no_file(
    params: Parameters,
    error: BaseException,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    listing: Listing,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(type(error)):
        save_models(tmp_path / "m", models(params, 0), params)
    assert listing(tmp_path) == []


def test_an_existing_checkpoint_is_replaced(params: Parameters, tmp_path: Path, listing: Listing) -> None:
    save_models(tmp_path / "m", models(params, 0, 1), params)
    save_models(tmp_path / "m", models(params, 5), params)
    assert list(load_models(tmp_path / "m", params)) == [5]
    assert listing(tmp_path) == ["m"]
