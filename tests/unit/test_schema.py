"""The JSON schema of params.yaml: the committed one is that of the settings, and accepts what they accept."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from npvae.errors import NpvaeError
from npvae.params import _validated, schema

Values = dict[str, Any]


@pytest.fixture
def values(root: Path) -> Values:
    return YAML(typ="safe").load(root / "params.yaml")


def test_the_committed_schema_is_that_of_the_settings(root: Path) -> None:
    committed = json.loads((root / "params.schema.json").read_text())
    assert committed == schema(), "run `npvae schema > params.schema.json`"


def test_the_parameter_file_names_the_schema_and_follows_it(root: Path, values: Values) -> None:
    first = (root / "params.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=params.schema.json"
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(values, schema())


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("train", "epochs", 0),
        ("train", "epochs", "20"),
        ("train", "precision", "double"),
        ("train", "epoch", 20),
        ("train", "epochs", None),
        ("npvae", "x_dropout", 1.0),
        ("data", "image_shape", [28]),
        ("data", "name", "My cells"),
        ("network", "dropout", -0.1),
    ],
)
def test_it_refuses_what_the_settings_refuse(section: str, key: str, value: Any, values: Values) -> None:
    values[section][key] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(values, schema())
    with pytest.raises(NpvaeError, match=f"{section}.{key}"):
        _validated(values, "params.yaml")


def test_it_asks_for_every_key_though_the_settings_have_defaults(values: Values) -> None:
    for section, content in values.items():
        if isinstance(content, dict):
            for key in content:
                less = copy.deepcopy(values)
                del less[section][key]
                with pytest.raises(jsonschema.ValidationError, match=f"'{key}' is a required property"):
                    jsonschema.validate(less, schema())


def test_a_key_says_what_its_docstring_says() -> None:
    properties = schema()["$defs"]["Training"]["properties"]
    assert properties["learning_rate"]["description"] == "Adam's."
    assert properties["precision"]["description"].startswith(
        "of the networks' matrix products; auto is bfloat16"
    )
