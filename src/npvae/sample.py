"""Generation: images decoded from Z, and from X through the weights of training images."""

import torch
from torch import Tensor

from npvae.embed import Reference, in_batches, locations, posterior_means
from npvae.model import VAE, NonparametricVAE
from npvae.predict import predict_z


def decode(model: VAE, z: Tensor) -> Tensor:
    """The mean image of p(y|z), pixel by pixel in [0, 1]: ``[N, Dz] -> [N, pixels]``."""
    return in_batches(lambda batch: model.decode(batch).sigmoid(), z)


@torch.no_grad()
def decode_x(model: NonparametricVAE, x: Tensor, reference: Reference) -> Tensor:
    """The mean image of p(y|z~(x)): ``[N, Dx] -> [N, pixels]``.

    Args:
        model: trained.
        x: locations ``[N, Dx]``.
        reference: the training images that z~ sums over.
    """
    return decode(model, predict_z(x, *reference, model.length_scale))


def interpolants(model: VAE, first: Tensor, last: Tensor, steps: int, training_images: Tensor) -> Tensor:
    """``steps`` images between two, evenly on a straight line (figure 4).

    The line joins the two images' locations in X or, for a plain VAE, their posterior means in Z.

    Args:
        model: trained.
        first: an image ``[pixels]``.
        last: another one.
        steps: how many lie between them.
        training_images: ``[M, pixels]``, those that z~ sums over; unused by a plain VAE.

    Returns:
        ``[steps, pixels]``.
    """
    ends = torch.stack([first, last])
    weight = torch.linspace(0, 1, steps + 2, device=ends.device)[1:-1, None]
    if isinstance(model, NonparametricVAE):
        start, end = locations(model, ends)
        x = (1 - weight) * start + weight * end
        return decode_x(model, x, Reference.of(model, training_images))
    start, end = posterior_means(model, ends)
    return decode(model, (1 - weight) * start + weight * end)


def thumbnail_side(points: Tensor, count: int) -> float:
    """Side of squares, ``count`` of which span points ``[N, 2]`` along the longer axis, outliers apart."""
    low, high = points.quantile(torch.tensor([0.001, 0.999]), dim=0)
    return float((high - low).max() / count)


def thin(points: Tensor, side: float) -> Tensor:
    """Indices of points at which squares of ``side`` do not overlap, taken greedily in order.

    Args:
        points: centres ``[N, 2]``.
        side: of a square, in the units of ``points``.
    """
    kept = points.new_empty(0, 2)
    indices = []
    for index, point in enumerate(points):
        if not ((kept - point).abs() < side).all(1).any():
            kept = torch.cat([kept, point[None]])
            indices.append(index)
    return torch.tensor(indices)


def sample_prior(model: VAE, count: int, *, seed: int) -> Tensor:
    """Ancestral samples from N(0, I) on Z: ``[count, pixels]``."""
    device = next(model.parameters()).device
    noise = torch.Generator(device).manual_seed(seed)
    return decode(model, torch.randn(count, model.z_dim, generator=noise, device=device))


def sample_through_x(model: NonparametricVAE, count: int, reference: Reference, *, seed: int) -> Tensor:
    """Ancestral samples from X: ``[count, pixels]``.

    The paper names no density on X. This one is the kernel density of the reference images in X with the
    learned length scale: the x of one of them, plus N(0, l^2 I).
    """
    device = reference.x.device
    noise = torch.Generator(device).manual_seed(seed)
    x = reference.x[torch.randint(len(reference.x), (count,), generator=noise, device=device)]
    offset = torch.randn(x.shape, generator=noise, device=device)
    return decode_x(model, x + model.length_scale.detach() * offset, reference)
