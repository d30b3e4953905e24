"""Whatever a parameter file or a point of the sweep says, it is taken or refused in a sentence."""

from pathlib import Path

import pytest
from hypothesis import strategies as st
from ruamel.yaml import YAML

from npvae.params import Params, load_params, split_point
from tests.fuzz.damage import cases, damaged, outcome, tried

VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
YAML_LIKE = st.text(alphabet="[]{}:,-&*!|>'\"#%@`? \n\t0123456789.eE+_azNY~<=\\", max_size=60)


@pytest.fixture(scope="module")
def committed(root: Path) -> bytes:
    return (root / "params.yaml").read_bytes()


def params(path: Path) -> Params | None:
    found = outcome(lambda: load_params(path), path)
    assert found is None or isinstance(found, Params)
    return found


@cases
def test_a_damaged_parameter_file(cases: int, committed: bytes, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"

    @tried(cases, content=damaged(committed))
    def _(content: bytes) -> None:
        path.write_bytes(content)
        params(path)


@cases
def test_a_file_of_anything(cases: int, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"

    @tried(cases, content=YAML_LIKE.map(str.encode) | st.binary(max_size=40))
    def _(content: bytes) -> None:
        path.write_bytes(content)
        params(path)


@cases
def test_any_value_in_place_of_any(cases: int, committed: bytes, tmp_path: Path) -> None:
    path, yaml = tmp_path / "params.yaml", YAML(typ="safe")
    keys = [
        (section, name)
        for section, values in yaml.load(committed).items()
        for name in ([None, *values] if isinstance(values, dict) else [None])
    ]

    @tried(cases, key=st.sampled_from(keys), value=VALUE)
    def _(key: tuple[str, str | None], value: object) -> None:
        values = yaml.load(committed)
        section, name = key
        if name is None:
            values[section] = value
        else:
            values[section][name] = value
        with path.open("w") as file:
            yaml.dump(values, file)
        params(path)


@cases
def test_any_point_of_the_sweep(cases: int, committed: bytes, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(committed)
    right = load_params(path)
    sections = right.model_dump(mode="json")
    keys = [
        f"{section}.{name}"
        for section, values in sections.items()
        if isinstance(values, dict)
        for name in values
    ]
    change = st.builds(
        "{}={}".format, st.sampled_from(keys) | st.text(max_size=9), YAML_LIKE | st.text(max_size=9)
    )

    @tried(
        cases,
        change=change | st.text(max_size=20),
        z=st.just("z20") | st.text(max_size=4),
        dash=st.booleans(),
    )
    def _(change: str, z: str, dash: bool) -> None:
        changed = outcome(lambda: right.changed(change), "")
        assert changed is None or isinstance(changed, Params)
        point = f"{z}-{change}" if dash else change
        split = outcome(lambda: split_point(point), "")
        assert split is None or point == f"z{split[0]}-{split[1] or 'default'}"


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{a: " * 10_000, "- " * 100_000, "9" * 5_000, "2020-99-99", "&a [*a]"]
)
def test_what_breaks_parsers(text: str, committed: bytes, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    assert params(path) is None
    path.write_bytes(committed)
    right = load_params(path)
    assert outcome(lambda: right.changed(f"network.dropout={text}"), "") is None
