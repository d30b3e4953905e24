"""All measures of one trained model, on test images."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from npvae.latent.densities import draw_kernel, draw_mixture
from npvae.latent.spaces import Embedded, Space, XSpace, space_of
from npvae.measures.embedding import digit_accuracy, digits_told, map_measures, match_r2
from npvae.measures.interpolation import random_pairs
from npvae.measures.likelihood import binarise, log_likelihoods
from npvae.measures.quadrature import log_likelihoods_through_x
from npvae.measures.terms import reconstruction, terms
from npvae.measures.yardstick import Eye, Values, Yardstick
from npvae.model.objective import active_units
from npvae.model.vae import VAE
from npvae.settings import LengthScale

READINGS: dict[LengthScale, str] = {"learned": "", "leave-one-out": "_loo"}  # how their measures' names end


class Found(NamedTuple):
    """Measures of one model.

    Attributes:
        values: by measure and classifier.
        items: of some measures, what they are the mean of, by test image or pair of training images ``[N]``.
    """

    values: Values
    items: dict[str, Tensor]


@torch.no_grad()
def measure(
    model: VAE,
    yardstick: Yardstick,
    reference: Tensor,
    *,
    seed: int,
    length_scales: Sequence[LengthScale] = ("learned", "leave-one-out"),
) -> Found:
    """All measures of one trained model; docs/reproduction.md says what they are.

    What depends on the length scale at prediction is measured for each of ``length_scales``: by its plain
    name with the learned one and, ``_loo`` added, with the one that leave-one-out prediction chooses. Without
    labels, what compares them is left out, and paths run between any two images.

    Args:
        model: in evaluation mode, on the device of the images.
        yardstick: what it is held against.
        reference: indices ``[M]`` of the training images that z~ sums over.
        seed: the model's; of the samples and of the real images that they are held against.
        length_scales: with which a model that has an X predicts.
    """
    sizes, test = yardstick.sizes, yardstick.test
    space = space_of(model, yardstick.train.images, reference)
    embedded = space.embed(test.images)
    items = terms(model, test.images, embedded, seed=sizes.seed)
    values = _embedding(space, embedded, yardstick, items)
    values[Eye("active_units")] = active_units(embedded.mu.var(0, correction=0))
    _likelihoods(model, yardstick, items)
    if isinstance(space, XSpace):
        for which in length_scales:
            other = space.with_length_scale(which)
            values |= _through_x(other, embedded, yardstick, items, seed, READINGS[which])
    else:
        values |= _through_z(space, yardstick, items, seed)
    values |= {Eye(name): float(item.mean()) for name, item in items.items() if "midpoint" not in name}
    del items["kl"], items["negative_elbo"]
    return Found(values, items)


def _embedding(space: Space, embedded: Embedded, yardstick: Yardstick, items: dict[str, Tensor]) -> Values:
    (train, test), sizes = (yardstick.train, yardstick.test), yardstick.sizes
    points = space.train_points, train.labels, embedded.points, test.labels
    if train.labelled:
        items["digit_accuracy"] = digits_told(*points, neighbours=sizes.neighbours).double()
    if embedded.points.shape[1] != 2:
        return {}
    found = map_measures(test, embedded.points, subset=sizes.subset, seed=sizes.seed)
    if train.labelled:
        found["digit_accuracy_1nn"] = digit_accuracy(*points, neighbours=1)
    return {Eye(name): value for name, value in found.items()}


def _likelihoods(model: VAE, yardstick: Yardstick, items: dict[str, Tensor]) -> None:
    sizes = yardstick.sizes
    images = yardstick.test.draw(sizes.likelihood_images, seed=sizes.seed).images
    for name, one in (("", images), ("_binarised", binarise(images, seed=sizes.seed))):
        bound = log_likelihoods(model, one, samples=sizes.importance_samples, seed=sizes.seed)
        items[f"negative_log_likelihood{name}"] = -bound


def _through_x(
    space: XSpace,
    embedded: Embedded,
    yardstick: Yardstick,
    items: dict[str, Tensor],
    seed: int,
    reading: str,
) -> Values:
    """What depends on l; ``reading`` ends its names."""
    sizes, test = yardstick.sizes, yardstick.test
    predicted = space.to_z(embedded.points)
    items[f"reconstruction_from_x{reading}"] = reconstruction(space.model, test.images, predicted)
    drawn = test.draw(sizes.likelihood_images, seed=sizes.seed).images
    items[f"negative_log_likelihood_x{reading}"] = -log_likelihoods_through_x(space, drawn)
    values = {
        Eye("match_r2"): match_r2(embedded.mu, predicted),
        Eye("length_scale"): float(space.length_scale),
        **yardstick.samples(space.samples(sizes.samples, seed=seed), seed=seed),
        **_paths(space, yardstick, items, seed, reading),
    }
    return {eye._replace(measure=eye.measure + reading): value for eye, value in values.items()}


def _through_z(space: Space, yardstick: Yardstick, items: dict[str, Tensor], seed: int) -> Values:
    """Samples of the prior and of densities fitted afterwards, and paths through Z."""
    sizes, mu = yardstick.sizes, space.train_points
    draws = {
        "": space.draw(sizes.samples, seed=seed),
        "_mixture": draw_mixture(mu, sizes.samples, components=sizes.mixture_components, seed=seed),
        "_kde": draw_kernel(mu, sizes.samples, seed=seed),
    }
    values = _paths(space, yardstick, items, seed, "")
    for density, z in draws.items():
        of_samples = yardstick.samples(space.decode(z), seed=seed)
        values |= {eye._replace(measure=eye.measure + density): value for eye, value in of_samples.items()}
    return values


def _paths(space: Space, yardstick: Yardstick, items: dict[str, Tensor], seed: int, reading: str) -> Values:
    sizes, train = yardstick.sizes, yardstick.train
    labels = train.labels if train.labelled else torch.arange(len(train.labels))  # any two images
    # the same pairs for every model: their differences can be taken pair by pair
    pairs = random_pairs(labels, sizes.pairs, seed=sizes.seed)
    start, end = space.train_points[pairs.T]
    values: Values = {}
    for name, path in space.paths.items():
        images = space.decode(path(start, end, sizes.steps).flatten(0, 1))
        along, confidences = yardstick.path(
            images.unflatten(0, (sizes.pairs, sizes.steps)), labels[pairs.to(labels.device)], seed=seed
        )
        values |= {eye._replace(measure=f"{name}_{eye.measure}"): value for eye, value in along.items()}
        if confidences is not None:
            items[f"{name}_midpoint_confidence{reading}"] = confidences
    return values
