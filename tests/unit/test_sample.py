"""Images from Z and X: where the latent points are drawn, and which images z~ sums over."""

import pytest
import torch

from npvae.embed import Reference
from npvae.model import Network, NonparametricVAE, build
from npvae.sample import decode_x, interpolants, sample_prior, sample_through_x


def tiny(length_scale: float = 1.0) -> NonparametricVAE:
    return NonparametricVAE(3, Network(hidden_units=8), initial_length_scale=length_scale).eval()


def test_prior_samples_are_decoded_standard_normals() -> None:
    model = build("vae", 2, Network(hidden_units=8), seed=0).eval()
    seen: list[torch.Tensor] = []
    model.decoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    images = sample_prior(model, 5_000, seed=3)
    assert images.shape == (5_000, 784)
    z = torch.cat(seen)
    torch.testing.assert_close(z.mean(0), torch.zeros(2), atol=0.05, rtol=0)
    torch.testing.assert_close(z.std(0), torch.ones(2), atol=0.05, rtol=0)


def test_an_image_from_x_is_decoded_from_the_kernel_mean_of_the_reference() -> None:
    model = tiny(0.7)
    images, x = torch.rand(30, 784), torch.randn(4, 2)
    with torch.no_grad():
        places, means = model.embed(images).double(), model.encode(images)[0].double()
        weights = (-torch.cdist(x.double(), places).square() / (2 * 0.7**2)).exp()
        z = (weights / weights.sum(1, keepdim=True)) @ means
        expected = model.decode(z.float()).sigmoid()
    found = decode_x(model, x, Reference.of(model, images))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_samples_through_x_with_a_tiny_length_scale_are_the_reference_images_own() -> None:
    model = tiny(1e-6)
    training = torch.rand(20, 784)
    samples = sample_through_x(model, 40, Reference.of(model, training[:12]), seed=0)
    with torch.no_grad():
        own = model.decode(model.encode(training)[0]).sigmoid()
    distances = torch.cdist(samples, own)
    assert distances[:, :12].amin(1).max() < 1e-2
    assert len(distances.argmin(1).unique()) > 8
    assert distances.argmin(1).max() < 12  # none is of an image outside the reference set


def test_samples_through_x_lie_about_the_reference_as_far_as_the_length_scale(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[torch.Tensor] = []

    def predict_z(x: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        seen.append(x)
        return x.new_zeros(len(x), 3)

    monkeypatch.setattr("npvae.sample.predict_z", predict_z)
    reference = Reference(torch.tensor([[50.0, 0.0], [-50.0, 0.0]]), torch.zeros(2, 3))
    for seed in (0, 0, 1):
        sample_through_x(tiny(2.0), 4_000, reference, seed=seed)
    x, same, other = seen
    assert x.equal(same)
    assert not x.equal(other)
    offset = x - torch.stack([50 * x[:, 0].sign(), torch.zeros(4_000)], 1)
    torch.testing.assert_close(offset.mean(0), torch.zeros(2), atol=0.15, rtol=0)
    torch.testing.assert_close(offset.std(0), torch.full((2,), 2.0), atol=0.1, rtol=0)
    assert x[:, 0].sign().mean().abs() < 0.1


def test_interpolants_are_those_of_the_straight_line_in_x() -> None:
    model = tiny()
    training = torch.rand(30, 784)
    with torch.no_grad():
        start, end = model.embed(training[:2])
    steps = torch.stack([start + (end - start) * step / 4 for step in (1, 2, 3)])
    expected = decode_x(model, steps, Reference.of(model, training[5:]))
    found = interpolants(model, training[0], training[1], 3, training[5:])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
