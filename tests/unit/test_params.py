"""params.yaml: what is accepted, what is refused and how, and what a training depends on."""

import copy
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML

from npvae.errors import NpvaeError
from npvae.params import Params, load_params, split_point
from npvae.settings import ModelName

MISSING = object()
COMMITTED: dict[str, Any] = YAML(typ="safe").load(Path(__file__).parents[2] / "params.yaml")


def leaves(section: dict[str, Any], prefix: str = "") -> list[str]:
    """The keys of all values that are no sections."""
    keys = []
    for name, value in section.items():
        keys += leaves(value, f"{prefix}{name}.") if isinstance(value, dict) else [f"{prefix}{name}"]
    return keys


@pytest.fixture
def raw() -> dict[str, Any]:
    """The committed file as plain values."""
    return copy.deepcopy(COMMITTED)


@pytest.fixture
def edited(tmp_path: Path, raw: dict[str, Any]) -> Callable[..., Path]:
    """Writes the committed file with some values changed, added or (``MISSING``) left out."""

    def write(**changes: Any) -> Path:
        for key, value in changes.items():
            *sections, name = key.split("__")
            place = raw
            for section in sections:
                place = place[section]
            if value is MISSING:
                del place[name]
            else:
                place[name] = value
        path = tmp_path / "edited.yaml"
        YAML(typ="safe").dump(raw, path)
        return path

    return write


def refusal(path: Path) -> str:
    """The message without the file, which it must begin with; one line."""
    with pytest.raises(NpvaeError) as error:
        load_params(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def test_the_committed_file_holds_the_papers_settings(root: Path) -> None:
    params = load_params(root / "params.yaml")
    assert params.data.train_images == 55_000
    assert params.data.test_images == 10_000
    assert params.network.hidden_units == 500
    assert params.network.dropout == 0.1
    assert params.train.batch_size == 128
    assert params.train.learning_rate == 0.001
    assert params.npvae.match_weight == 1
    assert {2, 500} <= set(params.z_dims)


def test_the_values_are_those_of_the_file(root: Path, raw: dict[str, Any]) -> None:
    assert load_params(root / "params.yaml").model_dump(mode="json") == raw
    assert load_params(str(root / "params.yaml")).model_dump(mode="json") == raw


def test_an_edited_copy_is_accepted(edited: Callable[..., Path]) -> None:
    two = ["npvae", "vae"]
    params = load_params(edited(z_dims=[1, 3], train__epochs=1, network__dropout=0, models=two, measured=two))
    assert (list(params.z_dims), params.train.epochs, params.network.dropout) == ([1, 3], 1, 0)


def test_scientific_notation_is_a_number_as_in_dvc(root: Path, tmp_path: Path) -> None:
    text, count = re.subn(r"learning_rate: \S+", "learning_rate: 2e-3", (root / "params.yaml").read_text())
    assert count == 3
    (tmp_path / "p.yaml").write_text(text)
    assert load_params(tmp_path / "p.yaml").train.learning_rate == 0.002


NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("change", "value", "key"),
    [
        ("train__batchsize", 128, "train.batchsize"),
        ("npvea", {}, "npvea"),
        ("vae__match_weight", 1.0, "vae.match_weight"),
        ("train__epochs", MISSING, "train.epochs"),
        ("network", MISSING, "network"),
        ("vae", MISSING, "vae"),
        ("vae", None, "vae"),
        ("network__hidden_units", "500", "network.hidden_units"),
        ("train__epochs", 1.5, "train.epochs"),
        ("train__epochs", True, "train.epochs"),
        ("train__drop_last", 1, "train.drop_last"),
        ("train__drop_last", "yes", "train.drop_last"),
        ("train__precision", "float16", "train.precision"),
        ("train__precision", MISSING, "train.precision"),
        ("train__seeds", 3, "train.seeds"),
        ("npvae__match_gradient", "none", "npvae.match_gradient"),
        ("npvae__match_gradient", True, "npvae.match_gradient"),
        ("npvae__neighbour_gradient", True, "npvae.neighbour_gradient"),
        ("evaluate", {"neighbours": 10}, "evaluate"),
        ("judge", {"seed": 0}, "judge"),
        ("train__learning_rate", "fast", "train.learning_rate"),
        ("z_dims", 20, "z_dims"),
        ("z_dims", ["2"], "z_dims"),
        ("z_dims", [0, 2], "z_dims"),
        ("z_dims", [-2, 2], "z_dims"),
        ("z_dims", [], "z_dims"),
        ("z_dims", [20, 2], "z_dims"),
        ("z_dims", [2, 2], "z_dims"),
        ("models", ["vae"], "models"),
        ("models", ["vae", "vae", "npvae"], "models"),
        ("models", ["vae", "gplvm"], "models"),
        ("measured", ["npvae"], "measured"),
        ("data__train_images", 1, "data.train_images"),
        ("data__validation_images", 5_001, "data"),
        ("data__validation_images", -1, "data.validation_images"),
        ("data__test_images", 10_001, "data"),
        ("data__test_images", 0, "data.test_images"),
        ("data__test_images", 11, "data.test_images"),
        ("network__hidden_units", 0, "network.hidden_units"),
        ("network__hidden_units", 1_000_000_000, "network.hidden_units"),
        ("z_dims", [100_000], "z_dims"),
        ("network__activations", "gelu", "network.activations"),
        ("network__initialisation", "zeros", "network.initialisation"),
        ("network__dropout", 1.0, "network.dropout"),
        ("network__dropout", -0.1, "network.dropout"),
        ("network__dropout", NAN, "network.dropout"),
        ("seeds", 0, "seeds"),
        ("seeds", 1.5, "seeds"),
        ("seeds", MISSING, "seeds"),
        ("train__epochs", 0, "train.epochs"),
        ("train__batch_size", 1, "train.batch_size"),
        ("train__batch_size", 55_001, "train.batch_size"),
        ("train__learning_rate", 0, "train.learning_rate"),
        ("train__learning_rate", -0.001, "train.learning_rate"),
        ("train__learning_rate", NAN, "train.learning_rate"),
        ("train__learning_rate", INFINITY, "train.learning_rate"),
        ("npvae__match_weight", -1.0, "npvae.match_weight"),
        ("npvae__match_weight", INFINITY, "npvae.match_weight"),
        ("npvae__initial_length_scale", 0.0, "npvae.initial_length_scale"),
        ("predict__reference_images", 0, "predict.reference_images"),
        ("predict__reference_images", 55_001, "predict.reference_images"),
        ("measure__neighbours", 0, "measure.neighbours"),
        ("measure__neighbours", 55_001, "measure.neighbours"),
        ("measure__seed", 0.5, "measure.seed"),
        ("measure__seed", -1, "measure.seed"),
        ("measure__subset", 11, "measure.subset"),
        ("measure__likelihood_images", 1, "measure.likelihood_images"),
        ("measure__samples", 1, "measure.samples"),
        ("measure__pairs", 1, "measure.pairs"),
        ("measure__steps", 1, "measure.steps"),
        ("classifier__learning_rate", 0, "classifier.learning_rate"),
        ("classifier__precision", "float16", "classifier.precision"),
        ("classifier__seed", 2**63, "classifier.seed"),
        ("figures__thumbnails", 1, "figures.thumbnails"),
        ("figures__interpolate", [7], "figures.interpolate"),
        ("figures__interpolate", [7, 12, 13], "figures.interpolate"),
        ("figures__interpolate", [-1, 12], "figures.interpolate"),
        ("figures__interpolate", [7, 55_000], "figures.interpolate"),
        ("figures__interpolate", [7, 7], "figures.interpolate"),
        ("figures__interpolation_steps", 0, "figures.interpolation_steps"),
    ],
)
def test_a_wrong_value_is_refused_by_file_and_key(
    edited: Callable[..., Path], change: str, value: Any, key: str
) -> None:
    message = refusal(edited(**{change: value}))
    assert re.match(rf"{re.escape(key)}\b", message), message
    assert ";" not in message  # nothing else is complained about


