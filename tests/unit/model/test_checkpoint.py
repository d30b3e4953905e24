"""Checkpoints come back bit for bit, or not at all."""

import copy
import json
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from npvae import machine
from npvae.cli.options import the_only
from npvae.errors import NpvaeError
from npvae.model.checkpoint import digest, load_models, new_model, save_models, trained_on
from npvae.model.vae import VAE, NonparametricVAE
from npvae.params import load_params
from npvae.settings import Precision, Recipe

Listing = Callable[[Path], list[str]]
MADE = {"device": "CPU, x86_64", "capability": "AVX2", "threads": 1, "precision": "float32", "torch": "2.9"}


@pytest.fixture(params=["vae", "npvae"])
def recipe(request: pytest.FixtureRequest, root: Path) -> Recipe:
    """The committed parameters with a small network."""
    return changed(load_params(root / "params.yaml").recipe(request.param, 3), "network.hidden_units", 6)


def changed(recipe: Recipe, key: str, value: object) -> Recipe:
    values = recipe.model_dump()
    *sections, name = key.split(".")
    place = values
    for section in sections:
        place = place[section]
    place[name] = value
    return Recipe.model_validate(values)


def edit(
    path: Path,
    metadata: Callable[[dict[str, Any]], object] = lambda _: None,
    tensors: Callable[[dict[str, torch.Tensor]], object] = lambda _: None,
    *,
    sealed: bool = True,
) -> None:
    """Write a checkpoint anew, changed; its sha256, too, unless it is not ``sealed``."""
    with safe_open(path, framework="pt") as file:
        (name,) = file.metadata()
        said = json.loads(file.metadata()[name])
        held = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    metadata(said)
    tensors(held)
    if sealed:
        del said["sha256"]
        said["sha256"] = digest(held, json.dumps(said, sort_keys=True))
    save_file(held, path, {name: json.dumps(said)})


def models(recipe: Recipe, *seeds: int) -> dict[int, VAE]:
    """Models whose every parameter differs from a new one's, as after training."""
    result = {}
    for seed in seeds:
        result[seed] = new_model(recipe, seed)
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


def test_models_come_back_bit_for_bit_by_seed(recipe: Recipe, tmp_path: Path) -> None:
    saved = models(recipe, 4, 0, 2)
    path = tmp_path / "new folder" / "m.safetensors"
    save_models(path, saved, recipe, MADE)
    loaded = load_models(path, recipe)
    assert list(loaded) == [4, 0, 2]
    for seed, model in saved.items():
        assert_same(loaded[seed], model)
        assert type(loaded[seed]) is type(model)
        assert not loaded[seed].training


def test_unusual_values_come_back_too(recipe: Recipe, tmp_path: Path) -> None:
    saved = models(recipe, 0)
    special = torch.tensor([-1e-45, -0.0, 1e-45, 3.4028235e38, -3.4028235e38, 1 / 3])
    with torch.no_grad():
        saved[0].get_parameter("encoder.0.weight").view(-1)[:6] = special
    save_models(tmp_path / "m", saved, recipe, MADE)
    got = load_models(tmp_path / "m", recipe)[0].get_parameter("encoder.0.weight").detach().flatten()[:6]
    assert got.view(torch.int32).tolist() == special.view(torch.int32).tolist()


def test_a_loaded_model_computes_the_same(recipe: Recipe, tmp_path: Path) -> None:
    saved = models(recipe, 1)
    save_models(tmp_path / "m", saved, recipe, MADE)
    model, loaded, y = saved[1].eval(), load_models(tmp_path / "m", recipe)[1], torch.rand(4, 784)
    assert all(torch.equal(a, b) for a, b in zip(model.encode(y), loaded.encode(y), strict=True))
    if isinstance(model, NonparametricVAE):
        assert isinstance(loaded, NonparametricVAE)
        assert torch.equal(model.embed(y), loaded.embed(y))
        assert torch.equal(model.length_scale, loaded.length_scale)


def test_the_same_models_give_the_same_bytes(recipe: Recipe, tmp_path: Path) -> None:
    # results are cached by content; twenty times, because one order of two comes up half of the time
    contents = set()
    for _ in range(20):
        save_models(tmp_path / "m", models(recipe, 0, 1), copy.deepcopy(recipe), copy.deepcopy(MADE))
        contents.add((tmp_path / "m").read_bytes())
    assert len(contents) == 1


