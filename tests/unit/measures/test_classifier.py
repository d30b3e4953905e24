"""The classifier's features and training, on images that a few steps suffice to tell apart."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from npvae import machine, settings
from npvae.data.images import Split, grey
from npvae.errors import NpvaeError
from npvae.measures import classifier as module
from npvae.measures.classifier import (
    Classifier,
    accuracy,
    fit_classifier,
    load_classifiers,
    probabilities,
    save_classifiers,
)
from npvae.settings import Precision


def bars(count: int, seed: int, shape: tuple[int, int] = (28, 28), classes: int = 10) -> Split:
    """Noisy images with a bright column, the label says which."""
    noise = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (count,), generator=noise)
    images = torch.rand(count, *shape, generator=noise) * 0.3
    images[torch.arange(count), :, 2 * labels + (4 if shape[1] == 28 else 0)] = 1
    return Split(images.flatten(1), labels)


def options(
    *, epochs: int = 1, learning_rate: float = 3e-3, precision: Precision = "float32"
) -> settings.Classifier:
    return settings.Classifier(epochs=epochs, learning_rate=learning_rate, precision=precision)


def test_features_are_what_the_last_layer_sees() -> None:
    classifier, images = Classifier(), torch.rand(3, 784)
    features = classifier.features(images)
    assert features.shape == (3, 64)
    torch.testing.assert_close(classifier(images), features @ classifier.head.weight.T + classifier.head.bias)


class OfMnist(nn.Module):
    """The classifier of 28 x 28 and ten digits, layer by layer, whatever the sizes asked for."""

    def __init__(self, shape: object = None, classes: object = None) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Unflatten(1, (1, 28, 28)),
            *(nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(16, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(32 * 7 * 7, 64), nn.ReLU()),
        )
        self.head = nn.Linear(64, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(grey(images)))


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_of_mnists_images_it_is_to_the_bit_what_it_was_for_no_others(
    precision: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, how = bars(300, 0), options(precision=precision)
    trained = fit_classifier(train, how, seed=3)
    monkeypatch.setattr(module, "Classifier", OfMnist)
    expected = fit_classifier(train, how, seed=3)
    assert trained.state_dict().keys() == expected.state_dict().keys()
    for name, weights in expected.state_dict().items():
        assert trained.state_dict()[name].equal(weights), name
    assert trained(train.images).equal(expected(train.images))


@pytest.mark.parametrize(
    ("shape", "classes"), [((8, 8), 4), ((13, 9), 5), ((9, 28), 2), ((1, 3), 2), ((2, 7), 3), ((64, 5), 3)]
)
def test_it_learns_from_images_of_any_shape_with_any_number_of_labels(
    shape: tuple[int, int], classes: int, tmp_path: Path
) -> None:
    train, test = bars(300, 0, shape, classes), bars(100, 1, shape, classes)
    classifier = fit_classifier(train, options(epochs=5), shape=shape, batch_size=16)
    assert classifier.features(test.images).shape == (100, 64)
    assert probabilities(classifier, test.images).shape == (100, classes)
    assert accuracy(classifier, test) > 0.95
    save_classifiers(tmp_path / "some", [Classifier(shape, classes), classifier])
    _, read = load_classifiers(tmp_path / "some")
    assert read.shape == shape
    assert read(test.images).equal(classifier(test.images))


def test_no_classifiers_are_saved_and_read_as_none(tmp_path: Path) -> None:
    save_classifiers(tmp_path / "none", [])
    assert load_classifiers(tmp_path / "none") == []


@pytest.mark.parametrize("stated", ["[100000, 100000]", "[14, 14]", "[28]", "28", "null", "[28,"])
def test_a_file_that_states_another_shape_than_its_weights_have_is_refused(
    stated: str, tmp_path: Path
) -> None:
    weights = nn.ModuleList([Classifier()]).state_dict()
    save_file(weights, tmp_path / "lying", {"image_shape": stated})
    with pytest.raises(NpvaeError, match="lying: not classifiers"):
        load_classifiers(tmp_path / "lying")


def test_probabilities_are_the_softmax_of_the_logits() -> None:
    classifier, images = Classifier(), torch.rand(3, 784)
    exponentials = classifier(images).double().exp()
    expected = exponentials / exponentials.sum(-1, keepdim=True)
    torch.testing.assert_close(probabilities(classifier, images).double(), expected, rtol=1e-5, atol=1e-7)


def test_accuracy_counts_the_digits_told() -> None:
    classifier, images = Classifier(), torch.rand(8, 784)
    told = classifier(images).argmax(-1)
    labels = torch.where(torch.arange(8) < 6, told, (told + 1) % 10)
    assert accuracy(classifier, Split(images, labels)) == 0.75


def test_each_epoch_is_reported_once_and_the_loss_falls() -> None:
    reports: list[tuple[int, float]] = []
    classifier = fit_classifier(
        bars(320, 0), options(epochs=4), batch_size=16, on_epoch=lambda *report: reports.append(report)
    )
    epochs, losses = zip(*reports, strict=True)
    assert epochs == (1, 2, 3, 4)
    assert losses[-1] < losses[0] / 2
    assert not classifier.training


def test_the_seed_decides_the_weights_and_the_global_state_stays() -> None:
    train = bars(200, 0)
    before = torch.get_rng_state()
    classifiers = [fit_classifier(train, options(), seed=seed) for seed in (0, 1)]
    assert torch.get_rng_state().equal(before)
    weights = [classifier.head.weight for classifier in classifiers]
    assert not weights[0].equal(weights[1])
    torch.rand(7)  # another global state, the same classifier
    assert fit_classifier(train, options(), seed=0).head.weight.equal(weights[0])


def test_the_reported_loss_is_the_mean_over_images_not_over_batches() -> None:
    train = bars(130, 0)  # a batch of 128, one of 2
    losses: list[float] = []
    still = options(learning_rate=1e-30)  # too little to change a weight
    untrained = fit_classifier(train, still, on_epoch=lambda _, loss: losses.append(loss))
    with torch.no_grad():
        log_probabilities = untrained(train.images).log_softmax(-1)
    expected = -log_probabilities[torch.arange(130), train.labels].mean()
    torch.testing.assert_close(losses[0], expected.item(), rtol=1e-5, atol=0)


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_it_learns_to_tell_digits_and_is_the_same_once_read_back(
    precision: Precision, tmp_path: Path
) -> None:
    train, test = bars(320, 0), bars(100, 1)
    classifier = fit_classifier(train, options(epochs=4, precision=precision), batch_size=16)
    assert accuracy(classifier, test) > 0.95
    assert {weights.dtype for weights in classifier.parameters()} == {torch.float32}
    other = Classifier()
    save_classifiers(tmp_path / "classifiers.safetensors", [classifier, other])
    read, second = load_classifiers(tmp_path / "classifiers.safetensors")
    assert not read.training
    assert second.head.weight.equal(other.head.weight)
    torch.testing.assert_close(probabilities(read, test.images), probabilities(classifier, test.images))


def test_a_classifier_that_diverges_stops() -> None:
    with pytest.raises(NpvaeError, match="epoch 1"):
        fit_classifier(bars(300, 0), options(epochs=2, learning_rate=1e30))


def broken() -> Classifier:
    classifier = Classifier()
    with torch.no_grad():
        classifier.head.bias[3] = torch.nan
    return classifier


def test_a_classifier_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(NpvaeError, match=r"absent\.safetensors: missing"):
        load_classifiers(tmp_path / "absent.safetensors")
    (tmp_path / "text").write_text("no weights")
    with pytest.raises(NpvaeError, match="text: not classifiers"):
        load_classifiers(tmp_path / "text")
    save_classifiers(tmp_path / "nan", [Classifier(), broken()])
    with pytest.raises(NpvaeError, match=r"nan: not classifiers.*not finite"):
        load_classifiers(tmp_path / "nan")
    save_file({"0.head.bias": torch.zeros(10)}, tmp_path / "others")
    with pytest.raises(NpvaeError, match="others: not classifiers"):
        load_classifiers(tmp_path / "others")


def test_bytes_are_the_grey_values_that_they_stand_for() -> None:
    images, labels = bars(300, 0)
    stored = Split(images.mul(255).byte(), labels)
    shades = Split(grey(stored.images), labels)
    classifier, same = (fit_classifier(split, options()) for split in (stored, shades))
    assert classifier.head.weight.equal(same.head.weight)
    assert classifier.features(stored.images).equal(classifier.features(shades.images))
    assert probabilities(classifier, stored.images).equal(probabilities(classifier, shades.images))


@pytest.mark.parametrize(("able", "stands_for"), [(True, "bfloat16"), (False, "float32")])
def test_auto_is_bfloat16_only_where_the_machine_multiplies_it(
    able: bool, stands_for: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "multiplies_bfloat16", lambda _: able)
    train = bars(200, 0)
    weights = {
        precision: fit_classifier(train, options(precision=precision)).head.weight
        for precision in ("auto", "bfloat16", "float32")
    }
    assert weights["auto"].equal(weights[stands_for])
    assert not weights["bfloat16"].equal(weights["float32"])


def test_without_settings_it_is_trained_by_the_default_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "multiplies_bfloat16", lambda _: False)
    train, reports = bars(130, 0), list[int]()
    classifier = fit_classifier(train, on_epoch=lambda epoch, _: reports.append(epoch))
    assert reports == [1, 2, 3, 4]
    assert classifier.head.weight.equal(fit_classifier(train, options(epochs=4)).head.weight)