@pytest.mark.parametrize("key", leaves(COMMITTED))
def test_a_key_that_is_left_out_is_missing_although_the_settings_have_a_default(
    edited: Callable[..., Path], key: str
) -> None:
    assert refusal(edited(**{key.replace(".", "__"): MISSING})) == f"{key}: missing"


@pytest.mark.parametrize("section", [name for name, value in COMMITTED.items() if isinstance(value, dict)])
def test_a_section_that_is_left_out_is_missing(edited: Callable[..., Path], section: str) -> None:
    assert refusal(edited(**{section: MISSING})) == f"{section}: missing"


def test_every_key_that_is_left_out_is_named(edited: Callable[..., Path]) -> None:
    message = refusal(edited(train__epochs=MISSING, measure__seed=MISSING, sweep__points=MISSING))
    assert set(message.split("; ")) == {
        f"{key}: missing" for key in ("train.epochs", "measure.seed", "sweep.points")
    }


def test_a_key_that_is_left_out_is_named_rather_than_what_its_default_would_clash_with(
    edited: Callable[..., Path],
) -> None:
    message = refusal(
        edited(data__train_images=100, train__batch_size=MISSING, predict__reference_images=100)
    )
    assert message == "train.batch_size: missing"


def test_a_message_says_what_was_given(edited: Callable[..., Path]) -> None:
    assert "got 'gelu'" in refusal(edited(network__activations="gelu"))


