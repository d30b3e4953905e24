"""Seconds of a training step of the nonparametric VAE against each of its sizes."""

import torch

from benchmarks.cases.training import BATCH, CPU, Z, ours, real_images
from benchmarks.measure import Timing, cuda

Z_DIMS = (2, 8, 32, 128, 500, 2000)
BATCHES = (128, 256, 512, 1024, 2048, 4096)
SEEDS = (1, 2, 4, 8, 16, 32)


class _Curves:
    """The curves on one device; epochs are shorter than real ones, for the sake of more repetitions."""

    def __init__(self, device: torch.device, quick: bool) -> None:
        self._steps, self._epochs = (2, 2) if quick else (13, 7)
        self._images = real_images(self._steps * max(BATCHES), device)  # 13 * 4,096 is nearly all
        self._seeds = 1 if device.type == "cuda" else None  # the way that the program takes there

    def z(self) -> list[Timing]:
        images, timings = self._images[: self._steps * BATCH], []
        for z in Z_DIMS:
            values = ours("npvae", z, images, epochs=self._epochs, seeds=self._seeds)
            timings.append(Timing("z", values, at=z))
        return timings

    def batch(self) -> list[Timing]:
        timings = []
        for batch in BATCHES:
            images = self._images[: self._steps * batch]
            values = ours("npvae", Z, images, epochs=self._epochs, batch_size=batch, seeds=self._seeds)
            timings.append(Timing("batch", values, at=batch))
        return timings

    def seeds(self) -> list[Timing]:
        images = self._images[: self._steps * BATCH]
        return [Timing("seeds", ours("npvae", Z, images, epochs=self._epochs, seeds=n), at=n) for n in SEEDS]


def z(quick: bool) -> list[Timing]:
    """Against the dimension of Z."""
    return _Curves(CPU, quick).z()


def batch(quick: bool) -> list[Timing]:
    """Against the images in a batch."""
    return _Curves(CPU, quick).batch()


def seeds(quick: bool) -> list[Timing]:
    """Against the seeds in one step, which trains all of them."""
    return _Curves(CPU, quick).seeds()


def gpu(quick: bool) -> list[Timing]:
    """All three on the GPU."""
    curves = _Curves(cuda(), quick)
    return curves.z() + curves.batch() + curves.seeds()
