"""Embedding: where the trained encoders place images, in Z and in X."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from npvae.data import Split
from npvae.model import VAE, NonparametricVAE


@torch.no_grad()
def in_batches(function: Callable[[Tensor], Tensor], images: Tensor, batch_size: int = 1_000) -> Tensor:
    """``function`` of all images, ``[N, ...] -> [N, ...]``, a batch at a time, without gradients."""
    return torch.cat([function(batch) for batch in images.split(batch_size)])


def posterior_means(model: VAE, images: Tensor) -> Tensor:
    """E[z|y]: ``[N, pixels] -> [N, Dz]``."""
    return in_batches(lambda batch: model.encode(batch)[0], images)


def locations(model: NonparametricVAE, images: Tensor) -> Tensor:
    """X: ``[N, pixels] -> [N, Dx]``."""
    return in_batches(model.embed, images)


class Reference(NamedTuple):
    """The images that z~ sums over (Eq. 4): locations ``x`` ``[M, Dx]`` and means ``mu`` ``[M, Dz]``."""

    x: Tensor
    mu: Tensor

    @classmethod
    def of(cls, model: NonparametricVAE, images: Tensor) -> "Reference":
        """Embed images ``[M, pixels]``."""
        return cls(locations(model, images), posterior_means(model, images))


def embedding_table(model: VAE, splits: dict[str, Split]) -> pd.DataFrame:
    """One row an image: ``split``, ``digit``, its X (``x1``, ``x2``) and E[z|y] (``z1``, ``z2``).

    A plain VAE has no X. A Z of more than two dimensions is left out: it can't be drawn.
    """

    def coordinates(name: str, values: Tensor) -> dict[str, np.ndarray]:
        return {f"{name}{axis}": column for axis, column in enumerate(values.cpu().numpy().T, start=1)}

    tables = []
    for split, (images, labels) in splits.items():
        columns: dict[str, object] = {"split": split, "digit": labels.cpu().numpy()}
        if isinstance(model, NonparametricVAE):
            columns |= coordinates("x", locations(model, images))
        if model.z_dim == 2:
            columns |= coordinates("z", posterior_means(model, images))
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)
