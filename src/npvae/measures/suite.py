"""All measures of one trained model, on test images."""

import torch
from torch import Tensor

from npvae.latent.spaces import Embedded, Space, space_of
from npvae.measures.embedding import digit_accuracy, map_measures, match_r2
from npvae.measures.interpolation import random_pairs
from npvae.measures.likelihood import binarise, negative_log_likelihood
from npvae.measures.terms import reconstruction, terms
from npvae.measures.yardstick import Yardstick
from npvae.model.vae import VAE


@torch.no_grad()
def measure(model: VAE, yardstick: Yardstick, reference: Tensor) -> dict[str, float]:
    """All measures of one trained model, by name; docs/reproduction.md says what they are.

    Args:
        model: in evaluation mode, on the device of the images.
        yardstick: what it is held against.
        reference: indices ``[M]`` of the training images that z~ sums over.
    """
    sizes, test = yardstick.sizes, yardstick.test
    space = space_of(model, yardstick.train.images, reference)
    embedded = space.embed(test.images)
    measures = terms(model, test.images, embedded, seed=sizes.seed)
    if model.length_scale is not None:
        predicted = space.to_z(embedded.points)
        measures |= {
            "reconstruction_from_x": reconstruction(model, test.images, predicted),
            "match_r2": match_r2(embedded.mu, predicted),
            "length_scale": model.length_scale.item(),
        }
    measures |= _embedding(space, embedded, yardstick) | _likelihood(model, yardstick)
    measures |= yardstick.samples(space.samples(sizes.samples, seed=sizes.seed))
    start, end = space.train_points[random_pairs(yardstick.train.labels, sizes.pairs, seed=sizes.seed).T]
    for name, path in space.paths.items():
        images = space.decode(path(start, end, sizes.steps).flatten(0, 1))
        along = yardstick.path(images.unflatten(0, (sizes.pairs, sizes.steps)))
        measures |= {f"{name}_{key}": value for key, value in along.items()}
    return measures


def _embedding(space: Space, embedded: Embedded, yardstick: Yardstick) -> dict[str, float]:
    (train, test), sizes = (yardstick.train, yardstick.test), yardstick.sizes
    points = space.train_points, train.labels, embedded.points, test.labels
    measures = {"digit_accuracy": digit_accuracy(*points, neighbours=sizes.neighbours)}
    if embedded.points.shape[1] == 2:
        measures["digit_accuracy_1nn"] = digit_accuracy(*points, neighbours=1)
        measures |= map_measures(test, embedded.points, subset=sizes.subset, seed=sizes.seed)
    return measures


def _likelihood(model: VAE, yardstick: Yardstick) -> dict[str, float]:
    sizes = yardstick.sizes
    images = yardstick.test.draw(sizes.likelihood_images, seed=sizes.seed).images
    return {
        f"negative_log_likelihood{name}": negative_log_likelihood(
            model, one, samples=sizes.importance_samples, seed=sizes.seed
        )
        for name, one in (("", images), ("_binarised", binarise(images, seed=sizes.seed)))
    }
