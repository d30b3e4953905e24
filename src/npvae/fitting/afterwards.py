"""Eq. 5's match between a trained VAE's E[z] and what X predicts of it, minimised over X and l alone.

Nothing reaches the encoder or the decoder, so E[z] is computed once, and reconstruction and likelihood are
those of the plain VAE.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR

from npvae import machine
from npvae.data.images import grey, in_batches, require_grey
from npvae.errors import NpvaeError
from npvae.model.checkpoint import new_model
from npvae.model.coupling import means
from npvae.model.kernel import Kernel
from npvae.model.objective import active_units
from npvae.model.vae import VAE, NonparametricVAE
from npvae.settings import Fitting, Precision, Recipe
from npvae.training.optimiser import MasterAdam


class Fitted(NamedTuple):
    """One epoch: averages over its training images, the X encoder's drop-out on.

    The match is ``|E[z] - E[z~]|^2``, summed over the dimensions of Z in use. Its R^2 is None where E[z] does
    not vary.
    """

    seed: int
    epoch: int
    match: float
    match_r2: float | None
    length_scale: float


def fit_x(
    model: NonparametricVAE,
    images: Tensor,
    fitting: Fitting | None = None,
    *,
    seed: int,
    precision: Precision = "auto",
    on_epoch: Callable[[Fitted], None] | None = None,
) -> list[Fitted]:
    """Fit the X encoder and the length scale of ``model`` in place; all else stays as it is, to the bit.

    An epoch's last, ragged batch is left out. torch's own random state stays as it is.

    Args:
        model: whose VAE is trained; on the device of the images, and left in evaluation mode.
        images: ``[N, pixels]``, uint8, or grey values in [0, 1].
        fitting: the optimisation; where there are fewer images than a batch has, all are one batch.
        seed: of the order and the drop-out.
        precision: of the X encoder's matrix products; E[z], kernel and match are float32.
        on_epoch: called with the record of each epoch.

    Returns:
        One record per epoch.

    Raises:
        NpvaeError: images are not grey values; or a match is not finite, the message names epoch and step.
    """
    fitting = fitting or Fitting()
    require_grey(images)
    model.eval()
    mu = in_batches(lambda batch: model.encode(batch)[0], images)
    variance = mu.var(0, correction=0)
    if active_units(variance):  # the others add next to nothing to the match, and of 500 they are most
        mu, variance = mu[:, variance > 0.01], variance[variance > 0.01]
    spread = variance.sum().item()
    sigma = mu.new_empty(0)  # the match leaves it out
    size = min(fitting.batch_size, len(images))
    steps = len(images) // size
    learned = nn.ModuleDict({"x_encoder": model.x_encoder, "kernel": model.kernel})
    optimiser = MasterAdam(
        learned,
        bfloat16=machine.resolve(precision, images.device) == "bfloat16",
        learning_rate=fitting.learning_rate,
    )
    schedule = CosineAnnealingLR(optimiser.adam, fitting.epochs * steps)
    working = optimiser.working.train()
    encoder, kernel = working["x_encoder"], cast(Kernel, working["kernel"])
    shuffler = torch.Generator().manual_seed(seed)
    history = []
    with torch.random.fork_rng(devices=[images.device] if images.is_cuda else []):
        torch.manual_seed(seed)
        for epoch in range(1, fitting.epochs + 1):
            order = torch.randperm(len(images), generator=shuffler)[: steps * size].to(images.device)
            total = 0.0
            for step, batch in enumerate(order.split(size), start=1):
                value = means(mu[batch], sigma, encoder(grey(images[batch])), kernel, "x").mean()
                if not value.isfinite():
                    raise NpvaeError(
                        f"the match is {value.item()} at epoch {epoch}, step {step}, seed {seed}: fitting "
                        "stopped and nothing was saved; try a smaller advised.learning_rate"
                    )
                value.backward()
                optimiser.step()
                schedule.step()
                total += value.item()
            match = total / steps
            r2 = 1 - match / spread if spread else None
            record = Fitted(seed, epoch, match, r2, model.length_scale.item())
            history.append(record)
            if on_epoch:
                on_epoch(record)
    model.eval()
    return history


def fit_x_seeds(
    recipe: Recipe,
    plain: Mapping[int, VAE],
    images: Tensor,
    *,
    on_epoch: Callable[[Fitted], None] | None = None,
) -> tuple[dict[int, VAE], list[Fitted]]:
    """Fit an X to each of several plain VAEs, which stay as they are.

    Args:
        recipe: of the model ``advised``.
        plain: trained, by seed, at the recipe's Z; none at all is allowed.
        images: ``[N, pixels]``; the fits are made on their device.
        on_epoch: called with the record of each epoch.

    Returns:
        The models by seed, and their records, a seed's together.

    Raises:
        NpvaeError: see :func:`fit_x`.
    """
    models: dict[int, VAE] = {}
    history = []
    for seed, vae in plain.items():
        model = cast(NonparametricVAE, new_model(recipe, seed))
        model.load_state_dict(model.state_dict() | vae.state_dict())
        history += fit_x(
            model.to(images.device),
            images,
            recipe.advised,
            seed=seed,
            precision=recipe.train.precision,
            on_epoch=on_epoch,
        )
        models[seed] = model
    return models, history
