"""Training: Adam on minibatches of images that stay in memory."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector

from npvae.errors import NpvaeError
from npvae.model import VAE, NonparametricVAE
from npvae.objective import Terms, active_units, loss, terms


class Epoch(NamedTuple):
    """Averages over one epoch's training images, dropout on; terms in nats.

    A plain VAE has no matching term, length scale or R^2: they are None. So is R^2 where E[z] does not vary.
    """

    seed: int
    epoch: int
    reconstruction: float
    kl: float
    active_units: int
    match: float | None = None
    match_r2: float | None = None
    length_scale: float | None = None


class _Sums:
    """Running sums over an epoch, in float64."""

    def __init__(self) -> None:
        self.images = 0
        self.terms: Tensor | float = 0.0  # reconstruction, kl, match
        self.mu: Tensor | float = 0.0
        self.mu_squared: Tensor | float = 0.0

    @torch.no_grad()
    def add(self, batch: Terms) -> None:
        self.images += len(batch.mu)
        self.terms += torch.stack([batch.reconstruction, batch.kl, batch.match]).sum(1).double()
        mu = batch.mu.double()
        self.mu += mu.sum(0)
        self.mu_squared += mu.square().sum(0)

    def record(self, model: VAE, seed: int, epoch: int) -> Epoch:
        assert isinstance(self.terms, Tensor)
        assert isinstance(self.mu_squared, Tensor)
        reconstruction, kl, match = (self.terms / self.images).tolist()
        variance = self.mu_squared / self.images - (self.mu / self.images) ** 2
        result = Epoch(seed, epoch, reconstruction, kl, active_units(variance))
        if not isinstance(model, NonparametricVAE):
            return result
        spread = variance.sum().item()
        r2 = 1 - match / spread if spread else None
        return result._replace(match=match, match_r2=r2, length_scale=model.length_scale.item())


def _diverged(what: str, epoch: int, step: int, seed: int) -> NpvaeError:
    return NpvaeError(
        f"{what} at epoch {epoch}, step {step}, seed {seed}: "
        "training stopped and nothing was saved; try a smaller train.learning_rate"
    )


def fit(
    model: VAE,
    images: Tensor,
    *,
    seed: int,
    epochs: int = 20,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    drop_last: bool = True,
    match_weight: float = 1.0,
    neighbour_gradient: bool = True,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> list[Epoch]:
    """Train ``model`` in place; model and images on one device, the defaults the paper's.

    The order of the images depends on ``seed`` alone: with the same seed, both models see the same batches.

    Args:
        model: left in evaluation mode.
        images: ``[N, pixels]``, grey values in [0, 1].
        seed: of the order, the dropout and the noise.
        epochs: passes through the images.
        batch_size: also the size of the kernel's neighbourhood.
        learning_rate: Adam's.
        drop_last: leave out an epoch's last, ragged batch.
        match_weight: weight of the matching term of Eq. 5.
        neighbour_gradient: see :func:`npvae.objective.match_penalty`.
        on_epoch: called with each epoch's record.

    Returns:
        One record an epoch.

    Raises:
        NpvaeError: a loss is not finite, the message names the epoch and step; or no batch has two images.
    """
    torch.manual_seed(seed)
    shuffler = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(model.parameters(), lr=learning_rate, fused=True)
    ragged = len(images) % batch_size
    # a lone image has no neighbours, so it is left out in any case
    used = len(images) - (ragged if drop_last or ragged == 1 else 0)
    if min(batch_size, used) < 2:
        raise NpvaeError(f"no batch of two images: train.batch_size is {batch_size}, of {len(images)} images")
    history = []
    model.train()
    for epoch in range(1, epochs + 1):
        order = torch.randperm(len(images), generator=shuffler)[:used].to(images.device)
        sums = _Sums()
        for step, batch in enumerate(order.split(batch_size), start=1):
            parts = terms(model, images[batch], neighbour_gradient=neighbour_gradient)
            objective = loss(parts, match_weight=match_weight)
            if not torch.isfinite(objective):
                raise _diverged(f"the loss is {objective.item()}", epoch, step, seed)
            optimiser.zero_grad()
            objective.backward()
            optimiser.step()
            sums.add(parts)
        if not parameters_to_vector(model.parameters()).isfinite().all():
            raise _diverged("a weight is not finite", epoch, step, seed)
        history.append(sums.record(model, seed, epoch))
        if on_epoch:
            on_epoch(history[-1])
    model.eval()
    return history
