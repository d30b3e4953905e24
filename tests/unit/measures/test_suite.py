"""All measures of a model: what they are made of, what passes the encoders, and what takes memory."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from npvae.data.images import Split, grey
from npvae.figures import sweep
from npvae.latent.paths import arc, line
from npvae.latent.spaces import posterior, space_of
from npvae.measures.classifier import Classifier, probabilities
from npvae.measures.embedding import digit_accuracy, map_measures, match_r2
from npvae.measures.fidelity import median_bandwidth, mmd2, opinion
from npvae.measures.interpolation import random_pairs
from npvae.measures.likelihood import binarise, negative_log_likelihood
from npvae.measures.neighbours import Neighbours
from npvae.measures.suite import measure
from npvae.measures.terms import reconstruction, terms
from npvae.measures.yardstick import Yardstick
from npvae.model.vae import VAE, build
from npvae.settings import Measuring, ModelName, Network, Objective
from npvae.verdicts.claims import CLAIMS, Measures

SIZES = Measuring(
    neighbours=7,
    samples=30,
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
THROUGH_X = {"reconstruction_from_x", "match_r2", "length_scale"}
LIKELIHOOD = {"negative_log_likelihood", "negative_log_likelihood_binarised"}
SAMPLES = {"sample_mmd2", "sample_confidence", "sample_entropy", "sample_label_distance", "sample_nearest"}
ALONG = ("confidence", "entropy", "nearest", "midpoint_mmd2", "digit_changes", "unevenness")


def along(*paths: str) -> set[str]:
    return {f"{path}_{name}" for path in paths for name in ALONG}


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
    return Yardstick(Classifier().eval(), TRAIN, TEST, SIZES)


def model_of(name: ModelName, z_dim: int = 3) -> VAE:
    network, objective = Network(hidden_units=8), Objective(initial_length_scale=0.3)
    return build(name, z_dim, network, objective, seed=0).eval()


@pytest.mark.parametrize(
    ("name", "z_dim", "expected"),
    [
        ("vae", 2, MAP | along("linear_z", "slerp_z")),
        ("vae", 3, along("linear_z", "slerp_z")),
        ("npvae", 2, MAP | THROUGH_X | along("linear_x")),
        ("npvae", 3, MAP | THROUGH_X | along("linear_x")),
    ],
)
def test_each_model_has_the_measures_that_make_sense_of_it(
    name: ModelName, z_dim: int, expected: set[str], yardstick: Yardstick
) -> None:
    found = measure(model_of(name, z_dim), yardstick, ALL)
    assert set(found) == TERMS | {"digit_accuracy"} | LIKELIHOOD | SAMPLES | expected
    assert torch.tensor(list(found.values()), dtype=torch.float64).isfinite().all()


@pytest.mark.parametrize("name", ["vae", "npvae"])
def test_the_parts_are_those_of_the_embedded_test_images(name: ModelName, yardstick: Yardstick) -> None:
    model = model_of(name, 2)
    found, space = measure(model, yardstick, FEW), space_of(model, TRAIN.images, FEW)
    embedded = space.embed(TEST.images)
    expected = terms(model, TEST.images, embedded, seed=2)
    for neighbours, key in ((7, "digit_accuracy"), (1, "digit_accuracy_1nn")):
        points = space.points(TRAIN.images), TRAIN.labels, embedded.points, TEST.labels
        expected[key] = digit_accuracy(*points, neighbours=neighbours)
    expected |= map_measures(TEST, embedded.points, subset=20, seed=2)
    if name == "npvae":
        predicted = space.to_z(embedded.points)
        expected["reconstruction_from_x"] = reconstruction(model, TEST.images, predicted)
        expected["match_r2"] = match_r2(embedded.mu, predicted)
        expected["length_scale"] = pytest.approx(0.3)
    assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize("name", ["vae", "npvae"])
def test_the_likelihood_is_of_test_images_that_are_drawn_grey_and_binary(
    name: ModelName, yardstick: Yardstick
) -> None:
    model, drawn = model_of(name), TEST.draw(5, seed=2).images
    found = measure(model, yardstick, ALL)
    for key, images in (("", drawn), ("_binarised", binarise(drawn, seed=2))):
        expected = negative_log_likelihood(model, images, samples=4, seed=2)
        assert found[f"negative_log_likelihood{key}"] == expected


def test_samples_are_held_against_test_images_that_are_drawn(yardstick: Yardstick) -> None:
    model = model_of("vae")
    found = measure(model, yardstick, ALL)
    images = space_of(model, TRAIN.images).samples(30, seed=2)
    with torch.no_grad():
        features, real = map(yardstick.classifier.features, (images, TEST.draw(30, seed=2).images))
    expected = mmd2(features, real, median_bandwidth(real))
    assert found["sample_mmd2"] == pytest.approx(expected, abs=1e-6)
    for name, value in opinion(probabilities(yardstick.classifier, images)).items():
        assert found[f"sample_{name}"] == pytest.approx(value, rel=1e-5)
    nearest = torch.cdist(images, grey(TRAIN.images)).amin(1).mean()
    assert found["sample_nearest"] == pytest.approx(float(nearest), rel=1e-4)


def test_paths_of_a_plain_vae_run_between_the_means_of_pairs_of_training_images(
    yardstick: Yardstick,
) -> None:
    model = model_of("vae")
    found = measure(model, yardstick, ALL)
    mu, _ = posterior(model, TRAIN.images)
    pairs = random_pairs(TRAIN.labels, 6, seed=2)
    for name, path in (("linear_z", line), ("slerp_z", arc)):
        with torch.no_grad():
            between = model.decode(path(mu[pairs[:, 0]], mu[pairs[:, 1]], 3)).sigmoid()
        for key, value in yardstick.path(between).items():
            assert found[f"{name}_{key}"] == pytest.approx(value, rel=1e-4, abs=1e-6)


def test_samples_and_lines_through_x_use_the_reference_images(yardstick: Yardstick) -> None:
    model = model_of("npvae")
    found = measure(model, yardstick, FEW)
    with torch.no_grad():
        x, mu = model.embed(TRAIN.images), posterior(model, TRAIN.images)[0]
    start, end = x[random_pairs(TRAIN.labels, 6, seed=2).T]
    places = line(start, end, 3).flatten(0, 1).double()
    weights = (-(places[:, None] - x[FEW].double()).square().sum(-1) / (2 * 0.3**2)).softmax(-1)
    with torch.no_grad():
        between = model.decode((weights @ mu[FEW].double()).float()).sigmoid().unflatten(0, (6, 3))
    for key, value in yardstick.path(between).items():
        assert found[f"linear_x_{key}"] == pytest.approx(value, rel=1e-4, abs=1e-6)
    samples = space_of(model, TRAIN.images, FEW).samples(30, seed=2)
    for key, value in yardstick.samples(samples).items():
        assert found[key] == pytest.approx(value, rel=1e-4, abs=1e-6)


def test_nothing_but_what_goes_through_x_depends_on_the_reference_images(yardstick: Yardstick) -> None:
    model = model_of("npvae")
    every, few = (measure(model, yardstick, reference) for reference in (ALL, FEW))
    counts = {"sample_label_distance", "linear_x_digit_changes"}  # may agree by chance
    differ = {key for key in every if every[key] != few[key]} | counts
    assert differ == {"reconstruction_from_x", "match_r2"} | SAMPLES | along("linear_x")


@torch.no_grad()
def test_what_goes_through_x_is_the_kernel_mean_of_the_reference_images(yardstick: Yardstick) -> None:
    model = model_of("npvae")
    x, mu = model.embed(TEST.images).double(), posterior(model, TEST.images)[0].double()
    for reference in (ALL, FEW):
        known = TRAIN.images[reference]
        squared = (x[:, None] - model.embed(known).double()).square().sum(-1)
        z = (-squared / (2 * 0.3**2)).softmax(-1) @ posterior(model, known)[0].double()
        found = measure(model, yardstick, reference)
        nats = reconstruction(model, TEST.images, z.float())
        assert found["reconstruction_from_x"] == pytest.approx(nats, rel=1e-5)
        r2 = 1 - (mu - z).square().sum() / (mu - mu.mean(0)).square().sum()
        assert found["match_r2"] == pytest.approx(float(r2), rel=1e-4)


def test_the_order_does_not_matter_to_a_reference_set_of_all(yardstick: Yardstick) -> None:
    model = model_of("npvae")
    first, second = (measure(model, yardstick, order) for order in (ALL, ALL.flip(0)))
    drawn = SAMPLES  # draws name their centres by index
    assert {key: value for key, value in first.items() if key not in drawn} == pytest.approx(
        {key: value for key, value in second.items() if key not in drawn}, rel=1e-4, abs=1e-6
    )


def test_bytes_are_the_grey_values_that_they_stand_for(yardstick: Yardstick) -> None:
    shades = Yardstick(
        yardstick.classifier, *(Split(grey(one.images), one.labels) for one in (TRAIN, TEST)), SIZES
    )
    for name in ("vae", "npvae"):
        model = model_of(name, 2)
        assert measure(model, yardstick, FEW) == measure(model, shades, FEW)


def test_measuring_twice_gives_the_same_and_leaves_torchs_random_state(yardstick: Yardstick) -> None:
    model = model_of("npvae")
    before = torch.get_rng_state()
    first = measure(model, yardstick, FEW)
    assert torch.get_rng_state().equal(before)
    torch.rand(7)
    assert measure(model, yardstick, FEW) == first


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
    measure(model, yardstick, FEW)
    drawn = TEST.draw(5, seed=2).images
    likelihood = counted(drawn) + counted(binarise(drawn, seed=2))
    if name == "vae":
        assert to_z == counted(TRAIN.images) + counted(TEST.images) + likelihood
        assert not to_x
    else:
        assert to_z == counted(TRAIN.images[FEW]) + counted(TEST.images) + likelihood
        assert to_x == counted(TRAIN.images) + counted(TEST.images)


def test_all_that_the_claims_and_the_sweep_ask_for_is_measured(yardstick: Yardstick) -> None:
    rows = [
        {"model": name, "z_dim": z_dim, "seed": 0, "measure": key, "value": value}
        for name in ("vae", "npvae")
        for z_dim in (2, 3)
        for key, value in measure(model_of(name, z_dim), yardstick, ALL).items()
    ]
    measures = Measures(pd.DataFrame(rows), yardstick.real_images())
    measured = set(measures.table["measure"])
    for claim in CLAIMS:
        assert claim.conditions(measures)
        assert set(claim.headline) <= measured
    assert set(sweep.MEASURES) <= set(measures.table.loc[measures.table["model"] == "npvae", "measure"])


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
        yardstick = Yardstick(Classifier().eval(), many, TEST, SIZES)
        return measure(model_of(name, 2), yardstick, torch.arange(MANY))

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
