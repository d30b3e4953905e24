"""X and Z of a trained model with one face: points of images, decode, samples, paths."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from npvae.data.images import in_batches, require_grey
from npvae.latent.bandwidth import leave_one_out_length_scale
from npvae.latent.paths import arc, line
from npvae.latent.predict import predict_z
from npvae.model.vae import VAE, NonparametricVAE
from npvae.settings import LengthScale

Path = Callable[[Tensor, Tensor, int], Tensor]


class Embedded(NamedTuple):
    """Where images lie: ``points`` ``[N, D]`` of the space, mean and deviation of q(z|y) ``[N, Dz]``."""

    points: Tensor
    mu: Tensor
    sigma: Tensor


class Space(ABC):
    """A latent space of a trained model.

    Args:
        model: in evaluation mode, on the device of the images.
        train_images: ``[M, pixels]``, uint8 or grey values in [0, 1]: the images that it was trained on.
        reference: indices of those that z~ sums over; all unless given. Z needs none.

    Attributes:
        name: ``x`` or ``z``.
        paths: ways between two points, by name: ``[P, D], [P, D], steps -> [P, steps, D]``.
    """

    name: ClassVar[str]
    paths: ClassVar[Mapping[str, Path]]

    def __init__(self, model: VAE, train_images: Tensor, reference: Tensor | None = None) -> None:
        self.model, self._train_images = model, train_images
        self._reference = slice(None) if reference is None else reference

    @cached_property
    def train_points(self) -> Tensor:
        """:meth:`points` of the training images."""
        return self.points(self._train_images)

    def points(self, images: Tensor) -> Tensor:
        """Where images lie: ``[N, pixels] -> [N, D]``.

        Raises:
            NpvaeError: they are not grey values.
        """
        require_grey(images)
        return in_batches(self._points, images)

    def embed(self, images: Tensor) -> Embedded:
        """Where images lie, here and in Z: ``[N, pixels]``, each encoded once.

        Raises:
            NpvaeError: they are not grey values.
        """
        mu, sigma = posterior(self.model, images)
        return Embedded(self._among(images, mu), mu, sigma)

    @abstractmethod
    def _points(self, images: Tensor) -> Tensor:
        """:meth:`points` of one batch."""

    @abstractmethod
    def _among(self, images: Tensor, mu: Tensor) -> Tensor:
        """:meth:`points` of images whose posterior means are known."""

    @abstractmethod
    def to_z(self, points: Tensor) -> Tensor:
        """The z that stands for a point: ``[N, D] -> [N, Dz]``."""

    @abstractmethod
    def draw(self, count: int, *, seed: int) -> Tensor:
        """Points ``[count, D]`` from the space's density, for ancestral sampling."""

    def decode(self, points: Tensor) -> Tensor:
        """The mean image of p(y|z) at points, grey values: ``[N, D] -> [N, pixels]``."""
        return in_batches(lambda z: self.model.decode(z).sigmoid(), self.to_z(points))

    def samples(self, count: int, *, seed: int) -> Tensor:
        """Ancestral samples: ``[count, pixels]``."""
        return self.decode(self.draw(count, seed=seed))


class ZSpace(Space):
    """Z: an image lies at E[z|y], and the density is the prior N(0, I)."""

    name = "z"
    paths: ClassVar[Mapping[str, Path]] = {"linear_z": line, "slerp_z": arc}

    def _points(self, images: Tensor) -> Tensor:
        return self.model.encode(images)[0]

    def _among(self, images: Tensor, mu: Tensor) -> Tensor:
        return mu

    def to_z(self, points: Tensor) -> Tensor:
        """A point itself."""
        return points

    def draw(self, count: int, *, seed: int) -> Tensor:
        """From the prior."""
        device = next(self.model.parameters()).device
        noise = torch.Generator(device).manual_seed(seed)
        return torch.randn(count, self.model.z_dim, generator=noise, device=device)


class XSpace(Space):
    """X: an image lies at f(y), and z~ is predicted from the training images (Eq. 4).

    The paper names no density on X. This one is the kernel density of the reference images with the kernel's
    length scale: the x of one of them, plus N(0, l^2 I).

    Args:
        model: see :class:`Space`.
        train_images: see :class:`Space`.
        reference: see :class:`Space`.
        length_scale: which l is predicted with: ``learned``, the model's, or ``leave-one-out``, the one that
            predicts reference images best from all the others.
    """

    name = "x"
    paths: ClassVar[Mapping[str, Path]] = {"linear_x": line}
    model: NonparametricVAE

    def __init__(
        self,
        model: VAE,
        train_images: Tensor,
        reference: Tensor | None = None,
        length_scale: LengthScale = "learned",
    ) -> None:
        super().__init__(model, train_images, reference)
        self._which = length_scale

    def with_length_scale(self, which: LengthScale) -> "XSpace":
        """The same space, predicting with another l; what was embedded is shared."""
        other = XSpace(self.model, self._train_images, None, which)
        other._reference = self._reference
        other.__dict__ |= {"train_points": self.train_points, "reference": self.reference}
        return other

    @cached_property
    def length_scale(self) -> Tensor:
        """l, a scalar."""
        learned = self.model.length_scale.detach()
        if self._which == "learned":
            return learned
        return leave_one_out_length_scale(*self.reference, start=learned)

    @cached_property
    def reference(self) -> tuple[Tensor, Tensor]:
        """The images that z~ sums over: x ``[M, Dx]`` and E[z] ``[M, Dz]``."""
        mu = in_batches(lambda batch: self.model.encode(batch)[0], self._train_images[self._reference])
        return self.train_points[self._reference], mu

    def _points(self, images: Tensor) -> Tensor:
        return self.model.embed(images)

    def _among(self, images: Tensor, mu: Tensor) -> Tensor:
        return self.points(images)

    def to_z(self, points: Tensor) -> Tensor:
        """z~ of Eq. 4."""
        return predict_z(points, *self.reference, self.length_scale)

    def draw(self, count: int, *, seed: int) -> Tensor:
        """From the kernel density."""
        x, _ = self.reference
        noise = torch.Generator(x.device).manual_seed(seed)
        centres = x[torch.randint(len(x), (count,), generator=noise, device=x.device)]
        offset = torch.randn(centres.shape, generator=noise, device=x.device)
        return centres + self.length_scale * offset


def space_of(
    model: VAE,
    train_images: Tensor,
    reference: Tensor | None = None,
    length_scale: LengthScale = "learned",
) -> Space:
    """The space that images are embedded in: X, or the Z of a plain VAE.

    Arguments are :class:`Space`'s and :class:`XSpace`'s; Z has no length scale.
    """
    if isinstance(model, NonparametricVAE):
        return XSpace(model, train_images, reference, length_scale)
    return ZSpace(model, train_images, reference)


def posterior(model: VAE, images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of q(z|y): ``[N, pixels] -> [N, Dz], [N, Dz]``.

    Raises:
        NpvaeError: the images are not grey values.
    """
    require_grey(images)
    both = in_batches(lambda batch: torch.stack(model.encode(batch), dim=1), images)
    return both[:, 0], both[:, 1]
