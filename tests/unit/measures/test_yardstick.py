"""What generated images are held against: what is drawn, in whose eyes, and what is computed once."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from npvae.data.images import Split, grey, random_subset
from npvae.measures import yardstick as module
from npvae.measures.classifier import Classifier, probabilities
from npvae.measures.fidelity import label_distance, median_bandwidth, mmd2, opinion
from npvae.measures.interpolation import digit_changes, unevenness
from npvae.measures.yardstick import Yardstick
from npvae.settings import Measuring

SIZES = Measuring(samples=30, seed=2)


def split(count: int, seed: int) -> Split:
    noise = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (count, 784), generator=noise, dtype=torch.uint8)
    return Split(images, torch.randint(10, (count,), generator=noise))


TRAIN, TEST = split(120, 0), split(50, 1)
GENERATED = torch.rand(24, 784, generator=torch.Generator().manual_seed(3))


def sharp() -> Classifier:
    """A classifier that takes sides."""
    classifier = Classifier().eval()
    with torch.no_grad():
        classifier.head.weight.mul_(300)
    return classifier


@pytest.fixture
def yardstick() -> Yardstick:
    return Yardstick(sharp(), TRAIN, TEST, SIZES)


@torch.no_grad()
def features(yardstick: Yardstick, images: Tensor) -> Tensor:
    return yardstick.classifier.body(grey(images))


def distances(images: Tensor) -> Tensor:
    """To all training images."""
    return (grey(images).double()[:, None] - grey(TRAIN.images).double()).square().sum(-1).sqrt()


def test_features_and_probabilities_are_the_classifiers(yardstick: Yardstick) -> None:
    found = yardstick.features(TEST.images)
    assert found.shape == (50, 64)
    torch.testing.assert_close(found, features(yardstick, TEST.images))
    expected = probabilities(yardstick.classifier, TEST.images)
    torch.testing.assert_close(yardstick.classified(found), expected)
    assert not found.requires_grad
    assert not yardstick.classified(found).requires_grad


def test_the_real_images_are_test_images_that_are_drawn(yardstick: Yardstick) -> None:
    drawn = TEST.images[random_subset(50, 30, seed=2)]
    real, bandwidth = yardstick.real
    torch.testing.assert_close(real, features(yardstick, drawn))
    assert bandwidth == pytest.approx(median_bandwidth(real))


def test_samples_are_held_against_real_images_digits_and_the_training_set(yardstick: Yardstick) -> None:
    found = yardstick.samples(GENERATED)
    told = probabilities(yardstick.classifier, GENERATED)
    real = features(yardstick, TEST.images[random_subset(50, 30, seed=2)])
    assert set(found) == {
        f"sample_{name}" for name in ("mmd2", "confidence", "entropy", "label_distance", "nearest")
    }
    expected = mmd2(features(yardstick, GENERATED), real, median_bandwidth(real))
    assert found["sample_mmd2"] == pytest.approx(expected, abs=1e-6)
    for name, value in opinion(told).items():
        assert found[f"sample_{name}"] == pytest.approx(value, rel=1e-5)
    assert found["sample_label_distance"] == pytest.approx(label_distance(told, TEST.labels))
    nearest = distances(GENERATED).amin(1).mean()
    assert found["sample_nearest"] == pytest.approx(float(nearest), rel=1e-5)


@pytest.mark.parametrize(("steps", "middle"), [(2, 1), (3, 1), (4, 2), (6, 3)])
def test_paths_are_measured_along_and_at_their_middle(yardstick: Yardstick, steps: int, middle: int) -> None:
    paths = GENERATED.unflatten(0, (-1, steps))
    found = yardstick.path(paths)
    told = probabilities(yardstick.classifier, GENERATED)
    expected = {
        **opinion(told),
        "nearest": float(distances(GENERATED).amin(1).mean()),
        "midpoint_mmd2": yardstick.mmd2(features(yardstick, paths[:, middle])),
        "digit_changes": digit_changes(told.unflatten(0, (-1, steps))),
        "unevenness": unevenness(paths),
    }
    assert found == {name: pytest.approx(value, rel=1e-4, abs=1e-6) for name, value in expected.items()}


def test_real_images_are_drawn_of_both_splits(yardstick: Yardstick) -> None:
    found = yardstick.real_images()
    train, test = (one.images[random_subset(len(one.labels), 30, seed=2)] for one in (TRAIN, TEST))
    real = features(yardstick, test)
    expected = mmd2(features(yardstick, train), real, median_bandwidth(real))
    assert found["sample_mmd2"] == pytest.approx(expected, abs=1e-6)
    told = probabilities(yardstick.classifier, test)
    assert found["sample_confidence"] == pytest.approx(opinion(told)["confidence"], rel=1e-5)
    assert found["sample_label_distance"] == pytest.approx(label_distance(told, TEST.labels))
    assert found["sample_nearest"] == pytest.approx(float(distances(test).amin(1).mean()), rel=1e-5)


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
    for _ in range(2):
        yardstick.samples(GENERATED)
        yardstick.path(GENERATED.unflatten(0, (-1, 4)))
    yardstick.real_images()
    assert sorted(calls) == ["Neighbours", "median_bandwidth"]


def test_bytes_are_the_grey_values_that_they_stand_for(yardstick: Yardstick) -> None:
    shades = Yardstick(
        yardstick.classifier, *(Split(grey(one.images), one.labels) for one in (TRAIN, TEST)), SIZES
    )
    assert yardstick.real_images() == shades.real_images()
    assert yardstick.samples(GENERATED) == shades.samples(GENERATED)
    stored = TEST.images[:20].unflatten(0, (-1, 4))
    assert yardstick.samples(TEST.images[:20]) == shades.samples(grey(TEST.images[:20]))
    assert yardstick.path(grey(stored)) == shades.path(grey(stored))
