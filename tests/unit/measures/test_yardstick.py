"""What generated images are held against: what is drawn, in whose eyes, and what is computed once."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from npvae.data.images import Split, grey, random_subset
from npvae.measures import yardstick as module
from npvae.measures.classifier import Classifier, probabilities
from npvae.measures.fidelity import label_distance, median_bandwidth, mmd2, opinion
from npvae.measures.interpolation import digit_changes, unevenness
from npvae.measures.yardstick import Eye, Yardstick, averages
from npvae.settings import Measuring

SIZES = Measuring(samples=30, seed=2)


def split(count: int, seed: int) -> Split:
    noise = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (count, 784), generator=noise, dtype=torch.uint8)
    return Split(images, torch.randint(10, (count,), generator=noise))


TRAIN, TEST = split(200, 0), split(50, 1)
GENERATED = torch.rand(24, 784, generator=torch.Generator().manual_seed(3))


def sharp(seed: int) -> Classifier:
    """A classifier that takes sides."""
    torch.manual_seed(seed)
    classifier = Classifier().eval()
    with torch.no_grad():
        classifier.head.weight.mul_(300)
    return classifier


@pytest.fixture
def yardstick() -> Yardstick:
    return Yardstick([sharp(0), sharp(1)], TRAIN, TEST, SIZES)


@torch.no_grad()
def features(yardstick: Yardstick, eye: int, images: Tensor) -> Tensor:
    return yardstick.classifiers[eye].body(grey(images))


def distances(images: Tensor) -> Tensor:
    """To all training images."""
    return (grey(images).double()[:, None] - grey(TRAIN.images).double()).square().sum(-1).sqrt()


def components(images: Tensor) -> Tensor:
    """Leading principal components of the training images, by numpy's singular values."""
    train = grey(TRAIN.images).double().numpy()
    axes = np.linalg.svd(train - train.mean(0), full_matrices=False)[2][:128]
    return torch.from_numpy((grey(images).double().numpy() - train.mean(0)) @ axes.T)


def to_real(found: Tensor, real: Tensor) -> float:
    return mmd2(found, real, median_bandwidth(real))


def test_features_and_probabilities_are_the_classifiers(yardstick: Yardstick) -> None:
    for eye in (0, 1):
        found = yardstick.features(TEST.images, eye)
        assert found.shape == (50, 64)
        torch.testing.assert_close(found, features(yardstick, eye, TEST.images))
        expected = probabilities(yardstick.classifiers[eye], TEST.images)
        torch.testing.assert_close(yardstick.classified(found, eye), expected)
        assert not found.requires_grad
        assert not yardstick.classified(found, eye).requires_grad


def test_samples_are_held_against_real_images_digits_and_the_training_set(yardstick: Yardstick) -> None:
    found = yardstick.samples(GENERATED, seed=5)
    drawn = TEST.images[random_subset(50, 30, seed=5)]
    for eye in (0, 1):
        told = probabilities(yardstick.classifiers[eye], GENERATED)
        expected = to_real(*(features(yardstick, eye, images) for images in (GENERATED, drawn)))
        assert found[Eye("sample_mmd2", eye)] == pytest.approx(expected, abs=1e-6)
        for name, value in opinion(told).items():
            assert found[Eye(f"sample_{name}", eye)] == pytest.approx(value, rel=1e-5)
        assert found[Eye("sample_label_distance", eye)] == pytest.approx(label_distance(told, TEST.labels))
    nearest = distances(GENERATED).amin(1).mean()
    assert found[Eye("sample_nearest")] == pytest.approx(float(nearest), rel=1e-5)
    in_pixels = to_real(components(GENERATED), components(drawn))
    assert found[Eye("sample_mmd2_pixels")] == pytest.approx(in_pixels, rel=0.02)
    assert len(found) == 2 * 4 + 2


