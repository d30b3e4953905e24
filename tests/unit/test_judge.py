"""The judge's features and training, on images that a few steps suffice to tell apart."""

from pathlib import Path
from typing import Literal

import pytest
import torch
from safetensors.torch import save_file

from npvae.data import Split
from npvae.errors import NpvaeError
from npvae.judge import Judge, fit_judge, judge_accuracy, load_judge, probabilities, save_judge


def bars(count: int, seed: int) -> Split:
    """Noisy images with a bright column, the digit says which."""
    noise = torch.Generator().manual_seed(seed)
    labels = torch.randint(10, (count,), generator=noise)
    images = torch.rand(count, 28, 28, generator=noise) * 0.3
    images[torch.arange(count), :, 2 * labels + 4] = 1
    return Split(images.flatten(1), labels)


def test_features_are_what_the_last_layer_sees() -> None:
    judge, images = Judge(), torch.rand(3, 784)
    features = judge.features(images)
    assert features.shape == (3, 64)
    torch.testing.assert_close(judge(images), features @ judge.head.weight.T + judge.head.bias)


def test_probabilities_are_the_softmax_of_the_logits() -> None:
    judge, images = Judge(), torch.rand(3, 784)
    exponentials = judge(images).double().exp()
    expected = exponentials / exponentials.sum(-1, keepdim=True)
    torch.testing.assert_close(probabilities(judge, images).double(), expected, rtol=1e-5, atol=1e-7)


def test_accuracy_counts_the_digits_told() -> None:
    judge, images = Judge(), torch.rand(8, 784)
    told = judge(images).argmax(-1)
    labels = torch.where(torch.arange(8) < 6, told, (told + 1) % 10)
    assert judge_accuracy(judge, Split(images, labels)) == 0.75


def test_each_epoch_is_reported_once_and_the_loss_falls() -> None:
    reports: list[tuple[int, float]] = []
    judge = fit_judge(
        bars(320, 0), seed=0, epochs=4, batch_size=16, on_epoch=lambda *report: reports.append(report)
    )
    epochs, losses = zip(*reports, strict=True)
    assert epochs == (1, 2, 3, 4)
    assert losses[-1] < losses[0] / 2
    assert not judge.training


def test_the_seed_decides_the_weights_and_the_global_state_stays() -> None:
    train = bars(200, 0)
    before = torch.get_rng_state()
    judges = [fit_judge(train, seed=seed, epochs=1) for seed in (0, 1)]
    assert torch.get_rng_state().equal(before)
    weights = [judge.head.weight for judge in judges]
    assert not weights[0].equal(weights[1])
    torch.rand(7)  # another global state, the same judge
    assert fit_judge(train, seed=0, epochs=1).head.weight.equal(weights[0])


def test_the_reported_loss_is_the_mean_over_images_not_over_batches() -> None:
    train = bars(130, 0)  # a batch of 128, one of 2
    losses: list[float] = []
    fit_judge(train, seed=0, epochs=1, learning_rate=0.0, on_epoch=lambda _, loss: losses.append(loss))
    untrained = fit_judge(train, seed=0, epochs=1, learning_rate=0.0)
    with torch.no_grad():
        log_probabilities = untrained(train.images).log_softmax(-1)
    expected = -log_probabilities[torch.arange(130), train.labels].mean()
    torch.testing.assert_close(losses[0], expected.item(), rtol=1e-5, atol=0)


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_it_learns_to_tell_digits_and_is_the_same_once_read_back(
    precision: Literal["bfloat16", "float32"], tmp_path: Path
) -> None:
    train, test = bars(320, 0), bars(100, 1)
    judge = fit_judge(train, seed=0, epochs=8, batch_size=16, precision=precision)
    assert judge_accuracy(judge, test) > 0.95
    assert {weights.dtype for weights in judge.parameters()} == {torch.float32}
    save_judge(tmp_path / "judge.safetensors", judge)
    read = load_judge(tmp_path / "judge.safetensors")
    assert not read.training
    torch.testing.assert_close(probabilities(read, test.images), probabilities(judge, test.images))


def test_a_judge_that_diverges_stops() -> None:
    with pytest.raises(NpvaeError, match="epoch 1"):
        fit_judge(bars(300, 0), seed=0, epochs=2, learning_rate=1e30)


def test_a_judge_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(NpvaeError, match=r"absent\.safetensors: missing"):
        load_judge(tmp_path / "absent.safetensors")
    (tmp_path / "text").write_text("no weights")
    with pytest.raises(NpvaeError, match="text: not a judge"):
        load_judge(tmp_path / "text")
    save_file({"head.bias": torch.zeros(10)}, tmp_path / "others")
    with pytest.raises(NpvaeError, match="others: not a judge"):
        load_judge(tmp_path / "others")
