"""The measures behind the verdicts on the paper's claims."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from npvae.data import Split
from npvae.embed import in_batches, locations, posterior_means
from npvae.judge import Judge, probabilities
from npvae.kernel import predict_z
from npvae.measures.embedding import embedding_measures, match_r2
from npvae.measures.fidelity import label_distance, median_bandwidth, mmd2, nearest_distance, opinion
from npvae.measures.interpolation import arc, digit_changes, line, random_pairs, unevenness
from npvae.measures.likelihood import binarise, negative_log_likelihood
from npvae.model import VAE, NonparametricVAE
from npvae.sample import decode, decode_x, sample_prior, sample_through_x


class Sizes(NamedTuple):
    """How much is drawn; ``seed`` is of all noise, so that all models meet the same."""

    samples: int
    importance_samples: int
    likelihood_images: int
    subset: int
    pairs: int
    steps: int
    seed: int


class Yardstick:
    """Real images and the judge: what generated images are held against."""

    def __init__(self, judge: Judge, train: Split, test: Split) -> None:
        self.judge, self.train, self.test = judge, train, test

    def features(self, images: Tensor) -> Tensor:
        """The judge's features ``[N, F]``."""
        return in_batches(self.judge.features, images)

    def mmd2(self, images: Tensor) -> float:
        """Unbiased MMD^2 of images to as many real test images."""
        real = self.features(self.test.images[: len(images)])
        return mmd2(self.features(images), real, median_bandwidth(real))

    def samples(self, images: Tensor) -> dict[str, float]:
        """Of samples: closeness to real images, the judge's opinion, distance to the training set."""
        judged = probabilities(self.judge, images)
        return {
            "sample_mmd2": self.mmd2(images),
            **{f"sample_{key}": value for key, value in opinion(judged).items()},
            "sample_label_distance": label_distance(judged, self.test.labels),
            "sample_nearest": float(nearest_distance(images, self.train.images).mean()),
        }

    def path(self, images: Tensor) -> dict[str, float]:
        """Measures of interpolants ``[P, T, pixels]``."""
        pairs, steps, _ = images.shape
        flat = images.flatten(0, 1)
        judged = probabilities(self.judge, flat)
        return {
            **opinion(judged),
            "nearest": float(nearest_distance(flat, self.train.images).mean()),
            "midpoint_mmd2": self.mmd2(images[:, steps // 2]),
            "digit_changes": digit_changes(judged.unflatten(0, (pairs, steps))),
            "unevenness": unevenness(images),
        }


def real_measures(yardstick: Yardstick, sizes: Sizes) -> dict[str, float]:
    """What real images give as samples: training images for MMD^2, test images for the rest."""
    chosen = yardstick.train.images[: sizes.samples]
    measures = yardstick.samples(yardstick.test.images[: sizes.samples])
    return measures | {"sample_mmd2": yardstick.mmd2(chosen)}


@torch.no_grad()
def measure(model: VAE, yardstick: Yardstick, sizes: Sizes) -> dict[str, float]:
    """All measures of one trained model, by name."""
    return dict(
        pair for part in (_embedding, _likelihood, _samples, _paths) for pair in part(model, yardstick, sizes)
    )


def _embedding(model: VAE, yardstick: Yardstick, sizes: Sizes) -> Iterator[tuple[str, float]]:
    train, test = yardstick.train, yardstick.test
    if isinstance(model, NonparametricVAE):
        x = locations(model, train.images), locations(model, test.images)
        mu = posterior_means(model, train.images), posterior_means(model, test.images)
        yield from embedding_measures(train, test, *x, subset=sizes.subset).items()
        yield "match_r2", match_r2(mu[1], predict_z(x[1], x[0], mu[0], model.length_scale))
    elif model.z_dim == 2:
        z = posterior_means(model, train.images), posterior_means(model, test.images)
        yield from embedding_measures(train, test, *z, subset=sizes.subset).items()


def _likelihood(model: VAE, yardstick: Yardstick, sizes: Sizes) -> Iterator[tuple[str, float]]:
    grey = yardstick.test.images[: sizes.likelihood_images]
    for name, images in (("", grey), ("_binarised", binarise(grey, seed=sizes.seed))):
        nats = negative_log_likelihood(model, images, samples=sizes.importance_samples, seed=sizes.seed)
        yield f"negative_log_likelihood{name}", nats


def _samples(model: VAE, yardstick: Yardstick, sizes: Sizes) -> Iterator[tuple[str, float]]:
    if isinstance(model, NonparametricVAE):
        images = sample_through_x(model, sizes.samples, yardstick.train.images, seed=sizes.seed)
    else:
        images = sample_prior(model, sizes.samples, seed=sizes.seed)
    yield from yardstick.samples(images).items()


def _paths(model: VAE, yardstick: Yardstick, sizes: Sizes) -> Iterator[tuple[str, float]]:
    pairs = random_pairs(yardstick.train.labels, sizes.pairs, seed=sizes.seed)
    ends = yardstick.train.images[pairs[:, 0]], yardstick.train.images[pairs[:, 1]]
    paths: dict[str, Tensor] = {}
    if isinstance(model, NonparametricVAE):
        x = line(locations(model, ends[0]), locations(model, ends[1]), sizes.steps)
        paths["linear_x"] = decode_x(model, x.flatten(0, 1), yardstick.train.images)
    else:
        start, end = posterior_means(model, ends[0]), posterior_means(model, ends[1])
        paths["linear_z"] = decode(model, line(start, end, sizes.steps).flatten(0, 1))
        paths["slerp_z"] = decode(model, arc(start, end, sizes.steps).flatten(0, 1))
    for name, images in paths.items():
        measures = yardstick.path(images.unflatten(0, (len(pairs), sizes.steps)))
        yield from ((f"{name}_{key}", value) for key, value in measures.items())
