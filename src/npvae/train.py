"""Training: Adam on minibatches of images that stay in memory."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector

from npvae.errors import NpvaeError
from npvae.model import VAE, NonparametricVAE
from npvae.objective import Terms, active_units, loss, terms
from npvae.optimiser import MasterAdam, Precision


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

    def finite(self, index: int = 0) -> bool:
        """Whether all that was added is finite."""
        return bool(self._terms[:, index].isfinite().all() and self._mu[:, index].isfinite().all())

    def record(self, model: VAE, seed: int, epoch: int, images: int, index: int = 0) -> Epoch:
        """Averages over the ``images`` of an epoch; ``model`` is the one of this ``index`` in the stack."""
        reconstruction, kl, match = (self._terms[:, index] / images).tolist()
        mean, square = self._mu[:, index] / images
        variance = square - mean**2
        result = Epoch(seed, epoch, reconstruction, kl, active_units(variance))
        if not isinstance(model, NonparametricVAE):
            return result
        spread = variance.sum().item()
        r2 = 1 - match / spread if spread else None
        return result._replace(match=match, match_r2=r2, length_scale=model.length_scale.item())


def diverged(what: str, epoch: int, step: int, seed: int) -> NpvaeError:
    """The error that ends a training."""
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
    precision: Precision = "float32",
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
        precision: of the matrix products; parameters, kernel and loss are float32 (:mod:`npvae.optimiser`).
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
    optimiser = MasterAdam(model, precision=precision, learning_rate=learning_rate)
    working = optimiser.working.train()
    used = images_used(len(images), batch_size, drop_last=drop_last)
    sums = Sums(model.z_dim, images.device)
    history = []
    for epoch in range(1, epochs + 1):
        order = torch.randperm(len(images), generator=shuffler)[:used].to(images.device)
        sums.clear()
        for step, batch in enumerate(order.split(batch_size), start=1):
            parts = terms(working, images[batch], neighbour_gradient=neighbour_gradient)
            objective = loss(parts, match_weight=match_weight)
            if not torch.isfinite(objective):
                raise diverged(f"the loss is {objective.item()}", epoch, step, seed)
            objective.backward()
            optimiser.step()
            sums.add(parts)
        if not parameters_to_vector(model.parameters()).isfinite().all():
            raise diverged("a weight is not finite", epoch, step, seed)
        history.append(sums.record(model, seed, epoch, used))
        if on_epoch:
            on_epoch(history[-1])
    model.eval()
    return history


def images_used(images: int, batch_size: int, *, drop_last: bool) -> int:
    """How many of an epoch's ``images`` are trained on.

    Raises:
        NpvaeError: no batch has two images.
    """
    ragged = images % batch_size
    # a lone image has no neighbours, so it is left out in any case
    used = images - (ragged if drop_last or ragged == 1 else 0)
    if min(batch_size, used) < 2:
        raise NpvaeError(f"no batch of two images: train.batch_size is {batch_size}, of {images} images")
    return used
