"""scikit-learn's face: its own checks, the arithmetic behind each method, files, and what is refused."""

import inspect
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks
from torch.distributions import Bernoulli, Normal, kl_divergence

import npvae
from npvae.errors import NpvaeError
from npvae.estimator import NPVAE
from npvae.latent.spaces import space_of
from npvae.model.checkpoint import save_models
from npvae.settings import Network, Objective, Recipe, Training, TrainingData
from npvae.training.seeds import fit_seeds

SMALL: dict[str, Any] = {"hidden_units": 16, "epochs": 3, "batch_size": 32, "precision": "float32"}
DIGITS = (load_digits().images * 255 / 16).astype(np.uint8)[:200]  # [200, 8, 8]


@pytest.fixture(scope="module")
def fitted() -> NPVAE:
    return NPVAE(3, match_weight=0.1, **SMALL).fit(DIGITS)


@pytest.fixture(scope="module")
def plain() -> NPVAE:
    return NPVAE(3, model="vae", **SMALL).fit(DIGITS)


# Pipeline.fit replaces its steps' estimators by fitted ones, whichever they are
PIPELINES = {
    check: "it is Pipeline that changes its steps"
    for check in ("check_estimators_overwrite_params", "check_dont_overwrite_parameters")
}


@parametrize_with_checks(
    [make_pipeline(MinMaxScaler(clip=True), NPVAE(2, model=model, **SMALL)) for model in ("npvae", "vae")],
    expected_failed_checks=lambda _: PIPELINES,
)
def test_scikit_learns_checks_pass_where_its_numbers_are_made_grey_values(estimator: Any, check: Any) -> None:
    check(estimator)


def test_scikit_learns_checks_fail_only_because_their_numbers_are_no_grey_values() -> None:
    with warnings.catch_warnings(action="ignore"):
        results = check_estimator(NPVAE(2, **SMALL), on_fail=None)
    passed = {result["check_name"] for result in results if result["status"] == "passed"}
    failed = [result["exception"] for result in results if result["status"] == "failed"]
    assert len(passed) > 15
    assert {"check_estimator_cloneable", "check_set_params", "check_no_attributes_set_in_init"} <= passed
    for reason in failed:
        assert "grey values must be in [0, 1]" in f"{reason} {reason.__cause__}"


def test_the_defaults_are_those_of_the_settings() -> None:
    given = inspect.signature(NPVAE).parameters
    for settings in (Network(), Training(), Objective()):
        for name, value in settings:
            assert given[name].default == value, name


def test_fitting_leaves_the_parameters_and_a_clone_is_not_fitted(fitted: NPVAE) -> None:
    assert fitted.get_params() == NPVAE(3, match_weight=0.1, **SMALL).get_params()
    other = clone(fitted).set_params(z_dim=2)
    assert other.z_dim == 2
    with pytest.raises(ValueError, match="not fitted"):
        other.transform(DIGITS)


@pytest.mark.parametrize("model", ["npvae", "vae"])
def test_the_model_and_its_points_are_those_of_the_stages(model: Any, request: pytest.FixtureRequest) -> None:
    ours = request.getfixturevalue("fitted" if model == "npvae" else "plain")
    recipe = Recipe(
        model=model,
        z_dim=3,
        data=TrainingData(name="own", image_shape=(8, 8), validation_images=0, train_images=200),
        network=Network(hidden_units=16),
        train=Training(epochs=3, batch_size=32, precision="float32"),
        npvae=Objective(match_weight=0.1) if model == "npvae" else None,
    )
    assert ours.recipe_ == recipe
    images = torch.from_numpy(DIGITS.reshape(200, 64))
    models, history = fit_seeds(recipe, [0], images)
    assert ours.history_ == history
    points = space_of(models[0], images).points(images)
    assert points.shape == (200, 2 if model == "npvae" else 3)
    np.testing.assert_allclose(ours.transform(DIGITS), points.numpy(), rtol=1e-5, atol=1e-6)


def test_bytes_and_grey_values_and_flat_images_have_the_same_points(fitted: NPVAE) -> None:
    points = fitted.transform(DIGITS)
    for other in (
        DIGITS / 255,
        (DIGITS / 255).astype(np.float32),
        DIGITS.reshape(200, 64),
        torch.tensor(DIGITS),
    ):
        np.testing.assert_allclose(fitted.transform(other), points, rtol=1e-4, atol=1e-5)


