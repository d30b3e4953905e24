"""The measures behind the verdicts on the paper's claims."""

from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from npvae.data import Split
from npvae.embed import Reference, in_batches, locations, posterior_means
from npvae.judge import Judge
from npvae.measures.embedding import embedding_measures
from npvae.measures.fidelity import label_distance, median_bandwidth, mmd2, opinion
from npvae.measures.interpolation import arc, digit_changes, line, random_pairs, unevenness
from npvae.measures.likelihood import binarise, negative_log_likelihood
from npvae.measures.neighbours import Neighbours
from npvae.model import VAE, NonparametricVAE
from npvae.sample import decode, decode_x, sample_prior, sample_through_x


class Sizes(NamedTuple):
    """How much is drawn; ``seed`` is of all noise and draws, so that all models meet the same."""

    samples: int
    importance_samples: int
    likelihood_images: int
    subset: int
    pairs: int
    steps: int
    seed: int


class Yardstick:
    """Real images and the judge: what generated images are held against.

    What does not depend on a model is computed once.
    """

    def __init__(self, judge: Judge, train: Split, test: Split, sizes: Sizes) -> None:
        self.judge, self.train, self.test, self.sizes = judge, train, test, sizes

    def features(self, images: Tensor) -> Tensor:
        """The judge's features: ``[N, pixels] -> [N, F]``."""
        return in_batches(self.judge.features, images)

    @torch.no_grad()
    def judged(self, features: Tensor) -> Tensor:
        """The judge's probabilities of the digits: ``[N, F] -> [N, 10]``."""
        return self.judge.head(features).softmax(-1)

    @cached_property
    def real(self) -> tuple[Tensor, float]:
        """Features ``[samples, F]`` of test images that are drawn, and their median distance."""
        features = self.features(self.test.draw(self.sizes.samples, seed=self.sizes.seed).images)
        return features, median_bandwidth(features)

    @cached_property
    def neighbours(self) -> Neighbours:
        """The training images, as neighbours of others."""
        return Neighbours(self.train.images)

    def mmd2(self, features: Tensor) -> float:
        """Unbiased MMD^2 of images, by their features ``[N, F]``, to real test images."""
        return mmd2(features, *self.real)

    def nearest(self, images: Tensor) -> float:
        """Mean distance of images ``[N, pixels]`` to their nearest training images."""
        return float(self.neighbours.nearest(images)[0].mean())

    def samples(self, images: Tensor) -> dict[str, float]:
        """Of samples: closeness to real images, the judge's opinion, distance to the training set."""
        features = self.features(images)
        judged = self.judged(features)
        return {
            "sample_mmd2": self.mmd2(features),
            **{f"sample_{key}": value for key, value in opinion(judged).items()},
            "sample_label_distance": label_distance(judged, self.test.labels),
            "sample_nearest": self.nearest(images),
        }

    def path(self, images: Tensor) -> dict[str, float]:
        """Measures of interpolants ``[P, T, pixels]``."""
        pairs, steps, _ = images.shape
        flat = images.flatten(0, 1)
        features = self.features(flat)
        judged = self.judged(features)
        return {
            **opinion(judged),
            "nearest": self.nearest(flat),
            "midpoint_mmd2": self.mmd2(features.unflatten(0, (pairs, steps))[:, steps // 2]),
            "digit_changes": digit_changes(judged.unflatten(0, (pairs, steps))),
            "unevenness": unevenness(images),
        }


def real_measures(yardstick: Yardstick) -> dict[str, float]:
    """What real images give as samples: training images for MMD^2, test images for the rest."""
    train, test = (
        split.draw(yardstick.sizes.samples, seed=yardstick.sizes.seed).images
        for split in (yardstick.train, yardstick.test)
    )
    return yardstick.samples(test) | {"sample_mmd2": yardstick.mmd2(yardstick.features(train))}


@torch.no_grad()
def measure(model: VAE, yardstick: Yardstick, reference: Tensor) -> dict[str, float]:
    """All measures of one trained model, by name.

    Args:
        model: in evaluation mode, on the device of the images.
        yardstick: what it is held against.
        reference: indices ``[M]`` of the training images that z~ sums over.
    """
    (train, test), sizes = (yardstick.train, yardstick.test), yardstick.sizes
    start, end = random_pairs(train.labels, sizes.pairs, seed=sizes.seed).to(train.labels.device).T
    points: tuple[Tensor, Tensor] | None = None
    if isinstance(model, NonparametricVAE):
        points = x, _ = locations(model, train.images), locations(model, test.images)
        known = Reference(x[reference], posterior_means(model, train.images[reference]))
        samples = sample_through_x(model, sizes.samples, known, seed=sizes.seed)
        paths = {"linear_x": decode_x(model, line(x[start], x[end], sizes.steps).flatten(0, 1), known)}
    else:
        if model.z_dim == 2:
            points = posterior_means(model, train.images), posterior_means(model, test.images)
        samples = sample_prior(model, sizes.samples, seed=sizes.seed)
        a, b = (posterior_means(model, train.images[one]) for one in (start, end))
        paths = {
            name: decode(model, path(a, b, sizes.steps).flatten(0, 1))
            for name, path in (("linear_z", line), ("slerp_z", arc))
        }
    measures: dict[str, float] = {}
    if points:
        measures |= embedding_measures(train, test, *points, subset=sizes.subset, seed=sizes.seed)
    measures |= _likelihood(model, yardstick) | yardstick.samples(samples)
    for name, images in paths.items():
        along = yardstick.path(images.unflatten(0, (sizes.pairs, sizes.steps)))
        measures |= {f"{name}_{key}": value for key, value in along.items()}
    return measures


def _likelihood(model: VAE, yardstick: Yardstick) -> dict[str, float]:
    sizes = yardstick.sizes
    grey = yardstick.test.draw(sizes.likelihood_images, seed=sizes.seed).images
    return {
        f"negative_log_likelihood{name}": negative_log_likelihood(
            model, images, samples=sizes.importance_samples, seed=sizes.seed
        )
        for name, images in (("", grey), ("_binarised", binarise(grey, seed=sizes.seed)))
    }
