"""All seeds of one recipe, on what is there: side by side on a GPU, one after another on a CPU."""

from collections.abc import Callable, Sequence
from pathlib import Path

from torch import Tensor

from npvae.model.checkpoint import new_model
from npvae.model.vae import VAE
from npvae.settings import Recipe
from npvae.training.history import Epoch
from npvae.training.loop import fit
from npvae.training.stacked import fit_stacked


def fit_seeds(
    recipe: Recipe,
    seeds: Sequence[int],
    images: Tensor,
    *,
    on_epoch: Callable[[Epoch], None] | None = None,
    states: Path | None = None,
) -> tuple[dict[int, VAE], list[Epoch]]:
    """Train a model per seed, on the device of the images ``[N, pixels]``.

    Args:
        recipe: what they are trained by.
        seeds: none at all is allowed.
        images: uint8, or grey values in [0, 1].
        on_epoch: called with the record of each epoch that is trained.
        states: a folder for the states of unfinished trainings (:mod:`npvae.training.resume`).

    Returns:
        The models by seed, and their records, a seed's together.

    Raises:
        NpvaeError: see :func:`npvae.training.loop.fit`.
    """
    models = {seed: new_model(recipe, seed).to(images.device) for seed in seeds}
    if models and images.is_cuda:
        state = states and states / "seeds.safetensors"
        history = fit_stacked(models, images, recipe.train, recipe.npvae, on_epoch=on_epoch, state=state)
        return models, history
    history = []
    for seed, model in models.items():
        state = states and states / f"seed-{seed}.safetensors"
        history += fit(model, images, recipe.train, recipe.npvae, seed=seed, on_epoch=on_epoch, state=state)
    return models, history