def test_no_seeds_at_all_is_a_checkpoint(recipe: Recipe, tmp_path: Path) -> None:
    save_models(tmp_path / "m", {}, recipe, MADE)
    assert load_models(tmp_path / "m", recipe) == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("z_dim", 6),
        ("data.validation_images", 0),
        ("data.train_images", 1_000),
        ("network.hidden_units", 12),
        ("network.activations", "relu"),
        ("network.initialisation", "glorot-normal"),
        ("network.dropout", 0.2),
        ("train.epochs", 40),
        ("train.batch_size", 256),
        ("train.learning_rate", 0.002),
        ("train.drop_last", False),
    ],
)
def test_other_parameters_are_refused_by_file_and_key(
    recipe: Recipe, key: str, value: object, tmp_path: Path
) -> None:
    path = tmp_path / "m.safetensors"
    save_models(path, models(recipe, 0), recipe, MADE)
    with pytest.raises(NpvaeError) as error:
        load_models(path, changed(recipe, key, value))
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert message.count(" is ") == 1  # that key alone
    assert f"{key} is " in message
    assert f"not {value!r}" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("key", "value"),
    [("npvae.match_weight", 0.5), ("npvae.match_gradient", "x"), ("npvae.initial_length_scale", 2.0)],
)
def test_another_objective_is_refused(root: Path, key: str, value: object, tmp_path: Path) -> None:
    recipe = load_params(root / "params.yaml").recipe("npvae", 2)
    save_models(tmp_path / "m", {}, recipe, MADE)
    with pytest.raises(NpvaeError, match=rf"{key} is .*, not {value!r}"):
        load_models(tmp_path / "m", changed(recipe, key, value))


def test_a_parameter_that_is_new_or_gone_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    save_models(tmp_path / "m", models(recipe, 0), recipe, MADE)
    edit(tmp_path / "m", lambda metadata: metadata["recipe"]["train"].update(momentum=0.9))
    with pytest.raises(NpvaeError, match=r"train\.momentum is 0\.9"):
        load_models(tmp_path / "m", recipe)
    save_models(tmp_path / "m", models(recipe, 0), recipe, MADE)
    edit(tmp_path / "m", lambda metadata: metadata["recipe"]["train"].pop("epochs"))
    with pytest.raises(NpvaeError, match=r"train\.epochs"):
        load_models(tmp_path / "m", recipe)


