"""What the stages read: the split of params.yaml and the reference images of z~."""

from pathlib import Path

import torch

from npvae.data import load_splits
from npvae.inputs import read_inputs
from npvae.params import load_params


def test_the_splits_are_params_yamls_and_all_images_are_the_reference_in_order(
    root: Path, mnist: Path
) -> None:
    params = load_params(root / "params.yaml").changed("data.test_images=100")
    train, test, reference = read_inputs(params, mnist)
    expected = load_splits(mnist, **params.data.model_dump())
    for found, wanted in zip((train, test), expected, strict=True):
        assert found.images.equal(wanted.images)
        assert found.labels.equal(wanted.labels)
    assert reference.equal(torch.arange(55_000))


def test_fewer_reference_images_are_drawn_and_always_the_same(root: Path, mnist: Path) -> None:
    params = load_params(root / "params.yaml").changed("predict.reference_images=1000")
    first, second = (read_inputs(params, mnist).reference for _ in range(2))
    assert first.equal(second)
    assert len(first.unique()) == 1_000
    assert first.max() > 50_000