def logits_at(model: NPVAE, z: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return model.model_.decode(torch.tensor(z, dtype=torch.float32)).numpy().astype(float)


def test_points_of_x_are_decoded_from_the_weighted_mean_of_equation_4(fitted: NPVAE) -> None:
    x = fitted.transform(DIGITS).astype(float)
    images = torch.tensor(DIGITS.reshape(200, 64))
    with torch.no_grad():
        mu = fitted.model_.encode(images)[0].numpy().astype(float)
    l = fitted.model_.length_scale.item()  # noqa: E741
    queries = x[:5] + 0.1
    weights = np.exp(-((queries[:, None] - x) ** 2).sum(-1) / (2 * l**2))
    z = weights / weights.sum(1, keepdims=True) @ mu
    expected = 1 / (1 + np.exp(-logits_at(fitted, z)))
    got = fitted.inverse_transform(queries)
    assert got.shape == (5, 8, 8)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got.reshape(5, 64), expected, rtol=1e-4, atol=1e-5)


def test_points_of_z_are_decoded_as_they_are(plain: NPVAE) -> None:
    z = np.random.default_rng(0).normal(size=(4, 3))
    expected = 1 / (1 + np.exp(-logits_at(plain, z)))
    np.testing.assert_allclose(plain.inverse_transform(z).reshape(4, 64), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["fitted", "plain"])
def test_the_negative_elbo_is_that_of_the_distributions(name: str, request: pytest.FixtureRequest) -> None:
    model: NPVAE = request.getfixturevalue(name)
    y = torch.tensor(DIGITS.reshape(200, 64)[:50] / 255, dtype=torch.float32)
    with torch.no_grad():
        q = Normal(*model.model_.encode(y))
        noise = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
        p = Bernoulli(logits=model.model_.decode(q.mean + q.stddev * noise), validate_args=False)
        expected = kl_divergence(q, Normal(0.0, 1.0)).sum(-1) - p.log_prob(y).sum(-1)
    got = model.negative_elbo(DIGITS[:50])
    np.testing.assert_allclose(got, expected.numpy(), rtol=1e-4)
    assert model.score(DIGITS[:50]) == pytest.approx(-expected.mean().item(), rel=1e-4)


def test_a_search_over_parameters_takes_what_fits_better() -> None:
    search = GridSearchCV(
        NPVAE(2, match_weight=0.1, **SMALL), {"epochs": np.array([1, 20])}, cv=2, error_score="raise"
    )
    search.fit(DIGITS.reshape(200, 64))
    assert search.best_params_ == {"epochs": 20}
    assert search.best_score_ < 0


@pytest.mark.parametrize("name", ["fitted", "plain"])
def test_samples_are_images_that_depend_on_the_seed_alone(name: str, request: pytest.FixtureRequest) -> None:
    model: NPVAE = request.getfixturevalue(name)
    samples = model.sample(7)
    assert samples.shape == (7, 8, 8)
    assert 0 <= samples.min() < samples.max() <= 1
    np.testing.assert_array_equal(model.sample(7), samples)
    assert not np.array_equal(model.sample(7, seed=1), samples)


def test_an_interpolation_decodes_the_points_between(fitted: NPVAE) -> None:
    a, b = fitted.transform(DIGITS[:2])
    got = fitted.interpolate(DIGITS[0], DIGITS[1], steps=3)
    between = np.array([0.75 * a + 0.25 * b, 0.5 * a + 0.5 * b, 0.25 * a + 0.75 * b])
    np.testing.assert_allclose(got, fitted.inverse_transform(between), rtol=1e-4, atol=1e-5)


def test_flat_images_come_back_flat() -> None:
    flat = DIGITS.reshape(200, 64)
    model = NPVAE(2, **SMALL).fit(flat)
    assert model.sample(2).shape == (2, 64)
    assert model.inverse_transform(model.transform(flat[:3])).shape == (3, 64)
    assert model.get_feature_names_out().tolist() == ["npvae0", "npvae1"]


def test_a_point_far_from_all_images_is_said_to_be(fitted: NPVAE) -> None:
    near = fitted.transform(DIGITS[:3])
    with warnings.catch_warnings(action="error"):
        fitted.inverse_transform(near)
    with pytest.warns(UserWarning, match="2 of 3 points are further than 10 length scales"):
        fitted.inverse_transform(near + np.array([[0], [1e6], [-1e6]]))


def test_fewer_reference_images_are_drawn_from_the_training_images() -> None:
    model = NPVAE(2, reference_images=20, **SMALL).fit(DIGITS)
    x, z = model.space_.reference
    assert x.shape == z.shape == (20, 2)
    everywhere = model.transform(DIGITS)
    for point in x.numpy():
        assert np.abs(everywhere - point).max(1).min() < 1e-5


