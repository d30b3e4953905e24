"""The objective's terms on test images, in nats per image."""

import torch
from torch import Tensor

from npvae.latent.spaces import Embedded
from npvae.model.objective import kl_nats, reconstruction_nats
from npvae.model.vae import VAE


@torch.no_grad()
def reconstruction(model: VAE, images: Tensor, z: Tensor) -> Tensor:
    """``-log p(y|z)`` of images ``[N, pixels]``, each from its own z ``[N, Dz]``: ``[N]``, float64."""
    batches = zip(images.split(1_000), z.split(1_000), strict=True)
    return torch.cat([reconstruction_nats(model.decode(codes), batch).double() for batch, codes in batches])


def terms(model: VAE, images: Tensor, embedded: Embedded, *, seed: int) -> dict[str, Tensor]:
    """``reconstruction`` (from E[z]), ``kl`` and ``negative_elbo`` (one sample per image): ``[N]`` each.

    Args:
        model: in evaluation mode, on the device of the images.
        images: ``[N, pixels]``.
        embedded: where they lie.
        seed: of the noise in the negative ELBO.
    """
    mu, sigma = embedded.mu, embedded.sigma
    noise = torch.Generator(mu.device).manual_seed(seed)
    # a batch at a time: the same noise whatever the number of images
    unit = torch.cat([torch.randn(m.shape, generator=noise, device=m.device) for m in mu.split(1_000)])
    kl = kl_nats(mu, sigma).double()
    return {
        "reconstruction": reconstruction(model, images, mu),
        "kl": kl,
        "negative_elbo": reconstruction(model, images, mu + sigma * unit) + kl,
    }
