"""Images that nobody would train on, and options at their ends: it trains, or stops and says why."""

import numpy as np
import pytest
import torch

from npvae import NPVAE
from npvae.latent.predict import predict_z

SOME = np.random.default_rng(0).integers(256, size=(40, 12), dtype=np.uint8)
IMAGES = {
    "random": SOME,
    "constant pixels": np.where(np.arange(12) < 9, SOME, 7).astype(np.uint8),
    "all black": np.zeros_like(SOME),
    "all white": np.full_like(SOME, 255),
    "identical": np.repeat(SOME[:1], 40, axis=0),
    "in pairs": np.repeat(SOME[:20], 2, axis=0),
    "two": SOME[:2],
    "three": SOME[:3],
    "of one pixel": SOME[:, :1],
}
OPTIONS = {
    "as they are": {},
    "Z of one dimension": {"z_dim": 1},
    "a batch of all": {"batch_size": 40},
    "no match": {"match_weight": 0.0},
    "predictive": {"divergence": "predictive"},
    "joint": {"divergence": "joint"},
    "l endless": {"initial_length_scale": 1e30},
}


def trained(images: np.ndarray, **options: object) -> NPVAE:
    settings = {"z_dim": 3, "hidden_units": 8, "epochs": 1, "batch_size": 16} | options
    return NPVAE(**settings).fit(images)


@pytest.mark.parametrize("kind", IMAGES)
def test_whatever_the_images_are_all_that_comes_of_them_is_finite(kind: str) -> None:
    images = IMAGES[kind]
    for name, options in OPTIONS.items():
        model = trained(images, **options)
        points = model.transform(images)
        found = [points, model.inverse_transform(points[:2]), model.sample(3)]
        found += [model.interpolate(images[0], images[1]), model.score(images)]
        assert all(np.isfinite(one).all() for one in found), name


@pytest.mark.parametrize("options", [{"learning_rate": 1e30, "epochs": 2}, {"initial_length_scale": 1e-30}])
@pytest.mark.parametrize("kind", IMAGES)
def test_what_diverges_stops_with_the_reason(kind: str, options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"^(the loss is|a weight is not finite).* at epoch \d+, step \d+"):
        trained(IMAGES[kind], **options)


def test_prediction_is_the_same_wherever_x_lies() -> None:
    """Whole numbers stay what they are 1e6 away, so that only the arithmetic can differ."""
    random = torch.Generator().manual_seed(0)
    x = torch.randint(-20, 20, (60, 2), generator=random).float()
    z = torch.randn(60, 4, generator=random)
    here, there = (predict_z(x[:10] + at, x + at, z, torch.tensor(3.0)) for at in (0.0, 1e6))
    torch.testing.assert_close(there, here, atol=1e-5, rtol=0)


def test_far_from_all_references_the_nearest_decides() -> None:
    x, z = torch.tensor([[0.0, 0.0], [1.0, 0.0]]), torch.tensor([[1.0], [2.0]])
    places = torch.tensor([[1e4, 0.0], [-1e4, 0.0], [1e6, 0.0]])
    assert predict_z(places, x, z, torch.tensor(1.0)).flatten().tolist() == [2.0, 1.0, 2.0]