def test_every_wrong_key_is_named_at_once(edited: Callable[..., Path]) -> None:
    message = refusal(edited(network__dropout=2.0, train__epochs=MISSING, figures__colour="red"))
    assert all(key in message for key in ("network.dropout", "train.epochs", "figures.colour"))


@pytest.mark.parametrize(
    "content",
    [
        b"train: [1, 2",
        b"train: {epochs: 1}\ntrain: {epochs: 2}\n",
        b"a: 1\n---\nb: 2\n",
        b"a: \x80\xe9",
        b"a: !unknown 1\n",
    ],
    ids=["unclosed", "a key twice", "two documents", "binary", "unknown tag"],
)
def test_what_is_not_yaml_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    assert refusal(path).startswith("not YAML")


def test_a_few_lines_that_stand_for_a_billion_words_are_refused_in_one(tmp_path: Path) -> None:
    path = tmp_path / "bomb.yaml"
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    path.write_text("\n".join([*lines, "z_dims: *a8", "seeds: *a8"]))
    message = refusal(path)
    assert "z_dims.0: " in message
    assert len(message) < 5_000


@pytest.mark.parametrize("content", ["", "- vae\n- npvae\n", "42\n"], ids=["empty", "a list", "a number"])
def test_what_is_yaml_but_no_mapping_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(content)
    refusal(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "absent.yaml")


def test_nothing_can_be_assigned(root: Path) -> None:
    params = load_params(root / "params.yaml")
    with pytest.raises(ValidationError, match="frozen"):
        params.z_dims = [3]  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        params.train.epochs = 3  # type: ignore[misc]
    with pytest.raises(ValidationError):
        params.extra = 3  # type: ignore[attr-defined]


def test_lists_cannot_be_changed_in_place(root: Path) -> None:
    params = load_params(root / "params.yaml")
    with pytest.raises((AttributeError, TypeError)):
        params.z_dims.append(1_000)
    assert 1_000 not in params.z_dims


