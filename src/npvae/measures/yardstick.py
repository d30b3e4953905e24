"""Real images and the classifiers: what generated images are held against."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from npvae.data.images import Split, in_batches
from npvae.measures.classifier import Classifier
from npvae.measures.fidelity import label_distance, median_bandwidth, mmd2, opinion
from npvae.measures.interpolation import digit_changes, third_digits, unevenness
from npvae.measures.neighbours import Neighbours
from npvae.settings import Measuring


class Eye(NamedTuple):
    """A measure and in whose eyes it is taken: the index of a classifier, or None where none looks."""

    measure: str
    classifier: int | None = None


Values = dict[Eye, float]


class _Real(NamedTuple):
    """Features ``[samples, F]`` of real images and their median distance."""

    features: Tensor
    bandwidth: float


class Yardstick:
    """What does not depend on a model is computed once.

    Args:
        classifiers: in evaluation mode; all look at the same images. Without any, what they would see is left
            out.
        train: images and digits.
        test: images and digits.
        sizes: how much is drawn.
    """

    def __init__(
        self, classifiers: Sequence[Classifier], train: Split, test: Split, sizes: Measuring
    ) -> None:
        self.classifiers, self.train, self.test, self.sizes = classifiers, train, test, sizes
        self._real: dict[tuple[int, int | None], _Real] = {}

    def features(self, images: Tensor, eye: int | None) -> Tensor:
        """A classifier's features ``[N, F]`` or, without one, principal components of ``[N, pixels]``."""
        if eye is None:
            return self.neighbours.project(images)
        return in_batches(self.classifiers[eye].features, images)

    @torch.no_grad()
    def classified(self, features: Tensor, eye: int) -> Tensor:
        """A classifier's probabilities of the labels: ``[N, F] -> [N, classes]``."""
        return self.classifiers[eye].head(features).softmax(-1)

    @cached_property
    def neighbours(self) -> Neighbours:
        """The training images, as neighbours of others."""
        return Neighbours(self.train.images)

    def mmd2(self, features: Tensor, eye: int | None, seed: int) -> float:
        """Unbiased MMD^2 of images, by their features ``[N, F]``, to test images drawn by a seed."""
        if (seed, eye) not in self._real:
            real = self.features(self.test.draw(self.sizes.samples, seed=seed).images, eye)
            self._real[seed, eye] = _Real(real, median_bandwidth(real))
        return mmd2(features, *self._real[seed, eye])

    def nearest(self, images: Tensor) -> float:
        """Mean distance of images ``[N, pixels]`` to their nearest training images."""
        return float(self.neighbours.nearest(images)[0].mean())

    def samples(self, images: Tensor, *, seed: int) -> Values:
        """Of samples: closeness to real images, the classifiers' opinion, distance to the training set.

        Args:
            images: ``[N, pixels]``.
            seed: of the draw of real images.
        """
        values = {
            Eye("sample_mmd2_pixels"): self.mmd2(self.features(images, None), None, seed),
            Eye("sample_nearest"): self.nearest(images),
        }
        for eye in range(len(self.classifiers)):
            features = self.features(images, eye)
            classified = self.classified(features, eye)
            values |= _seen(
                {
                    "sample_mmd2": self.mmd2(features, eye, seed),
                    **{f"sample_{key}": value for key, value in opinion(classified).items()},
                    "sample_label_distance": label_distance(classified, self.test.labels),
                },
                eye,
            )
        return values

    def path(self, images: Tensor, digits: Tensor, *, seed: int) -> tuple[Values, Tensor | None]:
        """Measures of interpolants, and the mean confidence of the classifiers at each midpoint.

        All classifiers look at the midpoints, which the verdicts are made of, and the first along the paths.

        Args:
            images: ``[P, T, pixels]``.
            digits: of the two ends, ``[P, 2]``.
            seed: of the draw of real images.

        Returns:
            Measures, and confidences ``[P]``; None without classifiers.
        """
        pairs, steps, _ = images.shape
        flat, middle = images.flatten(0, 1), steps // 2
        values = {Eye("nearest"): self.nearest(flat), Eye("unevenness"): unevenness(images)}
        if not self.classifiers:
            return values, None
        along = self.classified(self.features(flat, 0), 0)
        changes = digit_changes(along.unflatten(0, (pairs, steps)))
        values |= _seen({"digit_changes": changes, **opinion(along)}, 0)
        confidences = []
        for eye in range(len(self.classifiers)):
            features = self.features(images[:, middle], eye)
            midpoints = self.classified(features, eye)
            confidences.append(midpoints.amax(-1))
            values |= _seen(
                {
                    "midpoint_confidence": float(midpoints.amax(-1).mean()),
                    "midpoint_third": third_digits(midpoints, digits),
                    "midpoint_mmd2": self.mmd2(features, eye, seed),
                },
                eye,
            )
        return values, torch.stack(confidences).double().mean(0)

    def real_images(self) -> dict[str, float]:
        """What real images give as samples: training images for MMD^2, test images for the rest.

        Averages over the classifiers.
        """
        seed = self.sizes.seed
        train, test = (split.draw(self.sizes.samples, seed=seed).images for split in (self.train, self.test))
        of_train, of_test = (self.samples(images, seed=seed) for images in (train, test))
        chosen = {eye: (of_train if "mmd2" in eye.measure else of_test)[eye] for eye in of_test}
        return averages(chosen)


def averages(values: Mapping[Eye, float]) -> dict[str, float]:
    """Means over the classifiers, by measure."""
    names: Iterable[str] = dict.fromkeys(eye.measure for eye in values)
    each = {name: [value for eye, value in values.items() if eye.measure == name] for name in names}
    return {name: sum(some) / len(some) for name, some in each.items()}


def _seen(values: Mapping[str, float], classifier: int) -> Values:
    return {Eye(name, classifier): value for name, value in values.items()}
