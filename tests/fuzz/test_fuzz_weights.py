"""Whatever bytes a file of weights has, it is read as it was written, or refused in a sentence."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import strategies as st
from safetensors.torch import save

from npvae.measures.classifier import Classifier, load_classifiers, save_classifiers
from npvae.model.checkpoint import digest, load_models, new_model, save_models, trained_on
from npvae.settings import Network, Objective, Recipe, Training, TrainingData
from npvae.training.resume import StateFile
from tests.fuzz.damage import cases, damaged, outcome, tried

RECIPE = Recipe(
    model="npvae",
    z_dim=2,
    data=TrainingData(name="own", image_shape=(2, 3), train_images=9),
    network=Network(hidden_units=3),
    train=Training(),
    npvae=Objective(),
)
MADE = {"device": "CPU", "capability": "AVX2", "threads": 1, "precision": "float32", "torch": "2.9"}
HEADER = 2_000  # bytes at the start that say what the others are
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
TYPES = [
    *(torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.complex64),
    *(torch.uint8, torch.int8, torch.int64, torch.uint16, torch.bool),
]
SHAPES = st.lists(st.integers(0, 4), max_size=4)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A checkpoint of two seeds."""
    path = tmp_path_factory.mktemp("saved") / "m.safetensors"
    save_models(path, {seed: new_model(RECIPE, seed) for seed in (0, 1)}, RECIPE, MADE)
    return path.read_bytes()


def same(found: dict, expected: dict) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in found)


@cases
def test_a_damaged_checkpoint_is_what_it_was_or_refused(cases: int, saved: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"

    @tried(cases, content=damaged(saved, start=HEADER))
    def _(content: bytes) -> None:
        path.write_bytes(content)
        assert outcome(lambda: trained_on(path), path) in (None, MADE)
        models = outcome(lambda: load_models(path, RECIPE), path)
        if models is not None:
            assert list(models) == [0, 1]
            for seed, model in models.items():
                assert same(model.state_dict(), new_model(RECIPE, seed).state_dict())


# a change of model/ sets off every training
@pytest.mark.xfail(strict=False, reason="a tensor that is a single number, under a name of nobody's")
@cases
def test_a_checkpoint_of_anything_is_read_or_refused(cases: int, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    right = new_model(RECIPE, 0).state_dict()

    @tried(
        cases,
        seeds=JSON | st.lists(st.integers(-1, 3), max_size=2),
        machine=JSON,
        changes=st.dictionaries(
            st.sampled_from(list(right)) | st.text(max_size=3),
            st.tuples(st.sampled_from(TYPES), SHAPES) | st.none(),
            max_size=3,
        ),
        recipe=st.just(RECIPE.model_dump(mode="json")) | JSON,
        honest=st.booleans(),
    )
    def _(seeds: object, machine: object, changes: dict, recipe: object, honest: bool) -> None:
        tensors = {name: tensor[None] for name, tensor in right.items()}
        for name, change in changes.items():
            tensors.pop(name, None)
            if change:
                tensors[name] = torch.ones(change[1]).to(change[0])
        said = {"recipe": recipe, "seeds": seeds, "trained_on": machine}
        said["sha256"] = digest(tensors, json.dumps(said, sort_keys=True)) if honest else "0" * 64
        path.write_bytes(save(tensors, {"npvae": json.dumps(said)}))
        models = outcome(lambda: load_models(path, RECIPE), path)
        if models is not None:
            assert list(models) == seeds
            assert honest


# a change of training/ sets off every training; a flipped digit of the history shows in thousands of cases
@pytest.mark.xfail(strict=False, reason="the history of a state is not under its sha256")
@cases
def test_a_damaged_state_is_what_it_was_or_ignored(
    cases: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tensors = {"weights": torch.rand(20), "random": torch.arange(50, dtype=torch.uint8)}
    history = [[0, 1, 123.25, 4.5, 2, None, None, None]]
    file = StateFile(tmp_path / "seed-0.safetensors", "k" * 64)
    file.save(tensors, history)

    @tried(cases, content=damaged(file.path.read_bytes(), start=400))
    def _(content: bytes) -> None:
        file.path.write_bytes(content)
        found = file.load()
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert said.startswith(f"{file.path}: ")
        assert ("it is ignored" in said) == (found is None)
        if found:
            assert found.history == history
            assert same(found.tensors, tensors)


@cases
def test_damaged_classifiers_are_refused_or_read(cases: int, tmp_path: Path) -> None:
    path = tmp_path / "classifier.safetensors"
    torch.manual_seed(0)
    save_classifiers(path, [Classifier() for _ in range(2)])

    @tried(cases, content=damaged(path.read_bytes(), start=HEADER))
    def _(content: bytes) -> None:
        path.write_bytes(content)
        for one in outcome(lambda: load_classifiers(path), path) or ():
            assert all(weight.isfinite().all() for weight in one.state_dict().values())


READERS: dict[str, Callable[[Path], object]] = {
    "models": lambda path: load_models(path, RECIPE),
    "machine": trained_on,
    "classifiers": load_classifiers,
}


@pytest.mark.parametrize("reader", READERS)
@cases
def test_any_header_over_any_bytes_is_refused(cases: int, reader: str, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    tensor = st.fixed_dictionaries(
        {
            "dtype": st.sampled_from(["F32", "F64", "I64", "BOOL", "F8_E4M3", "F4", "X"]),
            "shape": st.lists(st.integers(0, 3) | st.integers(-1, 2**70), max_size=4),
            "data_offsets": st.lists(st.integers(0, 32) | st.integers(-1, 2**70), min_size=2, max_size=2),
        }
    )
    header = st.dictionaries(st.text(max_size=8) | st.just("0.head.bias"), tensor | JSON, max_size=3)

    @tried(
        cases,
        header=header,
        metadata=st.none() | JSON | st.fixed_dictionaries({"npvae": JSON.map(json.dumps)}),
        length=st.none() | st.integers(0, 2**64 - 1),
        content=st.binary(max_size=32),
    )
    def _(header: dict, metadata: object, length: int | None, content: bytes) -> None:
        said = json.dumps(header | ({} if metadata is None else {"__metadata__": metadata})).encode()
        stated = len(said) if length is None else length
        path.write_bytes(stated.to_bytes(8, "little") + said + content)
        assert not outcome(lambda: READERS[reader](path), path)