def altered(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return not value
    if isinstance(value, tuple | BaseModel):
        return value
    return f"{value}-altered" if isinstance(value, str) else value - 1


def with_change(params: Params, section: str, name: str) -> Params:
    """A copy in which one value differs, without validation."""
    old: BaseModel = getattr(params, section)
    return params.model_copy(update={section: old.model_copy(update={name: altered(getattr(old, name))})})


@pytest.mark.parametrize("model", ["vae", "npvae"])
def test_a_recipe_is_made_of_exactly_what_its_training_uses(root: Path, model: ModelName) -> None:
    other = {"vae": "npvae", "npvae": "vae"}[model]
    # whatever is not named here must count, new parameters too
    irrelevant = {
        key
        for section in ("advised", "classifier", "figures", "measure", "predict", "sweep", other)
        for key in leaves(COMMITTED[section], f"{section}.")
    }
    irrelevant |= {"data.test_images", "data.image_shape"}  # MNIST leaves no choice of the latter
    params = load_params(root / "params.yaml")
    before = params.recipe(model, 20)
    counted = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the altered values are not all valid
        for section, values in COMMITTED.items():
            for name in values if isinstance(values, dict) else []:
                if with_change(params, section, name).recipe(model, 20) != before:
                    counted.add(f"{section}.{name}")
    every = {key for key in leaves(COMMITTED) if "." in key}
    assert counted == every - irrelevant


def test_a_recipe_does_not_depend_on_which_others_are_trained(
    root: Path, edited: Callable[..., Path]
) -> None:
    before = load_params(root / "params.yaml").recipe("npvae", 20)
    two = ["npvae", "vae"]
    after = load_params(edited(seeds=1, z_dims=[20], models=two, measured=two, figures__interpolate=[1, 2]))
    assert after.recipe("npvae", 20) == before


def test_a_recipe_depends_on_its_model_and_dimension(root: Path) -> None:
    params = load_params(root / "params.yaml")
    vae, npvae, wider = params.recipe("vae", 2), params.recipe("npvae", 2), params.recipe("vae", 3)
    assert vae != npvae
    assert vae != wider
    assert (vae.model, vae.z_dim, vae.npvae) == ("vae", 2, None)
    assert npvae.npvae == params.npvae


def test_one_value_can_be_changed_by_its_key(root: Path) -> None:
    params = load_params(root / "params.yaml")
    changed = params.changed("npvae.match_weight=0.3")
    assert changed.npvae.match_weight == 0.3
    assert changed.model_copy(update={"npvae": params.npvae}) == params
    assert params.changed("npvae.match_gradient=own").npvae.match_gradient == "own"
    assert params.changed("network.activations=relu").network.activations == "relu"
    assert params.changed("train.learning_rate=1e-4").train.learning_rate == 0.0001
    assert params.changed("train.drop_last=false").train.drop_last is False
    assert params.changed("z_dims=[3, 4]").z_dims == (3, 4)


def test_every_point_of_the_sweep_is_a_change_and_a_default_is_none(root: Path) -> None:
    params = load_params(root / "params.yaml")
    changes = [change for _, change in map(split_point, params.sweep.points)]
    assert changes.count(None) == 2
    assert params not in [params.changed(change) for change in changes if change]


@pytest.mark.parametrize(
    ("point", "says"),
    [
        ("npvae.match=1", "no parameter npvae.match"),
        ("nothing", "no parameter nothing"),
        ("npvae.match_weight.x=1", "no parameter"),
        ("npvae.match_weight.x.y=1", "no parameter"),
        ("z_dims.x.y=1", "no parameter"),
        ("", "no parameter"),
        ("npvae=1", "npvae"),
        ("train.epochs=", "train.epochs"),
        ("train.epochs", "train.epochs"),
        ("z_dims=[2, 20", "z_dims"),
        ("train.batch_size=1", "train.batch_size"),
        ("train.epochs=many", "train.epochs"),
    ],
)
def test_a_wrong_change_is_refused(root: Path, point: str, says: str) -> None:
    with pytest.raises(NpvaeError, match=says):
        load_params(root / "params.yaml").changed(point)


@pytest.mark.parametrize(
    ("point", "parts"),
    [
        ("z20-default", (20, None)),
        ("z20-npvae.match_weight=0.1", (20, "npvae.match_weight=0.1")),
        ("z500-network.activations=elu-tanh", (500, "network.activations=elu-tanh")),
        ("z1-train.learning_rate=1e-4", (1, "train.learning_rate=1e-4")),
        ("z2-predict.length_scale.npvae=leave-one-out", (2, "predict.length_scale.npvae=leave-one-out")),
    ],
)
def test_a_point_of_the_sweep_is_a_z_and_a_change(
    point: str, parts: tuple[int, str | None], edited: Callable[..., Path]
) -> None:
    assert split_point(point) == parts
    points = list(dict.fromkeys([f"z{parts[0]}-default", point]))
    assert load_params(edited(sweep__points=points)).sweep.points == tuple(points)


@pytest.mark.parametrize(
    ("point", "says"),
    [
        ("z20-npvae.match_weight=1.0; touch pwned", "match pattern"),
        ("z20-npvae.match_weight=$(touch pwned)", "match pattern"),
        ("z20-npvae.match_weight=`touch pwned`", "match pattern"),
        ('z20-npvae.match_weight=1.0"', "match pattern"),
        ("z20-npvae.match_weight=1.0\n", "match pattern"),
        ("z20-npvae.match_weight=../1", "match pattern"),
        ("z20-npvae.match_weight", "match pattern"),
        ("z20-npvae=1.0", "match pattern"),
        ("npvae.match_weight=0.1", "match pattern"),
        ("z-default", "match pattern"),
        ("z-20-default", "match pattern"),
        ("z020-default", "match pattern"),
        ("z10000-default", "match pattern"),
        ("z0-default", "z0-default: Z has at least 1 dimension"),
        ("z20-default", "z20-default is there twice"),
        ("z7-npvae.match_weight=0.1", "there is no z7-default to compare it with"),
        ("z20-npvae.nonsense=1.0", "there is no parameter npvae.nonsense"),
        ("z20-vae.match_weight=1.0", "there is no parameter vae.match_weight"),
        ("z20-train.epochs.more=1", "there is no parameter train.epochs.more"),
        ("z20-predict.length_scale=learned", "there is no parameter predict.length_scale"),
        ("z20-data.name=kmnist", "a point changes one of network, train, npvae, predict"),
        ("z20-train.epochs=many", "z20-train.epochs=many: must be a valid integer"),
        ("z20-npvae.match_weight=-1", "z20-npvae.match_weight=-1: must be greater"),
        ("z20-npvae.match_gradient=none", "must be 'all', 'own' or 'x'"),
    ],
)
def test_a_wrong_point_of_the_sweep_is_refused_in_a_sentence(
    point: str, says: str, edited: Callable[..., Path]
) -> None:
    message = refusal(edited(sweep__points=["z20-default", point]))
    assert message.startswith("sweep.points")
    assert says in message


def test_a_point_that_clashes_with_other_values_is_refused_where_it_runs(edited: Callable[..., Path]) -> None:
    # whoever tries other values in the default run has nothing to do with the study
    params = load_params(
        edited(npvae__divergence="joint", sweep__points=["z2-default", "z2-npvae.match_gradient=own"])
    )
    with pytest.raises(NpvaeError, match="the joint divergence has no neighbours"):
        params.changed("npvae.match_gradient=own")


def test_directives_are_refused_as_other_versions_of_yaml_read_other_numbers(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("%YAML 1.1\n---\nseeds: 010\n")
    with pytest.raises(NpvaeError, match="a line begins with %"):
        load_params(path)
