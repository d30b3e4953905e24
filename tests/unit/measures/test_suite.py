"""All measures of a model: what they are made of, what passes the encoders, and what takes memory."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from npvae.data.images import Split, grey
from npvae.latent.densities import draw_kernel, draw_mixture
from npvae.latent.paths import arc, line
from npvae.latent.spaces import XSpace, posterior, space_of
from npvae.measures.classifier import Classifier
from npvae.measures.embedding import digit_accuracy, map_measures, match_r2
from npvae.measures.interpolation import random_pairs
from npvae.measures.likelihood import binarise, log_likelihoods
from npvae.measures.neighbours import Neighbours
from npvae.measures.suite import measure
from npvae.measures.terms import reconstruction, terms
from npvae.measures.yardstick import Yardstick, averages
from npvae.model.vae import VAE, build
from npvae.settings import Measuring, ModelName, Network, Objective

SIZES = Measuring(
    neighbours=7,
    samples=30,
    mixture_components=2,
    importance_samples=4,
    likelihood_images=5,
    subset=20,
    pairs=6,
    steps=3,
    seed=2,
)
FEW = torch.tensor([100, 7, 33, 50])
TERMS = {"reconstruction", "kl", "negative_elbo", "active_units"}
MAP = {"digit_accuracy_1nn", "trustworthiness", "silhouette"}
LIKELIHOOD = {"negative_log_likelihood", "negative_log_likelihood_binarised"}
SEEN = {"sample_mmd2", "sample_confidence", "sample_entropy", "sample_label_distance"}
SAMPLES = SEEN | {"sample_mmd2_pixels", "sample_nearest"}
MIDPOINTS = ("midpoint_confidence", "midpoint_third", "midpoint_mmd2")
ALONG = ("confidence", "entropy", "nearest", "digit_changes", "unevenness", *MIDPOINTS)


def along(*paths: str) -> set[str]:
    return {f"{path}_{name}" for path in paths for name in ALONG}


def ending(names: set[str], *ends: str) -> set[str]:
    return {name + end for name in names for end in ends}


PREDICTED = {"reconstruction_from_x", "match_r2", "length_scale", "negative_log_likelihood_x"}
OF_X = ending(PREDICTED | SAMPLES | along("linear_x"), "", "_loo")
OF_Z = ending(SAMPLES, "", "_mixture", "_kde") | along("linear_z", "slerp_z")


def images_of(count: int, seed: int) -> Tensor:
    noise = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, 784), generator=noise, dtype=torch.uint8)


def split(count: int, seed: int) -> Split:
    noise = torch.Generator().manual_seed(seed + 100)
    return Split(images_of(count, seed), torch.randint(10, (count,), generator=noise))


TRAIN, TEST = split(120, 0), split(50, 1)
ALL = torch.arange(120)


@pytest.fixture
def yardstick() -> Yardstick:
    return Yardstick([Classifier().eval(), Classifier().eval()], TRAIN, TEST, SIZES)


def model_of(name: ModelName, z_dim: int = 3) -> VAE:
    network, objective = Network(hidden_units=8), Objective(initial_length_scale=0.3)
    return build(name, z_dim, network, objective, seed=0).eval()


def measured(model: VAE, yardstick: Yardstick, reference: Tensor = ALL, seed: int = 1) -> dict[str, float]:
    """Averages over the classifiers."""
    return averages(measure(model, yardstick, reference, seed=seed).values)


@pytest.mark.parametrize(
    ("name", "z_dim", "expected"),
    [
        ("vae", 2, MAP | OF_Z),
        ("vae", 3, OF_Z),
        ("npvae", 2, MAP | OF_X),
        ("npvae", 3, MAP | OF_X),
        ("advised", 3, MAP | OF_X),
    ],
)
def test_each_model_has_the_measures_that_make_sense_of_it(
    name: ModelName, z_dim: int, expected: set[str], yardstick: Yardstick
) -> None:
    found = measure(model_of(name, z_dim), yardstick, ALL, seed=0)
    assert {eye.measure for eye in found.values} == TERMS | {"digit_accuracy"} | LIKELIHOOD | expected
    assert torch.tensor(list(found.values.values()), dtype=torch.float64).isfinite().all()
    by_second = {eye.measure for eye in found.values if eye.classifier == 1}
    by_none = {eye.measure for eye in found.values if eye.classifier is None}
    assert by_second & SAMPLES == SEEN
    assert all("midpoint" in measure or measure.startswith(tuple(SEEN)) for measure in by_second)
    assert not by_second & by_none


UNLABELLED = (Split(TRAIN.images, torch.zeros(120).long()), Split(TEST.images, torch.zeros(50).long()))


@pytest.mark.parametrize("name", ["vae", "npvae"])
def test_without_labels_what_needs_none_is_measured_and_is_the_same(
    name: ModelName, yardstick: Yardstick
) -> None:
    model = model_of(name, 2)
    labelled = measure(model, yardstick, ALL, seed=0)
    found = measure(model, Yardstick([], *UNLABELLED, SIZES), ALL, seed=0)
    told = ("digit_accuracy", "silhouette", "confidence", "entropy", "label_distance", "changes", "midpoint")
    needing = {
        eye
        for eye in labelled.values
        if eye.classifier is not None or any(word in eye.measure for word in told)
    }
    assert set(found.values) == set(labelled.values) - needing
    assert not [item for item in found.items if any(word in item for word in told)]
    paths = ("linear_", "slerp_")  # between other pairs of images
    for eye, value in found.values.items():
        if not eye.measure.startswith(paths):
            assert value == labelled.values[eye], eye


def test_without_labels_paths_run_between_any_two_images() -> None:
    model, yardstick = model_of("vae"), Yardstick([], *UNLABELLED, SIZES)
    pairs = random_pairs(torch.arange(120), 6, seed=2)
    mu, _ = posterior(model, TRAIN.images)
    with torch.no_grad():
        between = model.decode(line(*mu[pairs.T], 3)).sigmoid()
    expected, none = yardstick.path(between, pairs, seed=1)
    assert none is None
    found = measured(model, yardstick)
    assert found["linear_z_unevenness"] == pytest.approx(averages(expected)["unevenness"], rel=1e-4)
    assert found["linear_z_nearest"] == pytest.approx(averages(expected)["nearest"], rel=1e-4)


def test_what_goes_through_x_is_measured_with_the_length_scales_asked_for(yardstick: Yardstick) -> None:
    model = model_of("npvae")
    both = measure(model, yardstick, FEW, seed=1)
    found = measure(model, yardstick, FEW, seed=1, length_scales=["leave-one-out"])
    learned = {eye for eye in both.values if eye.measure in OF_X and not eye.measure.endswith("_loo")}
    assert found.values == {eye: value for eye, value in both.values.items() if eye not in learned}
    assert both.items.keys() - found.items.keys() == {
        "reconstruction_from_x",
        "negative_log_likelihood_x",
        "linear_x_midpoint_confidence",
    }


@pytest.mark.parametrize("name", ["vae", "npvae"])
def test_items_are_what_measures_are_the_mean_of(name: ModelName, yardstick: Yardstick) -> None:
    found = measure(model_of(name), yardstick, ALL, seed=0)
    values, counts = averages(found.values), {key: len(item) for key, item in found.items.items()}
    for key, item in found.items.items():
        assert values[key] == pytest.approx(float(item.double().mean()), rel=1e-6)
    paths = {"vae": ("linear_z", "slerp_z"), "npvae": ("linear_x",)}[name]
    expected = {"reconstruction": 50, "digit_accuracy": 50} | dict.fromkeys(LIKELIHOOD, 5)
    expected |= {f"{path}_midpoint_confidence": 6 for path in paths}
    if name == "npvae":
        expected |= {"reconstruction_from_x": 50, "negative_log_likelihood_x": 5}
        for key in ("reconstruction_from_x", "negative_log_likelihood_x", "linear_x_midpoint_confidence"):
            expected[f"{key}_loo"] = expected[key]
    assert counts == expected


@pytest.mark.parametrize("name", ["vae", "npvae"])
def test_the_parts_are_those_of_the_embedded_test_images(name: ModelName, yardstick: Yardstick) -> None:
    model = model_of(name, 2)
    found, space = measured(model, yardstick, FEW), space_of(model, TRAIN.images, FEW)
    embedded = space.embed(TEST.images)
    expected: dict[str, float] = {
        key: float(each.mean()) for key, each in terms(model, TEST.images, embedded, seed=2).items()
    }
    expected["active_units"] = int((embedded.mu.var(0, correction=0) > 0.01).sum())
    for neighbours, key in ((7, "digit_accuracy"), (1, "digit_accuracy_1nn")):
        points = space.points(TRAIN.images), TRAIN.labels, embedded.points, TEST.labels
        expected[key] = digit_accuracy(*points, neighbours=neighbours)
    expected |= map_measures(TEST, embedded.points, subset=20, seed=2)
    if name == "npvae":
        predicted = space.to_z(embedded.points)
        expected["reconstruction_from_x"] = float(reconstruction(model, TEST.images, predicted).mean())
        expected["match_r2"] = match_r2(embedded.mu, predicted)
        expected["length_scale"] = pytest.approx(0.3)
    assert {key: found[key] for key in expected} == expected


def test_the_second_reading_is_a_space_with_the_leave_one_out_length_scale(yardstick: Yardstick) -> None:
    model = model_of("npvae", 2)
    found = measured(model, yardstick, FEW)
    space = XSpace(model, TRAIN.images, FEW, "leave-one-out")
    embedded = space.embed(TEST.images)
    predicted = space.to_z(embedded.points)
    assert found["length_scale_loo"] == pytest.approx(float(space.length_scale))
    assert found["length_scale_loo"] != found["length_scale"]
    assert found["match_r2_loo"] == pytest.approx(match_r2(embedded.mu, predicted), abs=1e-6)
    nats = float(reconstruction(model, TEST.images, predicted).mean())
    assert found["reconstruction_from_x_loo"] == pytest.approx(nats, rel=1e-6)
    of_samples = averages(yardstick.samples(space.samples(30, seed=1), seed=1))
    for key, value in of_samples.items():
        assert found[f"{key}_loo"] == pytest.approx(value, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("name", ["vae", "npvae"])
def test_the_likelihood_is_of_test_images_that_are_drawn_grey_and_binary(
    name: ModelName, yardstick: Yardstick
) -> None:
    model, drawn = model_of(name), TEST.draw(5, seed=2).images
    found = measured(model, yardstick)
    for key, images in (("", drawn), ("_binarised", binarise(drawn, seed=2))):
        expected = -float(log_likelihoods(model, images, samples=4, seed=2).mean())
        assert found[f"negative_log_likelihood{key}"] == expected


def test_samples_are_of_the_prior_and_of_densities_fitted_afterwards(yardstick: Yardstick) -> None:
    model = model_of("vae")
    found = measured(model, yardstick)
    space = space_of(model, TRAIN.images)
    mu = posterior(model, TRAIN.images)[0]
    for end, z in (
        ("", torch.randn(30, 3, generator=torch.Generator().manual_seed(1))),
        ("_mixture", draw_mixture(mu, 30, components=2, seed=1)),
        ("_kde", draw_kernel(mu, 30, seed=1)),
    ):
        for key, value in averages(yardstick.samples(space.decode(z), seed=1)).items():
            assert found[key + end] == pytest.approx(value, rel=1e-4, abs=1e-6)


def test_paths_of_a_plain_vae_run_between_the_means_of_pairs_of_training_images(
    yardstick: Yardstick,
) -> None:
    model = model_of("vae")
    found = measured(model, yardstick)
    mu, _ = posterior(model, TRAIN.images)
    pairs = random_pairs(TRAIN.labels, 6, seed=2)
    for name, path in (("linear_z", line), ("slerp_z", arc)):
        with torch.no_grad():
            between = model.decode(path(mu[pairs[:, 0]], mu[pairs[:, 1]], 3)).sigmoid()
        for key, value in averages(yardstick.path(between, TRAIN.labels[pairs], seed=1)[0]).items():
            assert found[f"{name}_{key}"] == pytest.approx(value, rel=1e-4, abs=1e-6)


def test_samples_and_lines_through_x_use_the_reference_images(yardstick: Yardstick) -> None:
    model = model_of("npvae")
    found = measured(model, yardstick, FEW)
    with torch.no_grad():
        x, mu = model.embed(TRAIN.images), posterior(model, TRAIN.images)[0]
    pairs = random_pairs(TRAIN.labels, 6, seed=2)
    places = line(*x[pairs.T], 3).flatten(0, 1).double()
    weights = (-(places[:, None] - x[FEW].double()).square().sum(-1) / (2 * 0.3**2)).softmax(-1)
    with torch.no_grad():
        between = model.decode((weights @ mu[FEW].double()).float()).sigmoid().unflatten(0, (6, 3))
    for key, value in averages(yardstick.path(between, TRAIN.labels[pairs], seed=1)[0]).items():
        assert found[f"linear_x_{key}"] == pytest.approx(value, rel=1e-4, abs=1e-6)
    samples = space_of(model, TRAIN.images, FEW).samples(30, seed=1)
    for key, value in averages(yardstick.samples(samples, seed=1)).items():
        assert found[key] == pytest.approx(value, rel=1e-4, abs=1e-6)


def test_nothing_but_what_goes_through_x_depends_on_the_reference_images(yardstick: Yardstick) -> None:
    model = model_of("npvae")
    every, few = (measured(model, yardstick, reference) for reference in (ALL, FEW))
    # may agree by chance
    counts = ending(
        {"sample_label_distance", "linear_x_digit_changes", "linear_x_midpoint_third"}, "", "_loo"
    )
    differ = {key for key in every if every[key] != few[key]} | counts
    assert differ == OF_X - {"length_scale"}


@torch.no_grad()
def test_what_goes_through_x_is_the_kernel_mean_of_the_reference_images(yardstick: Yardstick) -> None:
    model = model_of("npvae")
    x, mu = model.embed(TEST.images).double(), posterior(model, TEST.images)[0].double()
    for reference in (ALL, FEW):
        known = TRAIN.images[reference]
        squared = (x[:, None] - model.embed(known).double()).square().sum(-1)
        z = (-squared / (2 * 0.3**2)).softmax(-1) @ posterior(model, known)[0].double()
        found = measured(model, yardstick, reference)
        nats = float(reconstruction(model, TEST.images, z.float()).mean())
        assert found["reconstruction_from_x"] == pytest.approx(nats, rel=1e-5)
        r2 = 1 - (mu - z).square().sum() / (mu - mu.mean(0)).square().sum()
        assert found["match_r2"] == pytest.approx(float(r2), rel=1e-4)


def test_bytes_are_the_grey_values_that_they_stand_for(yardstick: Yardstick) -> None:
    shades = Yardstick(
        yardstick.classifiers, *(Split(grey(one.images), one.labels) for one in (TRAIN, TEST)), SIZES
    )
    for name in ("vae", "npvae"):
        model = model_of(name, 2)
        assert measured(model, yardstick, FEW) == measured(model, shades, FEW)


def test_measuring_twice_gives_the_same_and_leaves_torchs_random_state(yardstick: Yardstick) -> None:
    for model in (model_of("npvae"), model_of("vae")):
        before = torch.get_rng_state()
        first = measured(model, yardstick, FEW)
        assert torch.get_rng_state().equal(before)
        torch.rand(7)
        assert measured(model, yardstick, FEW) == first


def test_the_models_seed_decides_samples_and_real_images_and_nothing_else(yardstick: Yardstick) -> None:
    model = model_of("npvae")
    first, other = (measured(model, yardstick, FEW, seed) for seed in (0, 1))
    differ = {key for key in first if first[key] != other[key]}
    assert differ <= ending(SAMPLES | {"linear_x_midpoint_mmd2"}, "", "_loo")
    assert "sample_mmd2" in differ


def counted(images: Tensor) -> Counter[bytes]:
    """How often each image is among some, by its grey values."""
    return Counter(image.numpy().tobytes() for image in grey(images))


@pytest.mark.parametrize("name", ["vae", "npvae"])
def test_every_image_passes_every_encoder_once_but_for_the_likelihoods_draws(
    name: ModelName, yardstick: Yardstick
) -> None:
    """Counted are the rows that the networks themselves get, whoever calls them."""
    model = model_of(name)
    to_z, to_x = Counter[bytes](), Counter[bytes]()
    model.encoder.register_forward_pre_hook(lambda _, given: to_z.update(counted(given[0])))
    if name == "npvae":
        model.x_encoder.register_forward_pre_hook(lambda _, given: to_x.update(counted(given[0])))
    measured(model, yardstick, FEW)
    drawn = TEST.draw(5, seed=2).images
    likelihood = counted(drawn) + counted(binarise(drawn, seed=2))
    if name == "vae":
        assert to_z == counted(TRAIN.images) + counted(TEST.images) + likelihood
        assert not to_x
    else:
        assert to_z == counted(TRAIN.images[FEW]) + counted(TEST.images) + likelihood
        assert to_x == counted(TRAIN.images) + counted(TEST.images)


class Floats(TorchDispatchMode):
    """Watches what is computed; ``largest`` is how many elements the largest float tensor had."""

    def __init__(self) -> None:
        super().__init__()
        self.largest = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = function(*args, **(kwargs or {}))
        for one in results if isinstance(results, tuple | list) else [results]:
            if isinstance(one, Tensor) and one.is_floating_point():
                self.largest = max(self.largest, one.numel())
        return results


MANY = 20_000


def many_measured(name: ModelName) -> Callable[[Split], object]:
    def measured(many: Split) -> object:
        yardstick = Yardstick([Classifier().eval()], many, TEST, SIZES)
        return measure(model_of(name, 2), yardstick, torch.arange(MANY), seed=0)

    return measured


TASKS: dict[str, Callable[[Split], object]] = {
    "neighbours": lambda many: Neighbours(many.images).nearest(many.images[:300]),
    "neighbours of all": lambda many: Neighbours(many.images[:500]).nearest(many.images),
    "z of the plain VAE": lambda many: space_of(model_of("vae"), many.images).train_points,
    "x of the nonparametric VAE": lambda many: space_of(model_of("npvae"), many.images).train_points,
    "embedding": lambda many: space_of(model_of("npvae"), many.images[:9]).embed(many.images),
    "posterior": lambda many: posterior(model_of("vae"), many.images),
    "prediction": lambda many: space_of(model_of("npvae"), many.images).to_z(torch.zeros(50, 2)),
    "reconstruction": lambda many: reconstruction(model_of("vae"), many.images, torch.zeros(MANY, 3)),
    "all measures of the plain VAE": many_measured("vae"),
    "all measures of the nonparametric VAE": many_measured("npvae"),
}


@pytest.mark.parametrize("task", TASKS)
def test_no_float_copy_of_the_images_is_made(task: str) -> None:
    many = split(MANY, 5)
    with Floats() as watched:
        TASKS[task](many)
    assert 0 < watched.largest < many.images.numel() / 1.5


def test_a_float_copy_would_be_seen() -> None:
    images = images_of(50, 0)
    with Floats() as watched:
        grey(images)
    assert watched.largest == images.numel()
