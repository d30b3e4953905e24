"""Real images and the classifier: what generated images are held against."""

from functools import cached_property

import torch
from torch import Tensor

from npvae.data.images import Split, in_batches
from npvae.measures.classifier import Classifier
from npvae.measures.fidelity import label_distance, median_bandwidth, mmd2, opinion
from npvae.measures.interpolation import digit_changes, unevenness
from npvae.measures.neighbours import Neighbours
from npvae.settings import Measuring


class Yardstick:
    """What does not depend on a model is computed once.

    Args:
        classifier: in evaluation mode.
        train: images and digits.
        test: images and digits.
        sizes: how much is drawn.
    """

    def __init__(self, classifier: Classifier, train: Split, test: Split, sizes: Measuring) -> None:
        self.classifier, self.train, self.test, self.sizes = classifier, train, test, sizes

    def features(self, images: Tensor) -> Tensor:
        """The classifier's features: ``[N, pixels] -> [N, F]``."""
        return in_batches(self.classifier.features, images)

    @torch.no_grad()
    def classified(self, features: Tensor) -> Tensor:
        """The classifier's probabilities of the digits: ``[N, F] -> [N, 10]``."""
        return self.classifier.head(features).softmax(-1)

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
        """Of samples: closeness to real images, the classifier's opinion, distance to the training set."""
        features = self.features(images)
        classified = self.classified(features)
        return {
            "sample_mmd2": self.mmd2(features),
            **{f"sample_{key}": value for key, value in opinion(classified).items()},
            "sample_label_distance": label_distance(classified, self.test.labels),
            "sample_nearest": self.nearest(images),
        }

    def path(self, images: Tensor) -> dict[str, float]:
        """Measures of interpolants ``[P, T, pixels]``."""
        pairs, steps, _ = images.shape
        flat = images.flatten(0, 1)
        features = self.features(flat)
        classified = self.classified(features)
        return {
            **opinion(classified),
            "nearest": self.nearest(flat),
            "midpoint_mmd2": self.mmd2(features.unflatten(0, (pairs, steps))[:, steps // 2]),
            "digit_changes": digit_changes(classified.unflatten(0, (pairs, steps))),
            "unevenness": unevenness(images),
        }

    def real_images(self) -> dict[str, float]:
        """What real images give as samples: training images for MMD^2, test images for the rest."""
        train, test = (
            split.draw(self.sizes.samples, seed=self.sizes.seed).images for split in (self.train, self.test)
        )
        return self.samples(test) | {"sample_mmd2": self.mmd2(self.features(train))}
