"""A back-constrained GP-LVM with inducing points: the ancestor of the nonparametric VAE, without a Z.

Lawrence and Quiñonero-Candela (2006): x = f(y), and Gaussian processes from X to what is seen of the images.
The processes share kernel, noise and inducing points, so the best q(u) has one covariance for all of them
(libraries keep one for each, and take several times as long), and differs in its means alone. The bound is
that of Hensman, Fusi and Lawrence (2013), a batch at a time.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from sklearn.decomposition import PCA
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR

from npvae.data.images import grey, in_batches, random_subset, require_grey
from npvae.errors import NpvaeError
from npvae.latent.densities import draw_kernel
from npvae.latent.paths import line
from npvae.measures.embedding import digit_accuracy, map_measures
from npvae.measures.interpolation import random_pairs
from npvae.measures.yardstick import Eye, Values, Yardstick
from npvae.model.kernel import log_kernel
from npvae.model.vae import Perceptron
from npvae.settings import Network, Settings


class Fitting(Settings):
    """How the GP-LVM is fitted.

    Args:
        components: how many principal components of the pixels stand for an image; all where there are fewer.
        inducing_points: in X; they start where as many images lie, and are learned.
        epochs: passes through the images.
        batch_size: images a step.
        encoder_rate: Adam's for the encoder at the start; both rates fall to zero along a cosine.
        process_rate: Adam's for all else.
        x_dropout: the encoder's; none, as in the advised setting.
    """

    components: int = 50
    inducing_points: int = 100
    epochs: int = 30
    batch_size: int = 512
    encoder_rate: float = 2e-3
    process_rate: float = 1e-2
    x_dropout: float = 0.0


class Components:
    """Images as principal components, all on one scale: of variance 1 on average.

    Args:
        images: ``[N, pixels]``.
        count: how many; all where there are fewer.
    """

    def __init__(self, images: Tensor, count: int) -> None:
        pixels = grey(images).cpu().numpy()
        found = PCA(min(count, *pixels.shape), svd_solver="covariance_eigh").fit(pixels)
        scale = float(found.explained_variance_.mean() ** 0.5)
        self.mean = torch.from_numpy(found.mean_).float().to(images.device)
        self.basis = scale * torch.from_numpy(found.components_).float().to(images.device)

    def reduce(self, images: Tensor) -> Tensor:
        """``[N, pixels] -> [N, components]``."""
        square = self.basis[0].square().sum()
        return in_batches(lambda batch: (grey(batch) - self.mean) @ self.basis.mT / square, images)

    def restore(self, components: Tensor) -> Tensor:
        """Grey values, clipped to [0, 1]: ``[N, components] -> [N, pixels]``."""
        return in_batches(lambda batch: (batch @ self.basis + self.mean).clamp(0, 1), components)


class Processes(nn.Module):
    """Gaussian processes from X with a squared exponential kernel (Eq. 6), one for each output; in float64.

    q(u) is ``N(L m, L S S' L')``, with L the Cholesky factor of the inducing points' covariance.

    Args:
        inducing: where the inducing points start, ``[M, Dx]``.
        outputs: how many processes there are.
    """

    def __init__(self, inducing: Tensor, outputs: int) -> None:
        super().__init__()
        self.inducing = nn.Parameter(inducing.double().clone())
        self.means = nn.Parameter(torch.zeros(len(inducing), outputs, dtype=torch.float64))
        self.root = nn.Parameter(torch.eye(len(inducing), dtype=torch.float64))
        self.log_length_scale, self.log_variance, self.log_noise = (
            nn.Parameter(torch.tensor(0.0, dtype=torch.float64)) for _ in range(3)
        )

    def predict(self, x: Tensor) -> Tensor:
        """Means: ``[N, Dx] -> [N, outputs]``, float64."""
        return self._interpolation(x.double()).mT @ self.means

    def negative_bound(self, x: Tensor, targets: Tensor, images: int) -> Tensor:
        """Upper bound on ``-log p(targets | x)``, nats an image, all outputs together.

        Args:
            x: of a batch ``[B, Dx]``.
            targets: what is seen there ``[B, outputs]``.
            images: how many there are in all, over which the divergence of q(u) is shared out.
        """
        weights, root = self._interpolation(x.double()), self.root.tril()
        error = (targets - weights.mT @ self.means).square().sum(-1)
        variance = self.log_variance.exp() - weights.square().sum(0) + (root.mT @ weights).square().sum(0)
        count, outputs = self.means.shape
        normal = math.log(2 * math.pi) + self.log_noise + variance / self.log_noise.exp()
        expected = 0.5 * (outputs * normal + error / self.log_noise.exp())
        spread = root.square().sum() - count - 2 * root.diagonal().abs().log().sum()
        return expected.mean() + 0.5 * (outputs * spread + self.means.square().sum()) / images

    def _interpolation(self, x: Tensor) -> Tensor:
        """``L^-1 k(inducing, x)``: ``[N, Dx] -> [M, N]``."""
        jitter = 1e-6 * torch.eye(len(self.inducing), dtype=torch.float64, device=x.device)
        factor = torch.linalg.cholesky(self._covariance(self.inducing) + jitter)
        return torch.linalg.solve_triangular(factor, self._covariance(x), upper=False)

    def _covariance(self, x: Tensor) -> Tensor:
        """With the inducing points: ``[N, Dx] -> [M, N]``."""
        return (self.log_variance + log_kernel(self.inducing, x, self.log_length_scale.exp())).exp()


class GPLVM(nn.Module):
    """The encoder to X and the processes from there.

    Args:
        images: ``[M, pixels]``, at whose x the inducing points start.
        outputs: how many processes there are.
        network: the encoder's architecture.
        x_dim: the dimension of X.
    """

    def __init__(
        self, images: Tensor, outputs: int, network: Network | None = None, *, x_dim: int = 2
    ) -> None:
        super().__init__()
        self.x_encoder = Perceptron(network or Network(), images.shape[1], x_dim)
        with torch.no_grad():
            inducing = self.embed(images)
        self.processes = Processes(inducing, outputs)

    @property
    def length_scale(self) -> float:
        """The kernel's."""
        return self.processes.log_length_scale.exp().item()

    def embed(self, y: Tensor) -> Tensor:
        """Locations in X: ``[N, pixels] -> [N, Dx]``."""
        return self.x_encoder(grey(y))