def test_other_real_images_are_drawn_for_another_seed(yardstick: Yardstick) -> None:
    first, again, other = (yardstick.samples(GENERATED, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert {eye.measure for eye in first if first[eye] != other[eye]} == {"sample_mmd2", "sample_mmd2_pixels"}


@pytest.mark.parametrize(("steps", "middle"), [(2, 1), (3, 1), (4, 2), (6, 3)])
def test_paths_are_measured_along_and_at_their_middle(yardstick: Yardstick, steps: int, middle: int) -> None:
    paths = GENERATED.unflatten(0, (-1, steps))
    ends = torch.randint(10, (len(paths), 2), generator=torch.Generator().manual_seed(4))
    found, confidences = yardstick.path(paths, ends, seed=2)
    told = probabilities(yardstick.classifiers[0], GENERATED)
    expected = {
        **{Eye(name, 0): value for name, value in opinion(told).items()},
        Eye("nearest"): float(distances(GENERATED).amin(1).mean()),
        Eye("digit_changes", 0): digit_changes(told.unflatten(0, (-1, steps))),
        Eye("unevenness"): unevenness(paths),
    }
    each = []
    for eye in (0, 1):
        midpoints = probabilities(yardstick.classifiers[eye], paths[:, middle])
        each.append(midpoints.amax(1))
        third = [digit not in pair for digit, pair in zip(midpoints.argmax(1), ends, strict=True)]
        seen = features(yardstick, eye, paths[:, middle])
        expected |= {
            Eye("midpoint_confidence", eye): float(midpoints.amax(1).mean()),
            Eye("midpoint_third", eye): sum(third) / len(third),
            Eye("midpoint_mmd2", eye): yardstick.mmd2(seen, eye, 2),
        }
    assert found == {eye: pytest.approx(value, rel=1e-4, abs=1e-6) for eye, value in expected.items()}
    torch.testing.assert_close(confidences, torch.stack(each).mean(0).double(), rtol=1e-5, atol=1e-6)


def test_real_images_are_drawn_of_both_splits(yardstick: Yardstick) -> None:
    found = yardstick.real_images()
    train, test = (one.images[random_subset(len(one.labels), 30, seed=2)] for one in (TRAIN, TEST))
    expected = [to_real(*(features(yardstick, eye, images) for images in (train, test))) for eye in (0, 1)]
    assert found["sample_mmd2"] == pytest.approx(sum(expected) / 2, abs=1e-6)
    told = [probabilities(classifier, test) for classifier in yardstick.classifiers]
    confidence = sum(opinion(one)["confidence"] for one in told) / 2
    assert found["sample_confidence"] == pytest.approx(confidence, rel=1e-5)
    distance = sum(label_distance(one, TEST.labels) for one in told) / 2
    assert found["sample_label_distance"] == pytest.approx(distance)
    assert found["sample_nearest"] == pytest.approx(float(distances(test).amin(1).mean()), rel=1e-5)


def test_averages_are_taken_over_the_classifiers() -> None:
    values = {Eye("a", 0): 1.0, Eye("a", 1): 4.0, Eye("b"): 7.0}
    assert averages(values) == {"a": 2.5, "b": 7.0}


def test_images_of_the_training_set_are_at_no_distance_from_it(yardstick: Yardstick) -> None:
    assert yardstick.nearest(TRAIN.images[:30]) == 0


def test_what_no_model_changes_is_computed_once(
    yardstick: Yardstick, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def counted(name: str) -> None:
        original: Callable[..., object] = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *args, **kwargs: calls.append(name) or original(*args, **kwargs)
        )

    counted("median_bandwidth")
    counted("Neighbours")
    digits = torch.zeros(6, 2)
    for _ in range(2):
        yardstick.samples(GENERATED, seed=2)
        yardstick.path(GENERATED.unflatten(0, (-1, 4)), digits, seed=2)
    yardstick.real_images()
    assert sorted(calls) == ["Neighbours", *3 * ["median_bandwidth"]]  # two classifiers, and pixels


def test_bytes_are_the_grey_values_that_they_stand_for(yardstick: Yardstick) -> None:
    shades = Yardstick(
        yardstick.classifiers, *(Split(grey(one.images), one.labels) for one in (TRAIN, TEST)), SIZES
    )
    assert yardstick.real_images() == shades.real_images()
    assert yardstick.samples(GENERATED, seed=0) == shades.samples(GENERATED, seed=0)
    stored, digits = TEST.images[:20], torch.zeros(5, 2)
    assert yardstick.samples(stored, seed=0) == shades.samples(grey(stored), seed=0)
    paths = grey(stored).unflatten(0, (-1, 4))
    assert yardstick.path(paths, digits, seed=0)[0] == shades.path(paths, digits, seed=0)[0]
