"""The training loop: Adam on minibatches of images that stay in memory."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from npvae import machine
from npvae.data.images import require_grey
from npvae.errors import NpvaeError
from npvae.model.objective import loss, terms
from npvae.model.vae import VAE
from npvae.settings import Objective, Training
from npvae.training.history import Epoch, Sums
from npvae.training.optimiser import MasterAdam
from npvae.training.resume import Saved, StateFile, fingerprint

Step = Callable[[Tensor], None]


def fit(
    model: VAE,
    images: Tensor,
    training: Training | None = None,
    objective: Objective | None = None,
    *,
    seed: int,
    on_epoch: Callable[[Epoch], None] | None = None,
    state: Path | None = None,
) -> list[Epoch]:
    """Train ``model`` in place; model and images on one device, the defaults the paper's.

    The order of the images depends on ``seed`` alone: with the same seed, both models see the same batches.
    torch's own random state stays as it is.

    Args:
        model: left in evaluation mode.
        images: ``[N, pixels]``, uint8, or grey values in [0, 1].
        training: the optimisation.
        objective: what a nonparametric VAE adds to the evidence lower bound.
        seed: of the order, the dropout and the noise.
        on_epoch: called with the record of each epoch that is trained.
        state: a file to keep the state of the training in, epoch by epoch. One that is there and belongs to
            this very training is gone on from, and ends in the same bits on a CPU; another is ignored.

    Returns:
        One record per epoch.

    Raises:
        NpvaeError: images are not grey values; a loss is not finite, the message names the epoch and step; or
            no batch has two images.
    """
    return run(model, (seed,), images, training, objective, on_epoch=on_epoch, state=state)


def run(
    model: VAE,
    seeds: Sequence[int],
    images: Tensor,
    training: Training | None = None,
    objective: Objective | None = None,
    *,
    stacked: bool = False,
    launch: Callable[[Step, tuple[int, ...]], Step] | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    state: Path | None = None,
) -> list[Epoch]:
    """:func:`fit` of one model, or of a stack of them (:mod:`npvae.training.stacked`).

    Args:
        model: one, or a stack.
        seeds: of the models.
        images: see :func:`fit`.
        training: see :func:`fit`.
        objective: see :func:`fit`.
        stacked: whether the model is a stack.
        launch: makes of a step one that is launched at once, given the shape of its batches.
        on_epoch: see :func:`fit`.
        state: see :func:`fit`.

    Returns:
        Records, epoch by epoch; within an epoch, seed by seed.
    """
    training, objective = training or Training(), objective or Objective()
    require_grey(images)
    used = images_used(len(images), training.batch_size, drop_last=training.drop_last)
    leading = (len(seeds),) if stacked else ()
    precision = machine.resolve(training.precision, images.device)
    made = machine.describe(precision, images.device)
    file = StateFile(state, fingerprint(model, images, seeds, training, objective, made)) if state else None
    with torch.random.fork_rng(devices=[images.device] if images.is_cuda else []):
        torch.manual_seed(min(seeds))
        shufflers = [torch.Generator().manual_seed(seed) for seed in seeds]
        optimiser = MasterAdam(model, bfloat16=precision == "bfloat16", learning_rate=training.learning_rate)
        working = optimiser.working.train()
        sums = Sums(model.z_dim, images.device, len(seeds))
        epoch = number = 0

        def step(batch: Tensor) -> None:
            parts = terms(working, images[batch], objective=objective)
            value = loss(parts, match_weight=objective.match_weight)
            if not images.is_cuda:  # there, looking would wait for the device
                _require_finite(value, seeds, epoch, number)
            value.sum().backward()
            optimiser.step()
            sums.add(parts)

        launched = launch(step, (*leading, training.batch_size)) if launch else step
        history = _resume(saved, optimiser, shufflers) if (saved := file and file.load()) else []
        for epoch in range(len(history) // len(seeds) + 1, training.epochs + 1):
            orders = torch.stack([torch.randperm(len(images), generator=one)[:used] for one in shufflers])
            batches = orders.view(*leading, used).to(images.device).split(training.batch_size, dim=-1)
            sums.clear()
            for number, batch in enumerate(batches, start=1):  # noqa: B007 (step reads the number)
                (launched if batch.shape[-1] == training.batch_size else step)(batch)
            _require_finite(sums.total(), seeds, epoch, number)
            if not optimiser.finite():
                raise _diverged("a weight is not finite", epoch, number, seeds)
            records = [
                sums.record(seed, epoch, used, model.length_scale, index) for index, seed in enumerate(seeds)
            ]
            if objective.divergence != "means":  # else the match is what z~ leaves of the variance
                records = [record._replace(match_r2=None) for record in records]
            history += records
            if file:
                file.save(_state(optimiser, shufflers, images.device), history)
            if on_epoch:
                for record in records:
                    on_epoch(record)
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


def _require_finite(values: Tensor, seeds: Sequence[int], epoch: int, step: int) -> None:
    """Stop at a loss, one per model, that is NaN or infinite."""
    if not values.isfinite().all():
        each = zip(values.view(-1).tolist(), seeds, strict=True)
        value, seed = next((value, seed) for value, seed in each if not math.isfinite(value))
        raise _diverged(f"the loss is {value}", epoch, step, [seed])


def _diverged(what: str, epoch: int, step: int, seeds: Sequence[int]) -> NpvaeError:
    of = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {', '.join(map(str, seeds))}"
    return NpvaeError(
        f"{what} at epoch {epoch}, step {step}, {of}: training stopped and nothing was saved; try a smaller "
        "train.learning_rate or, with an npvae.divergence other than means, a larger npvae.kernel_noise"
    )


def _state(
    optimiser: MasterAdam[VAE], shufflers: Sequence[torch.Generator], device: torch.device
) -> dict[str, Tensor]:
    """All that the rest of a training depends on."""
    random = {"random": torch.get_rng_state(), "order": torch.stack([one.get_state() for one in shufflers])}
    if device.type == "cuda":
        random["random_cuda"] = torch.cuda.get_rng_state(device)
    return optimiser.state() | random


def _resume(saved: Saved, optimiser: MasterAdam[VAE], shufflers: Sequence[torch.Generator]) -> list[Epoch]:
    tensors = dict(saved.tensors)
    torch.set_rng_state(tensors.pop("random"))
    for shuffler, state in zip(shufflers, tensors.pop("order"), strict=True):
        shuffler.set_state(state.clone())  # it wants a storage of its own
    if "random_cuda" in tensors:
        torch.cuda.set_rng_state(tensors.pop("random_cuda"))
    optimiser.restore(tensors)
    return [Epoch(*record) for record in saved.history]
