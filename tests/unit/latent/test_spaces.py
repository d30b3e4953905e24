"""X and Z with one face, against formulas written out in float64."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from npvae.data.images import grey
from npvae.errors import NpvaeError
from npvae.latent.paths import arc, line
from npvae.latent.spaces import Space, XSpace, ZSpace, posterior, space_of
from npvae.model.kernel import Kernel
from npvae.model.vae import VAE, NonparametricVAE, build
from npvae.settings import Network

LENGTH_SCALE = 0.7
REFERENCE = torch.tensor([40, 3, 17, 58, 22, 9])
NOISE = torch.Generator().manual_seed(1)
TRAIN, TEST = (torch.randint(256, (count, 784), generator=NOISE, dtype=torch.uint8) for count in (60, 25))


def plain(z_dim: int = 3) -> VAE:
    return build("vae", z_dim, Network(hidden_units=8, dropout=0.5), seed=0).eval()


def nonparametric(length_scale: float = LENGTH_SCALE) -> NonparametricVAE:
    network = Network(hidden_units=8, dropout=0.5)
    return NonparametricVAE(3, network, kernel=Kernel(length_scale)).eval()


@pytest.fixture(params=["z", "x of all images", "x of some images"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def reference(kind: str) -> Tensor | None:
    return REFERENCE if kind == "x of some images" else None


@pytest.fixture
def space(kind: str, reference: Tensor | None) -> Space:
    return space_of(plain() if kind == "z" else nonparametric(), TRAIN, reference)


@pytest.fixture
def exact(space: Space, reference: Tensor | None) -> "Exact":
    return Exact(space, TRAIN if reference is None else TRAIN[reference])


class Exact:
    """What a space should give, in float64, from the networks alone."""

    def __init__(self, space: Space, known: Tensor) -> None:
        self.model: Any = copy.deepcopy(space.model).double()
        self.is_x, self.known = space.name == "x", known

    @torch.no_grad()
    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        mu, raw = self.model.encoder(images.double() / 255).chunk(2, dim=-1)
        return mu, (1 + raw.exp()).log() + 1e-6

    @torch.no_grad()
    def points(self, images: Tensor) -> Tensor:
        return self.model.x_encoder(images.double() / 255) if self.is_x else self.posterior(images)[0]

    def to_z(self, points: Tensor) -> Tensor:
        if not self.is_x:
            return points.double()
        squared = (points.double()[:, None] - self.points(self.known)).square().sum(-1)
        weights = (-squared / (2 * LENGTH_SCALE**2)).exp()
        return (weights[:, :, None] * self.posterior(self.known)[0]).sum(1) / weights.sum(1, keepdim=True)

    @torch.no_grad()
    def decode(self, points: Tensor) -> Tensor:
        return 1 / (1 + (-self.model.decoder(self.to_z(points))).exp())


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)


def test_a_model_has_x_or_the_z_of_a_plain_vae_and_the_paths_that_belong_to_it() -> None:
    x, z = space_of(nonparametric(), TRAIN), space_of(plain(), TRAIN)
    assert (type(x), x.name, dict(x.paths)) == (XSpace, "x", {"linear_x": line})
    assert (type(z), z.name, dict(z.paths)) == (ZSpace, "z", {"linear_z": line, "slerp_z": arc})


def test_the_x_of_a_nonparametric_vae_leaves_its_z_a_space_too() -> None:
    model = nonparametric()
    assert ZSpace(model, TRAIN).points(TEST).equal(posterior(model, TEST)[0])


def test_images_lie_where_the_encoder_puts_them(space: Space, exact: Exact) -> None:
    assert space.points(TEST).shape == (25, 2 if space.name == "x" else 3)
    close(space.points(TEST), exact.points(TEST))
    close(space.train_points, exact.points(TRAIN))


def test_an_embedding_has_the_points_and_the_posterior(space: Space, exact: Exact) -> None:
    found = space.embed(TEST)
    assert found.points.equal(space.points(TEST))
    for one, expected in zip(found[1:], exact.posterior(TEST), strict=True):
        assert one.shape == (25, 3)
        close(one, expected)
    assert found.mu.equal(posterior(space.model, TEST)[0])
    assert found.sigma.equal(posterior(space.model, TEST)[1])


def test_z_of_a_point_is_the_kernel_mean_of_the_reference_or_the_point_itself(
    space: Space, exact: Exact
) -> None:
    points = torch.randn(11, 2 if space.name == "x" else 3)
    found = space.to_z(points)
    assert found.shape == (11, 3)
    close(found, exact.to_z(points))


def test_an_image_is_decoded_from_the_z_of_its_point(space: Space, exact: Exact) -> None:
    points = torch.randn(11, 2 if space.name == "x" else 3)
    found = space.decode(points)
    assert found.shape == (11, 784)
    assert 0 <= found.min() <= found.max() <= 1
    close(found, exact.decode(points))


def test_many_points_are_decoded_each_by_itself(space: Space) -> None:
    points = torch.randn(2_100, 2 if space.name == "x" else 3)
    torch.testing.assert_close(space.decode(points)[-3:], space.decode(points[-3:]))


def test_samples_are_decoded_draws(space: Space, exact: Exact) -> None:
    drawn = space.draw(40, seed=3)
    assert space.samples(40, seed=3).equal(space.decode(drawn))
    assert space.samples(40, seed=3).shape == (40, 784)
    close(space.samples(40, seed=3), exact.decode(drawn))
    assert not space.draw(40, seed=4).equal(drawn)
    state = torch.get_rng_state()
    assert space.draw(40, seed=3).equal(drawn)
    assert torch.get_rng_state().equal(state)


def test_every_path_runs_between_its_ends_through_the_space(space: Space, exact: Exact) -> None:
    start, end = space.train_points[:5], space.train_points[5:10]
    weight = torch.arange(1, 5, dtype=torch.float64)[:, None] / 5
    a, b = start.double()[:, None], end.double()[:, None]
    lengths = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    angle = ((a * b).sum(-1, keepdim=True) / (lengths[0] * lengths[1])).acos()
    turned = ((1 - weight) * angle).sin() * a / lengths[0] + (weight * angle).sin() * b / lengths[1]
    expected = {
        "linear": (1 - weight) * a + weight * b,
        "slerp": turned / angle.sin() * ((1 - weight) * lengths[0] + weight * lengths[1]),
    }
    for name, path in space.paths.items():
        points = path(start, end, 4)
        assert points.shape == (5, 4, start.shape[1])
        close(points, expected[name.split("_")[0]])
        close(space.decode(points.flatten(0, 1)), exact.decode(points.flatten(0, 1)))


def test_the_density_on_z_is_the_standard_normal() -> None:
    z = space_of(plain(2), TRAIN).draw(20_000, seed=3)
    torch.testing.assert_close(z.mean(0), torch.zeros(2), atol=0.03, rtol=0)
    torch.testing.assert_close(z.T.cov(), torch.eye(2), atol=0.04, rtol=0)
    torch.testing.assert_close(z.pow(4).mean(0), torch.full((2,), 3.0), atol=0.2, rtol=0)


def test_samples_through_x_with_a_tiny_length_scale_are_the_reference_images_own() -> None:
    model, training = nonparametric(1e-6), TRAIN[:20]
    samples = space_of(model, training, torch.arange(12)).samples(40, seed=0)
    with torch.no_grad():
        own = model.decode(model.encode(training)[0]).sigmoid()
    # multiplied out, the square of a distance near 0 is rounding, how much depends on the CPU
    distances = torch.cdist(samples, own, compute_mode="donot_use_mm_for_euclid_dist")
    assert distances[:, :12].amin(1).max() < 1e-2
    assert len(distances.argmin(1).unique()) > 8
    assert distances.argmin(1).max() < 12  # none is of an image outside the reference set


def test_draws_on_x_lie_about_the_reference_as_far_as_the_length_scale(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(NonparametricVAE, "embed", lambda _, y: 100 * grey(y)[:, :2] - 50)
    training = torch.zeros(3, 784, dtype=torch.uint8)
    training[1, 0] = training[2, 1] = 255  # their x: (-50, -50), (50, -50), (-50, 50)
    space = space_of(nonparametric(2.0), training, torch.tensor([1, 2]))
    x, same, other = (space.draw(4_000, seed=seed) for seed in (0, 0, 1))
    assert x.shape == (4_000, 2)
    assert x.equal(same)
    assert not x.equal(other)
    assert (x.sign().sum(1) == 0).all()  # none about the first image, which z~ does not sum over
    offset = x - 50 * x.sign()
    torch.testing.assert_close(offset.mean(0), torch.zeros(2), atol=0.15, rtol=0)
    torch.testing.assert_close(offset.std(0), torch.full((2,), 2.0), atol=0.1, rtol=0)
    assert x[:, 0].sign().mean().abs() < 0.1


def test_the_order_of_the_reference_does_not_matter() -> None:
    model, points = nonparametric(), torch.randn(9, 2)
    forwards, backwards = (space_of(model, TRAIN, order) for order in (REFERENCE, REFERENCE.flip(0)))
    torch.testing.assert_close(forwards.to_z(points), backwards.to_z(points))
    every = space_of(model, TRAIN, torch.arange(60))
    assert every.to_z(points).equal(space_of(model, TRAIN).to_z(points))


def test_bytes_are_the_grey_values_that_they_stand_for(space: Space, reference: Tensor | None) -> None:
    shades = space_of(space.model, grey(TRAIN), reference)
    assert space.train_points.equal(shades.train_points)
    assert space.points(TEST).equal(shades.points(grey(TEST)))
    for found, expected in zip(space.embed(TEST), shades.embed(grey(TEST)), strict=True):
        assert found.equal(expected)
    for found, expected in zip(posterior(space.model, TEST), posterior(space.model, grey(TEST)), strict=True):
        assert found.equal(expected)
    assert space.samples(20, seed=0).equal(shades.samples(20, seed=0))


def changed(value: float) -> Tensor:
    """Grey images of which one pixel of the last one is another value."""
    images = grey(TEST)
    images[-1, -1] = value
    return images


BAD = {
    "int64": (TEST.long(), "int64"),
    "int32": (TEST.int(), "int32"),
    "bytes as floats": (TEST.float(), r"to 255: grey values must be in \[0, 1\]"),
    "above 1": (changed(1.0001), "to 1.0001"),
    "below 0": (changed(-0.001), "from -0.001"),
    "not a number": (changed(float("nan")), "nan"),
    "infinite": (changed(float("inf")), "inf"),
}
ASKED: dict[str, Callable[[Space, Tensor], object]] = {
    "points": lambda space, images: space.points(images),
    "embed": lambda space, images: space.embed(images),
    "posterior": lambda space, images: posterior(space.model, images),
    "train_points": lambda space, images: space_of(space.model, images).train_points,
}


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("bad", BAD)
def test_what_is_no_grey_value_is_refused(space: Space, bad: str, asked: str) -> None:
    images, problem = BAD[bad]
    with pytest.raises(NpvaeError, match=problem):
        ASKED[asked](space, images)


@pytest.mark.parametrize("bad", BAD)
def test_z_is_not_predicted_from_training_images_that_are_no_grey_values(bad: str) -> None:
    images, problem = BAD[bad]
    with pytest.raises(NpvaeError, match=problem):
        space_of(nonparametric(), images).to_z(torch.zeros(1, 2))


@pytest.mark.parametrize("asked", ASKED)
def test_the_limits_are_grey_values(space: Space, asked: str) -> None:
    ASKED[asked](space, torch.stack([torch.zeros(784), torch.ones(784)]))


def test_nothing_carries_gradients(space: Space) -> None:
    given = [*space.embed(TEST), space.train_points, space.samples(3, seed=0), space.draw(3, seed=0)]
    given += [space.to_z(space.points(TEST)), *posterior(space.model, TEST)]
    assert not any(tensor.requires_grad for tensor in given)


def test_sigma_is_positive_however_sure_the_encoder_is() -> None:
    model = plain()
    with torch.no_grad():
        model.encoder[-1].bias[3:] = -200
    _, sigma = posterior(model, TEST)
    torch.testing.assert_close(sigma, torch.full((25, 3), 1e-6))
    assert F.softplus(torch.tensor(-200.0)) == 0