@pytest.mark.parametrize("key", ["recipe", "seeds", "trained_on"])
def test_metadata_that_lack_a_part_are_named(recipe: Recipe, key: str, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    explicit = changed(recipe, "train.precision", "float32")
    save_models(path, models(recipe, 0), explicit, MADE)
    edit(path, lambda metadata: metadata.pop(key))
    with pytest.raises(NpvaeError, match=r"m\.safetensors"):
        load_models(path, explicit)
    if key == "trained_on":
        with pytest.raises(NpvaeError, match=r"m\.safetensors"):
            trained_on(path)


def test_the_other_model_is_refused(root: Path, tmp_path: Path) -> None:
    params = load_params(root / "params.yaml")
    save_models(tmp_path / "m", {}, params.recipe("vae", 2), MADE)
    with pytest.raises(NpvaeError, match="model is 'vae', not 'npvae'"):
        load_models(tmp_path / "m", params.recipe("npvae", 2))


@pytest.mark.parametrize(
    ("asked_in_training", "used"),
    [("float32", "float32"), ("bfloat16", "bfloat16"), ("auto", "float32"), ("auto", "bfloat16")],
)
@pytest.mark.parametrize("asked", ["auto", "float32", "bfloat16"])
def test_any_precision_will_do_for_auto_and_an_explicit_one_must_be_what_was_used(
    recipe: Recipe, asked_in_training: Precision, used: Precision, asked: Precision, tmp_path: Path
) -> None:
    path = tmp_path / "m.safetensors"
    saved = models(recipe, 0)
    trained = changed(recipe, "train.precision", asked_in_training)
    save_models(path, saved, trained, MADE | {"precision": used})
    wanted = changed(recipe, "train.precision", asked)
    if asked in {"auto", used}:
        assert_same(load_models(path, wanted)[0], saved[0])
    else:
        with pytest.raises(NpvaeError) as error:
            load_models(path, wanted)
        message = str(error.value)
        assert message.startswith(f"{path}: ")
        assert message.endswith(f": train.precision is {used!r}, not {asked!r}")


@pytest.mark.parametrize("precision", ["auto", "float32", "bfloat16"])
def test_what_was_trained_and_recorded_on_this_machine_loads_for_auto_and_for_itself(
    recipe: Recipe, precision: Precision, tmp_path: Path
) -> None:
    trained = changed(recipe, "train.precision", precision)
    made = machine.describe(trained.train.precision, torch.device("cpu"))
    save_models(tmp_path / "m", models(recipe, 0), trained, made)
    for asked in ("auto", precision, made["precision"]):
        assert list(load_models(tmp_path / "m", changed(recipe, "train.precision", asked))) == [0]


@pytest.mark.parametrize("seeds", [(), (0,), (3, 4)])
def test_one_model_is_that_of_a_checkpoint_of_one_seed(
    recipe: Recipe, seeds: tuple[int, ...], tmp_path: Path
) -> None:
    saved = models(recipe, *seeds)
    save_models(tmp_path / "m", saved, recipe, MADE)
    if len(seeds) == 1:
        assert_same(the_only(load_models(tmp_path / "m", recipe), tmp_path / "m"), saved[0])
    else:
        with pytest.raises(NpvaeError, match=f"m: of {len(seeds)} seeds and not of one"):
            the_only(load_models(tmp_path / "m", recipe), tmp_path / "m")


def test_a_checkpoint_says_what_it_was_trained_on(recipe: Recipe, tmp_path: Path) -> None:
    save_models(tmp_path / "m", {}, recipe, MADE)
    assert trained_on(tmp_path / "m") == MADE


def test_a_missing_file_is_named(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(NpvaeError, match=r"absent\.safetensors"):
        load_models(tmp_path / "absent.safetensors", recipe)


@pytest.mark.parametrize("length", [0, 4, 100, -1, -5000])
def test_a_truncated_file_is_named(recipe: Recipe, length: int, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_models(path, models(recipe, 0), recipe, MADE)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(NpvaeError, match=r"m\.safetensors"):
        load_models(path, recipe)


@pytest.mark.parametrize("content", [b"garbage" * 100, b"\x89PNG\r\n", bytes(4096)])
def test_garbage_is_named(recipe: Recipe, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(NpvaeError, match=r"m\.safetensors"):
        load_models(path, recipe)


def test_tensors_without_our_metadata_are_named(recipe: Recipe, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_file({"weight": torch.zeros(1, 2)}, path)
    with pytest.raises(NpvaeError, match=r"m\.safetensors"):
        load_models(path, recipe)


def test_a_folder_in_the_files_place_is_named(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(NpvaeError, match=tmp_path.name):
        load_models(tmp_path, recipe)


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said.update(seeds=[1]),
        lambda said: said.update(trained_on=MADE | {"threads": 3}),
        lambda said: said["recipe"].update(z_dim=2),
        lambda said: said.update(new=0),
    ],
    ids=["seeds", "machine", "recipe", "addition"],
)
def test_what_it_says_is_under_its_sha256_too(
    recipe: Recipe, change: Callable[[dict[str, Any]], object], tmp_path: Path
) -> None:
    path = tmp_path / "m.safetensors"
    save_models(path, models(recipe, 0), recipe, MADE)
    edit(path, change, sealed=False)
    for read in (lambda: load_models(path, recipe), lambda: trained_on(path)):
        with pytest.raises(NpvaeError, match=r"m\.safetensors: .* changed after it was written"):
            read()


FIRST = "encoder.0.weight"
LYING: dict[str, Callable[[dict[str, torch.Tensor]], object]] = {
    "transposed": lambda held: held.update({FIRST: held[FIRST].mT.contiguous()}),
    "flat": lambda held: held.update({FIRST: held[FIRST].flatten()}),
    "a seed more": lambda held: held.update({FIRST: held[FIRST].repeat(2, 1, 1)}),
    "no seed": lambda held: held.update({FIRST: held[FIRST][:0]}),
    "a number": lambda held: held.update({FIRST: torch.tensor(1.0)}),
    "of doubles": lambda held: held.update({FIRST: held[FIRST].double()}),
    "of integers": lambda held: held.update({FIRST: held[FIRST].int()}),
    "of halves": lambda held: held.update({FIRST: held[FIRST].half()}),
    "missing": lambda held: held.pop(FIRST),
    "renamed": lambda held: held.update({"other": held.pop(FIRST)}),
    "beside another": lambda held: held.update(other=torch.zeros(1, 1)),
}


@pytest.mark.parametrize("kind", LYING)
def test_tensors_that_are_not_those_of_the_recipe_are_named(
    recipe: Recipe, kind: str, tmp_path: Path
) -> None:
    path = tmp_path / "m.safetensors"
    save_models(path, models(recipe, 0), recipe, MADE)
    edit(path, tensors=LYING[kind])
    with pytest.raises(NpvaeError) as error:
        load_models(path, recipe)
    assert str(error.value).startswith(f"{path}: its tensors are not those of its parameters (")
    assert ("other" if kind == "beside another" else FIRST) in str(error.value)


@pytest.mark.parametrize(
    "seeds", [[0, 0], [-1], ["0"], [True], [0.0], [[0]], [2**64], "0", 0, None, {"0": 0}]
)
def test_seeds_that_are_none_are_refused(recipe: Recipe, seeds: object, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_models(path, models(recipe, 0), recipe, MADE)
    edit(path, lambda said: said.update(seeds=seeds))
    with pytest.raises(NpvaeError, match=r"m\.safetensors: not a checkpoint"):
        load_models(path, recipe)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_weight_that_is_not_finite_is_neither_written_nor_read(
    recipe: Recipe, value: float, tmp_path: Path, listing: Listing
) -> None:
    path, diverged = tmp_path / "m.safetensors", models(recipe, 0, 1)
    save_models(path, diverged, recipe, MADE)
    edit(path, tensors=lambda held: held["decoder.0.weight"].view(-1)[-1:].fill_(value))
    with torch.no_grad():
        diverged[1].get_parameter("decoder.0.weight").view(-1)[-1:].fill_(value)
    with pytest.raises(NpvaeError, match=r"m\.safetensors: decoder\.0\.weight is not finite"):
        load_models(path, recipe)
    with pytest.raises(NpvaeError, match=r"n\.safetensors: decoder\.0\.weight is not finite"):
        save_models(tmp_path / "n.safetensors", diverged, recipe, MADE)
    assert listing(tmp_path) == ["m.safetensors"]


def test_json_of_brackets_alone_is_named(recipe: Recipe, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_file({"weight": torch.zeros(1, 2)}, path, {"npvae": "[" * 100_000})
    with pytest.raises(NpvaeError, match=r"m\.safetensors: not a checkpoint"):
        load_models(path, recipe)


@contextmanager
def full_disk(limit: int) -> Iterator[None]:
    """No file can grow beyond ``limit`` bytes."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


def test_a_write_that_fails_midway_leaves_no_file(recipe: Recipe, tmp_path: Path, listing: Listing) -> None:
    with full_disk(8192), pytest.raises(OSError, match="too large"):
        save_models(tmp_path / "m", models(recipe, 0, 1), recipe, MADE)
    assert listing(tmp_path) == []


def test_a_write_that_fails_midway_leaves_the_old_file(
    recipe: Recipe, tmp_path: Path, listing: Listing
) -> None:
    old = models(recipe, 7)
    save_models(tmp_path / "m", old, recipe, MADE)
    with full_disk(8192), pytest.raises(OSError, match="too large"):
        save_models(tmp_path / "m", models(recipe, 0, 1), recipe, MADE)
    assert listing(tmp_path) == ["m"]
    assert_same(load_models(tmp_path / "m", recipe)[7], old[7])


@pytest.mark.parametrize("error", [OSError("disk gone"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_a_write_that_fails_at_the_end_leaves_no_file(
    recipe: Recipe,
    error: BaseException,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    listing: Listing,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(type(error)):
        save_models(tmp_path / "m", models(recipe, 0), recipe, MADE)
    assert listing(tmp_path) == []


def test_an_existing_checkpoint_is_replaced(recipe: Recipe, tmp_path: Path, listing: Listing) -> None:
    save_models(tmp_path / "m", models(recipe, 0, 1), recipe, MADE)
    save_models(tmp_path / "m", models(recipe, 5), recipe, MADE)
    assert list(load_models(tmp_path / "m", recipe)) == [5]
    assert listing(tmp_path) == ["m"]
