"""What a training says of itself, epoch by epoch."""

from typing import NamedTuple

import torch
from torch import Tensor

from npvae.model.objective import Terms, active_units


class Epoch(NamedTuple):
    """Averages over one epoch's training images, dropout on; terms in nats per image.

    A plain VAE has no matching term, length scale or R^2: they are None. So is R^2 where E[z] does not vary,
    and where the match is a divergence in nats (``npvae.divergence``).
    """

    seed: int
    epoch: int
    reconstruction: float
    kl: float
    active_units: int
    match: float | None = None
    match_r2: float | None = None
    length_scale: float | None = None


class Sums:
    """Running sums over an epoch, in float64, of one model or of each in a stack."""

    def __init__(self, z_dim: int, device: torch.device, models: int = 1) -> None:
        self._terms = torch.zeros(3, models, dtype=torch.float64, device=device)  # reconstruction, kl, match
        self._mu = torch.zeros(2, models, z_dim, dtype=torch.float64, device=device)  # mu and its square

    @torch.no_grad()
    def add(self, batch: Terms) -> None:
        """Add a batch."""
        terms = torch.stack([batch.reconstruction, batch.kl, batch.match]).sum(-1)
        mu = torch.stack([batch.mu.sum(-2), batch.mu.square().sum(-2)])
        self._terms += terms.view_as(self._terms)
        self._mu += mu.view_as(self._mu)

    def clear(self) -> None:
        """Begin another epoch."""
        self._terms.zero_()
        self._mu.zero_()

    def total(self) -> Tensor:
        """The sum of all terms, of each model: not finite if any was not."""
        return self._terms.sum(0) + self._mu.sum((0, 2))

    def record(
        self, seed: int, epoch: int, images: int, length_scale: Tensor | None, index: int = 0
    ) -> Epoch:
        """Averages over the ``images`` of an epoch.

        Args:
            seed: of the model.
            epoch: counted from one.
            images: how many it had.
            length_scale: the models' l ``[...]``; None for plain VAEs.
            index: of the model in the stack.
        """
        reconstruction, kl, match = (self._terms[:, index] / images).tolist()
        mean, square = self._mu[:, index] / images
        variance = square - mean**2
        result = Epoch(seed, epoch, reconstruction, kl, active_units(variance))
        if length_scale is None:
            return result
        spread = variance.sum().item()
        r2 = 1 - match / spread if spread else None
        return result._replace(match=match, match_r2=r2, length_scale=length_scale.reshape(-1)[index].item())
