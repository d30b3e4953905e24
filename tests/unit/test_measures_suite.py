"""All measures of a model: what is drawn, what is computed once, and which models have which."""

from typing import Any

import pytest
import torch

from npvae.data import Split
from npvae.embed import Reference
from npvae.judge import Judge, probabilities
from npvae.measures.fidelity import median_bandwidth, mmd2, opinion
from npvae.measures.interpolation import line, random_pairs
from npvae.measures.suite import Sizes, Yardstick, measure, real_measures
from npvae.model import Network, NonparametricVAE, build
from npvae.sample import decode_x, sample_prior, sample_through_x

SIZES = Sizes(samples=30, importance_samples=4, likelihood_images=5, subset=20, pairs=6, steps=3, seed=2)
ALL = torch.arange(120)


def split(count: int, seed: int) -> Split:
    noise = torch.Generator().manual_seed(seed)
    return Split(torch.rand(count, 784, generator=noise), torch.randint(10, (count,), generator=noise))


@pytest.fixture
def yardstick() -> Yardstick:
    return Yardstick(Judge().eval(), split(120, 0), split(50, 1), SIZES)


def nonparametric() -> NonparametricVAE:
    return NonparametricVAE(3, Network(hidden_units=8), initial_length_scale=0.3).eval()


def test_samples_are_held_against_test_images_that_are_drawn(yardstick: Yardstick) -> None:
    model = build("vae", 3, Network(hidden_units=8), seed=0).eval()
    found = measure(model, yardstick, ALL)
    images = sample_prior(model, 30, seed=2)
    features, real = (
        yardstick.judge.features(one).detach() for one in (images, yardstick.test.draw(30, seed=2).images)
    )
    expected = mmd2(features, real, median_bandwidth(real))
    assert found["sample_mmd2"] == pytest.approx(expected, abs=1e-6)
    for name, value in opinion(probabilities(yardstick.judge, images)).items():
        assert found[f"sample_{name}"] == pytest.approx(value, rel=1e-5)
    nearest = torch.cdist(images, yardstick.train.images).amin(1).mean()
    assert found["sample_nearest"] == pytest.approx(float(nearest), rel=1e-4)


def test_real_images_are_drawn_of_both_splits(yardstick: Yardstick) -> None:
    train, real = (
        yardstick.judge.features(one.draw(30, seed=2).images).detach()
        for one in (yardstick.train, yardstick.test)
    )
    expected = mmd2(train, real, median_bandwidth(real))
    assert real_measures(yardstick)["sample_mmd2"] == pytest.approx(expected, abs=1e-6)


def test_what_no_model_changes_is_computed_once(
    yardstick: Yardstick, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def counted(*args: Any) -> float:
        calls.append(1)
        return median_bandwidth(*args)

    monkeypatch.setattr("npvae.measures.suite.median_bandwidth", counted)
    for _ in range(2):
        measure(nonparametric(), yardstick, ALL)
    assert len(calls) == 1


def test_samples_and_lines_through_x_use_the_reference_images(yardstick: Yardstick) -> None:
    model, few = nonparametric(), torch.tensor([100, 7, 33, 50])
    found = measure(model, yardstick, few)
    known = Reference.of(model, yardstick.train.images[few])
    samples = sample_through_x(model, 30, known, seed=2)
    pairs = random_pairs(yardstick.train.labels, 6, seed=2)
    with torch.no_grad():
        start, end = (model.embed(yardstick.train.images[side]) for side in pairs.T)
    between = decode_x(model, line(start, end, 3).flatten(0, 1), known)
    for name, images in (("sample", samples), ("linear_x", between)):
        expected = opinion(probabilities(yardstick.judge, images))["confidence"]
        assert found[f"{name}_confidence"] == pytest.approx(expected, rel=1e-5)
    middles = yardstick.features(between.unflatten(0, (6, 3))[:, 1])
    assert found["linear_x_midpoint_mmd2"] == pytest.approx(yardstick.mmd2(middles), abs=1e-6)
    every = measure(model, yardstick, ALL)
    assert {key for key in every if every[key] == found[key]} == {
        *("knn_1", "knn_10", "trustworthiness", "silhouette"),
        *("negative_log_likelihood", "negative_log_likelihood_binarised"),
    } | {key for key in ("sample_label_distance", "linear_x_digit_changes") if every[key] == found[key]}


def test_an_embedding_is_measured_where_there_is_one_of_two_dimensions(yardstick: Yardstick) -> None:
    names = {
        z_dim: set(measure(build("vae", z_dim, Network(hidden_units=8), seed=0).eval(), yardstick, ALL))
        for z_dim in (2, 3)
    }
    assert names[2] - names[3] == {"knn_1", "knn_10", "trustworthiness", "silhouette"}
    assert not names[3] - names[2]
    assert {"linear_z_nearest", "slerp_z_midpoint_mmd2"} <= names[3]
    assert "linear_x_nearest" in measure(nonparametric(), yardstick, ALL)