class FittedEpoch(NamedTuple):
    """The mean negative bound over one epoch's training images, in nats an image, and l at its end."""

    epoch: int
    negative_bound: float
    length_scale: float


def build(
    images: Tensor, network: Network | None = None, fitting: Fitting | None = None, *, seed: int
) -> GPLVM:
    """A model that is not fitted; torch's own random state stays.

    Args:
        images: ``[N, pixels]``, to be fitted to.
        network: the encoder's architecture, but for the drop-out.
        fitting: says how many outputs and inducing points there are, and what drop-out.
        seed: of the encoder's weights and the first inducing points.
    """
    fitting = fitting or Fitting()
    network = (network or Network()).model_copy(update={"dropout": fitting.x_dropout})
    chosen = random_subset(len(images), fitting.inducing_points, seed=seed).to(images.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        outputs = min(fitting.components, *images.shape)
        return GPLVM(images[chosen].cpu(), outputs, network).to(images.device)


def fit(
    model: GPLVM,
    images: Tensor,
    targets: Tensor,
    fitting: Fitting | None = None,
    *,
    seed: int,
    on_epoch: Callable[[FittedEpoch], None] | None = None,
) -> None:
    """Fit encoder, processes and noise in place, in float32; torch's own random state stays as it is.

    An epoch's last, ragged batch is left out.

    Args:
        model: on the device of the images; left in evaluation mode.
        images: ``[N, pixels]``, uint8, or grey values in [0, 1].
        targets: what is seen of them ``[N, outputs]``.
        fitting: the optimisation; where there are fewer images than a batch has, all are one batch.
        seed: of the order and the drop-out.
        on_epoch: called with the record of each epoch.

    Raises:
        NpvaeError: images are not grey values; or the bound is not finite, the message names the epoch.
    """
    fitting = fitting or Fitting()
    require_grey(images)
    size = min(fitting.batch_size, len(images))
    steps = len(images) // size
    adam = torch.optim.Adam(
        [
            {"params": list(model.x_encoder.parameters()), "lr": fitting.encoder_rate},
            {"params": list(model.processes.parameters()), "lr": fitting.process_rate},
        ],
        fused=True,
    )
    schedule = CosineAnnealingLR(adam, fitting.epochs * steps)
    shuffler = torch.Generator().manual_seed(seed)
    model.train()
    with torch.random.fork_rng(devices=[images.device] if images.is_cuda else []):
        torch.manual_seed(seed)
        for epoch in range(1, fitting.epochs + 1):
            order = torch.randperm(len(images), generator=shuffler)[: steps * size].to(images.device)
            total = 0.0
            for batch in order.split(size):
                x = model.embed(images[batch])
                value = model.processes.negative_bound(x, targets[batch], len(images))
                if not value.isfinite():
                    raise NpvaeError(
                        f"GP-LVM: the bound is {value.item()} in epoch {epoch}, seed {seed}: fitting stopped "
                        "and nothing was saved"
                    )
                adam.zero_grad()
                value.backward()
                adam.step()
                schedule.step()
                total += value.item()
            if on_epoch:
                on_epoch(FittedEpoch(epoch, total / steps, model.length_scale))
    model.eval()


@torch.no_grad()
def measures(model: GPLVM, components: Components, yardstick: Yardstick, *, seed: int) -> Values:
    """What is measured of X, by the same names and on the same images.

    Samples start from the kernel density of the training images' x, with the kernel's length scale
    (``sample_``) or with the width of the largest leave-one-out likelihood (``_kde``). ``_reduced`` names
    what training images themselves give, seen through the principal components: no sample could do better.

    Args:
        model: in evaluation mode, on the device of the images.
        components: of the pixels.
        yardstick: what it is held against.
        seed: of the samples and of the real images that they are held against.
    """
    sizes, train, test = yardstick.sizes, yardstick.train, yardstick.test
    x, test_x = (in_batches(model.embed, split.images) for split in (train, test))
    values = {Eye("length_scale"): model.length_scale}
    found = map_measures(test, test_x, subset=sizes.subset, seed=sizes.seed)
    if train.labelled:
        points = x, train.labels, test_x, test.labels
        found["digit_accuracy"] = digit_accuracy(*points, neighbours=sizes.neighbours)
    values |= {Eye(name): value for name, value in found.items()}

    def decode(points: Tensor) -> Tensor:
        return components.restore(in_batches(model.processes.predict, points).float())

    noise = torch.Generator(x.device).manual_seed(seed)
    centres = x[torch.randint(len(x), (sizes.samples,), generator=noise, device=x.device)]
    offset = torch.randn(centres.shape, generator=noise, device=x.device)
    for name, images in {
        "": decode(centres + model.length_scale * offset),
        "_kde": decode(draw_kernel(x, sizes.samples, seed=seed)),
        "_reduced": components.restore(components.reduce(train.draw(sizes.samples, seed=seed).images)),
    }.items():
        seen = yardstick.samples(images, seed=seed)
        values |= {eye._replace(measure=eye.measure + name): value for eye, value in seen.items()}
    labels = train.labels if train.labelled else torch.arange(len(train.labels))  # any two images
    pairs = random_pairs(labels, sizes.pairs, seed=sizes.seed)
    start, end = x[pairs.T]
    paths = decode(line(start, end, sizes.steps).flatten(0, 1)).unflatten(0, (sizes.pairs, sizes.steps))
    along, _ = yardstick.path(paths, labels[pairs.to(labels.device)], seed=seed)
    return values | {eye._replace(measure=f"linear_x_{eye.measure}"): value for eye, value in along.items()}
