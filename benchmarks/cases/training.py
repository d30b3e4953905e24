"""Seconds of a training step, averaged over an epoch: ours, a textbook's and pythae's.

Every value is that of a whole epoch, so what happens once an epoch counts too.
"""

from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context

import torch
from torch import Tensor, nn

from benchmarks import ROOT, textbook
from benchmarks.measure import Laps, NotMeasured, Timing, cores, cuda
from npvae import machine
from npvae.data.images import load_train_images
from npvae.model.vae import build
from npvae.settings import Precision, Training
from npvae.training.loop import fit
from npvae.training.stacked import fit_stacked

CPU = torch.device("cpu")
MNIST = ROOT / "data" / "mnist"
BATCH, Z = 128, 500
MODELS = {"vae": textbook.VAE, "npvae": textbook.NonparametricVAE}


def image_count(quick: bool) -> int:
    """How many images an epoch has."""
    return 10 * BATCH if quick else 55_000


def real_images(count: int, device: torch.device = CPU) -> Tensor:
    """Training images ``[count, 784]``, uint8."""
    return load_train_images(MNIST, count=count).to(device)


def loaders() -> list[int]:
    """How many processes to try behind the DataLoader; the fastest counts."""
    return [workers for workers in (0, 1, 2, 4, 8) if workers <= max(2, cores())]


def ours(
    name: str,
    z_dim: int,
    images: Tensor,
    *,
    epochs: int,
    batch_size: int = BATCH,
    precision: Precision = "auto",
    seeds: int | None = None,
) -> list[float]:
    """Seconds a step of the program's own training, an epoch each, after one to warm up.

    All that depends on how npvae trains is in this function. With ``seeds``, so many are stacked, as on a
    GPU, and a step trains each of them.
    """
    machine.keep_freed_memory()  # as its command does
    laps = Laps(images.device)
    models = {seed: build(name, z_dim, seed=seed).to(images.device) for seed in range(seeds or 1)}
    training = Training(epochs=epochs + 1, batch_size=batch_size, precision=precision)
    if seeds is None:
        fit(models[0], images, training, seed=0, on_epoch=laps.lap)
    else:
        fit_stacked(models, images, training, on_epoch=lambda epoch: epoch.seed or laps.lap())
    return laps.seconds(per=len(images) // batch_size)


def theirs(
    model: textbook.VAE,
    batches: Iterable[tuple[Tensor, object]],
    *,
    steps: int,
    epochs: int,
    device: torch.device,
) -> list[float]:
    """Seconds a step of the textbook's loop, an epoch each, after one to warm up."""
    laps = Laps(device)
    for _ in islice(textbook.train(model, batches, device=device), epochs + 1):
        laps.lap()
    return laps.seconds(per=steps)


def all_threads(quick: bool) -> list[Timing]:
    """Ours, one training that has the machine to itself; and with float32 asked for."""
    images = real_images(image_count(quick))
    timings = [Timing(name, ours(name, Z, images, epochs=3)) for name in MODELS]
    return [*timings, Timing("npvae float32", ours("npvae", Z, images, epochs=3, precision="float32"))]


def _job(name: str, count: int) -> list[float]:
    torch.set_num_threads(1)
    return ours(name, Z, real_images(count), epochs=3)[:-1]  # the last one may have the machine to itself


def side_by_side(quick: bool) -> list[Timing]:
    """Ours, a training on each core at once, as Snakemake runs them; seconds over the number of trainings."""
    timings = []
    for name in MODELS:
        with ProcessPoolExecutor(cores(), mp_context=get_context("spawn")) as pool:
            jobs = [pool.submit(_job, name, image_count(quick)) for _ in range(cores())]
            values = [second / cores() for job in jobs for second in job.result()]
        timings.append(Timing(name, values))
    return timings


def _data_loader(device: torch.device, quick: bool, models: Iterable[str] = MODELS) -> list[Timing]:
    count, timings = image_count(quick), []
    for name in models:
        for workers in loaders():
            batches = textbook.loader(MNIST, images=count, batch_size=BATCH, workers=workers)
            values = theirs(MODELS[name](Z), batches, steps=count // BATCH, epochs=1, device=device)
            timings.append(Timing(name, values, at=workers))
    return timings


def data_loader(quick: bool) -> list[Timing]:
    """The textbook's loop over torchvision's dataset, for each number of loading processes."""
    return _data_loader(CPU, quick)


def _in_memory(quick: bool) -> tuple[textbook.InMemory, int]:
    """Batches of grey values, and how many an epoch has."""
    images = real_images(image_count(quick)).float() / 255
    return textbook.InMemory(images, BATCH), len(images) // BATCH


def in_memory(quick: bool) -> list[Timing]:
    """The textbook's loop over images in memory."""
    batches, steps = _in_memory(quick)
    return [
        Timing(name, theirs(model(Z), batches, steps=steps, epochs=1, device=CPU))
        for name, model in MODELS.items()
    ]


def pythae(quick: bool) -> list[Timing]:
    """pythae's VAE with the same layers, over images in memory."""
    try:
        from pythae.models import VAE, VAEConfig
        from pythae.models.base.base_utils import ModelOutput
        from pythae.models.nn import BaseDecoder, BaseEncoder
    except ImportError:
        raise NotMeasured("not installed") from None

    plain = textbook.VAE(Z)

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = plain.encoder

        def forward(self, x: Tensor) -> ModelOutput:
            mean, log_variance = self.layers(x).chunk(2, dim=1)
            return ModelOutput(embedding=mean, log_covariance=log_variance)

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(plain.decoder, nn.Sigmoid())

        def forward(self, z: Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=self.layers(z))

    class Model(VAE):
        def loss(self, y: Tensor) -> Tensor:
            return self({"data": y}).loss

    config = VAEConfig(input_dim=(784,), latent_dim=Z, reconstruction_loss="bce")
    batches, steps = _in_memory(quick)
    model = Model(config, Encoder(), Decoder())
    return [Timing("vae", theirs(model, batches, steps=steps, epochs=1, device=CPU))]


def gpu_data_loader(quick: bool) -> list[Timing]:
    """:func:`data_loader`, with the model on the GPU; the nonparametric one, which the goal is about."""
    return _data_loader(cuda(), quick, ["npvae"])


def gpu_ours(quick: bool) -> list[Timing]:
    """Ours on the GPU, the images on it too: one model, and eight seeds in one step."""
    images = real_images(image_count(quick), cuda())
    return [
        Timing(name, ours(name, Z, images, epochs=3, seeds=seeds), at=seeds)
        for name in MODELS
        for seeds in (1, 8)
    ]
