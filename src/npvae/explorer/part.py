"""What the explorer's page holds of one model at one Z: small enough to carry, and how exact that is."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.special import expit, softmax
from torch import Tensor, nn

from npvae.latent.spaces import Space, XSpace
from npvae.model.vae import VAE

Array = NDArray[Any]
Arrays = Mapping[str, Array]

IMAGES = 3_000  # test images on the page
CELLS = 10_000  # at most, that stand for the training images: with l by leave-one-out, few lie within one l
ACTIVE = 0.01  # variance of E[z] over images from which a unit counts
CHECKED = 1_000  # places of test images, and
GRID = 20  # along each axis, places of a grid, at which the page is held against the model

_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "Tanh": np.tanh,
    "ReLU": lambda a: np.maximum(a, 0),
    "ELU": lambda a: np.where(a > 0, a, np.expm1(np.minimum(a, 0))),
}


def part(space: Space, images: Tensor) -> dict[str, Array]:
    """The decoder, E[z] of the page's test images and, of a model with an X, all that decodes from there.

    Units of Z that are not active (Burda, Grosse and Salakhutdinov, 2016) are left out: held at their mean.

    Args:
        space: X or Z of the model.
        images: the test images that the page shows, ``[N, pixels]``.

    Returns:
        Arrays by name. Matrices are bytes: the matrix ``m`` is ``m * m_scale``. ``error`` holds the largest
        and the mean difference of a pixel from the model's own, at the places of images and on a grid.
    """
    embedded = space.embed(images)
    means = embedded.mu.numpy()
    active = means.var(axis=0) > ACTIVE
    arrays = _decoder(space.model, active, means.mean(axis=0)) | _bytes("mu", means[:, active])
    if isinstance(space, XSpace):
        x, mu, count = condensed(*(tensor.numpy() for tensor in space.reference), most=CELLS)
        arrays |= {
            "x": embedded.points.numpy(),
            "cell_x": x,
            "cell_log_count": np.log(count).astype(np.float32),
            "length_scale": space.length_scale.numpy(),
            **_bytes("cell_mu", mu[:, active]),
        }
        places = arrays["x"][:CHECKED], _grid(arrays["x"])
        arrays["error"] = np.array([_error(arrays, space, some) for some in places], np.float32)
    return arrays


def condensed(x: Array, mu: Array, *, most: int) -> tuple[Array, Array, Array]:
    """Reference images ``[M, 2], [M, Dz]``, those in one cell of a square grid as their mean.

    z~ weighs an image by a kernel that hardly changes within a small cell. The grid is the finest of which no
    more than ``most`` cells are in use.

    Returns:
        The cells' x ``[C, 2]``, E[z] ``[C, Dz]`` and number of images ``[C]``.
    """
    low = x.min(axis=0)
    side = float(np.ptp(x, axis=0).max()) / most or 1.0
    while True:
        column, row = np.floor((x - low) / side).astype(np.int64).T
        _, cell, count = np.unique(column * (row.max() + 1) + row, return_inverse=True, return_counts=True)
        if len(count) <= most:
            break
        side *= 1.1
    mean_x, mean_mu = (pd.DataFrame(values).groupby(cell).mean().to_numpy(np.float32) for values in (x, mu))
    return mean_x, mean_mu, count


def quantised(matrix: Array, axis: int) -> tuple[Array, Array]:
    """A matrix ``[R, C]`` in steps of a 127th of the largest value along ``axis``: bytes, and the steps."""
    largest = np.abs(matrix).max(axis=axis, keepdims=True, initial=0)
    step = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    return np.rint(matrix / step).astype(np.int8), step


def decode(arrays: Arrays, z: Array) -> Array:
    """Grey values ``[N, pixels]`` of ``[N, Dz]``, as the page computes them."""
    for layer, activation in enumerate([*arrays["activations"], None]):
        z = z @ _restored(arrays, f"weight{layer}").T + arrays[f"bias{layer}"]
        z = _ACTIVATIONS[activation](z) if activation else expit(z)
    return z


def predict(arrays: Arrays, x: Array) -> Array:
    """z~ ``[N, Dz]`` at places of X ``[N, 2]``, as the page computes it."""
    squared = ((x[:, None] - arrays["cell_x"]) ** 2).sum(axis=-1)
    log_weights = arrays["cell_log_count"] - squared / (2 * arrays["length_scale"] ** 2)
    return softmax(log_weights, axis=1) @ _restored(arrays, "cell_mu")


def _restored(arrays: Arrays, name: str) -> Array:
    return arrays[name] * arrays[f"{name}_scale"]


def _bytes(name: str, matrix: Array, axis: int = 0) -> dict[str, Array]:
    values, step = quantised(matrix, axis)
    return {name: values, f"{name}_scale": step}


def _decoder(model: VAE, active: Array, mean: Array) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    layers = [layer for layer in model.decoder if isinstance(layer, nn.Linear)]
    for index, layer in enumerate(layers):
        weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        if index == 0:
            weight, bias = weight[:, active], bias + weight[:, ~active] @ mean[~active]
        arrays |= _bytes(f"weight{index}", weight, axis=1) | {f"bias{index}": bias}
    kinds = [type(layer).__name__ for layer in model.decoder]
    return arrays | {"activations": np.array([kind for kind in kinds if kind in _ACTIVATIONS])}


def _grid(x: Array) -> Array:
    axes = np.linspace(x.min(axis=0), x.max(axis=0), GRID, dtype=np.float32).T
    return np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)


def _error(arrays: Arrays, space: XSpace, places: Array) -> tuple[float, float]:
    exact = space.decode(torch.from_numpy(places)).numpy()
    difference = np.abs(decode(arrays, predict(arrays, places)) - exact)
    return float(difference.max()), float(difference.mean())