@pytest.mark.parametrize("name", ["fitted", "plain"])
def test_a_saved_model_needs_nothing_else(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    model: NPVAE = request.getfixturevalue(name)
    model.save(tmp_path / "model.safetensors")
    again = NPVAE.load(tmp_path / "model.safetensors")
    assert again.get_params() == model.get_params()
    assert (again.history_, again.trained_on_) == (model.history_, model.trained_on_)
    points = model.transform(DIGITS)
    np.testing.assert_array_equal(again.transform(DIGITS), points)
    np.testing.assert_array_equal(again.inverse_transform(points[:9]), model.inverse_transform(points[:9]))
    np.testing.assert_array_equal(again.sample(3), model.sample(3))
    assert again.score(DIGITS) == model.score(DIGITS)
    again.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "model.safetensors").read_bytes()


def test_what_is_no_saved_model_is_refused_by_name(fitted: NPVAE, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with pytest.raises(NpvaeError, match=r"model\.safetensors: no such file"):
        NPVAE.load(path)
    fitted.save(path)
    raw = path.read_bytes()
    path.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    with pytest.raises(NpvaeError, match=r"model\.safetensors: .* bytes were changed"):
        NPVAE.load(path)
    path.write_bytes(raw[:100])
    with pytest.raises(NpvaeError, match=r"model\.safetensors: not a model"):
        NPVAE.load(path)
    save_models(path, {}, fitted.recipe_, {})
    with pytest.raises(NpvaeError, match=r"model\.safetensors: not a model that NPVAE\.save wrote"):
        NPVAE.load(path)


REFUSED = {
    "not a number": (np.full((4, 64), np.nan), "NaN"),
    "infinite": (np.full((4, 64), np.inf), "infinity"),
    "above one": (np.full((4, 64), 1.01), "from 1.01 to 1.01: grey values must be in [0, 1]"),
    "negative": (np.full((4, 64), -0.5), "grey values must be in [0, 1]"),
    "of no known scale": (np.ones((4, 64), np.int64), "images of type int64"),
    "of another width": (np.zeros((4, 65)), "65 features"),
    "of another shape": (np.zeros((4, 16, 4)), "images of shape [16, 4], and the model was fitted on [8, 8]"),
    "one image": (np.zeros(64), "Expected 2D array"),
    "in colour": (np.zeros((4, 8, 8, 3)), "makes grey values"),
    "none": (np.zeros((0, 64)), "0 sample"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_images_that_cannot_be_used_are_refused_in_a_sentence(kind: str, fitted: NPVAE) -> None:
    images, reason = REFUSED[kind]
    for method in (fitted.transform, fitted.score, fitted.negative_elbo):
        with pytest.raises(ValueError, match=re.escape(reason)):
            method(images)


@pytest.mark.parametrize("points", [np.zeros((2, 3)), np.full((2, 2), np.nan), np.zeros(2)])
def test_points_of_another_space_are_refused(points: np.ndarray, fitted: NPVAE) -> None:
    with pytest.raises(ValueError, match=r"3 dimensions, and the space has 2|NaN|Expected 2D"):
        fitted.inverse_transform(points)


WRONG = {
    "epochs": 0,
    "dropout": 1.0,
    "activations": "sigmoid",
    "divergence": "none",
    "learning_rate": float("nan"),
    "model": "advised",
    "z_dim": 0,
    "reference_images": 0,
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        NPVAE(**{**SMALL, name: WRONG[name]}).fit(DIGITS)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: model.sample(0), "n_samples: 0 is less than 1"),
        (lambda model: model.sample(-1), "n_samples: -1 is less than 1"),
        (lambda model: model.interpolate(DIGITS[0], DIGITS[1], steps=0), "steps: 0 is less than 1"),
        (lambda model: model.interpolate(DIGITS[0], DIGITS[1][:4]), r"start is of shape .*, and end of "),
        (lambda model: model.transform(np.zeros((3, 8, 8, 3))), r"\[8, 8, 3\], .* makes grey values"),
        (lambda model: NPVAE().fit(np.zeros((0, 8, 8))), "0 sample"),
    ],
)
def test_what_cannot_be_asked_for_is_said_in_its_own_words(
    call: Callable[[NPVAE], object], message: str, fitted: NPVAE
) -> None:
    with pytest.raises(ValueError, match=message):
        call(fitted)


def test_lists_are_arrays(fitted: NPVAE) -> None:
    grey = DIGITS[:3] / 255
    np.testing.assert_array_equal(fitted.transform(grey.tolist()), fitted.transform(grey))


def test_a_loss_that_is_not_finite_is_said() -> None:
    with pytest.raises(ValueError, match=r"the loss is .* a smaller learning_rate or, with an divergence"):
        NPVAE(2, **{**SMALL, "learning_rate": 1e30}).fit(DIGITS)


def test_the_package_offers_it_and_the_command_line_does_not_wait_for_torch() -> None:
    assert npvae.NPVAE is NPVAE
    with pytest.raises(AttributeError, match="nothing"):
        npvae.nothing  # noqa: B018
    program = (
        "import sys, npvae; assert 'torch' not in sys.modules; npvae.NPVAE; assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
