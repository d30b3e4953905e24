"""Settings: immutable, strict, and by default what params.yaml says."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from npvae.params import load_params
from npvae.settings import (
    Classifier,
    Data,
    Measuring,
    Network,
    Objective,
    Prediction,
    Recipe,
    Settings,
    Training,
    TrainingData,
)

ALL: list[type[Settings]] = [
    TrainingData,
    Data,
    Network,
    Training,
    Objective,
    Prediction,
    Classifier,
    Measuring,
]


def test_the_defaults_are_the_committed_parameters(root: Path) -> None:
    params = load_params(root / "params.yaml")
    assert params.data == Data()
    assert params.network == Network()
    assert params.train == Training()
    assert params.npvae == Objective()
    assert params.predict == Prediction()
    assert params.classifier == Classifier()
    assert params.measure == Measuring()


@pytest.mark.parametrize("settings", ALL)
def test_nothing_can_be_assigned(settings: type[Settings]) -> None:
    one = settings()
    for name in settings.model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(one, name, getattr(one, name))


@pytest.mark.parametrize("settings", ALL)
def test_an_unknown_name_is_refused(settings: type[Settings]) -> None:
    with pytest.raises(ValidationError, match="momentum"):
        settings.model_validate({"momentum": 0.9})


@pytest.mark.parametrize("settings", ALL)
def test_values_of_another_type_are_refused(settings: type[Settings]) -> None:
    for name in settings.model_fields:
        with pytest.raises(ValidationError, match=name):
            settings.model_validate({name: b"1"})


def test_equal_settings_are_one_key() -> None:
    assert hash(Network(hidden_units=8)) == hash(Network(hidden_units=8))
    assert len({Training(), Training(epochs=20), Training(epochs=3)}) == 2


@pytest.mark.parametrize(
    ("validation_images", "train_images", "fits"),
    [(0, 60_000, True), (59_998, 2, True), (1, 60_000, False), (5_000, 55_001, False)],
)
def test_more_images_than_mnist_has_are_refused(
    validation_images: int, train_images: int, fits: bool
) -> None:
    values = {"validation_images": validation_images, "train_images": train_images}
    for settings in (TrainingData, Data):
        if fits:
            settings.model_validate(values)
        else:
            with pytest.raises(ValidationError, match="60000"):
                settings.model_validate(values)


def test_a_recipe_comes_back_from_its_json() -> None:
    recipe = Recipe(
        model="npvae",
        z_dim=2,
        data=TrainingData(train_images=100),
        network=Network(dropout=0.25),
        train=Training(learning_rate=3e-4, precision="bfloat16"),
        npvae=Objective(match_gradient="x"),
    )
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe
    assert Recipe.model_validate(recipe.model_dump()) == recipe
