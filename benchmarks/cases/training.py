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
from npvae import data
from npvae.model import build
from npvae.stacked import fit_stacked
from npvae.train import fit

CPU = torch.device("cpu")
MNIST = ROOT / "data" / "mnist"
BATCH, Z = 128, 500
LOADERS = (0, 1, 2)  # processes behind the DataLoader; the fastest counts
MODELS = {"vae": textbook.VAE, "npvae": textbook.NonparametricVAE}


def image_count(quick: bool) -> int:
    """How many images an epoch has."""
    return 10 * BATCH if quick else 55_000


def real_images(count: int, device: torch.device = CPU) -> Tensor:
    """Training images ``[count, 784]``."""
    return data.load_train(MNIST, count=count).images.to(device)


def ours(
    name: str, z_dim: int, images: Tensor, *, epochs: int, batch_size: int = BATCH, seeds: int | None = None
) -> list[float]:
    """Seconds a step of the program's own training, an epoch each, after one to warm up.

    All that depends on how npvae trains is in this function. With ``seeds``, so many are stacked, as on a
    GPU, and a step trains each of them.
    """
    laps = Laps(images.device)
    models = {seed: build(name, z_dim, seed=seed).to(images.device) for seed in range(seeds or 1)}
    options = {"epochs": epochs + 1, "batch_size": batch_size, "precision": "bfloat16"}
    if seeds is None:
        fit(models[0], images, seed=0, on_epoch=laps.lap, **options)
    else:
        fit_stacked(models, images, on_epoch=lambda epoch: epoch.seed or laps.lap(), **options)
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
    """Ours, one training that has the machine to itself."""
    images = real_images(image_count(quick))
    return [Timing(name, ours(name, Z, images, epochs=3)) for name in MODELS]


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


def _data_loader(device: torch.device, quick: bool) -> list[Timing]:
    count, timings = image_count(quick), []
    for name, model in MODELS.items():
        for workers in LOADERS:
            batches = textbook.loader(MNIST, images=count, batch_size=BATCH, workers=workers)
            values = theirs(model(Z), batches, steps=count // BATCH, epochs=1, device=device)
            timings.append(Timing(name, values, at=workers))
    return timings


def data_loader(quick: bool) -> list[Timing]:
    """The textbook's loop over torchvision's dataset, for each number of loading processes."""
    return _data_loader(CPU, quick)


def in_memory(quick: bool) -> list[Timing]:
    """The textbook's loop over images in memory."""
    images = real_images(image_count(quick))
    batches = textbook.InMemory(images, BATCH)
    steps = len(images) // BATCH
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
    images = real_images(image_count(quick))
    batches = textbook.InMemory(images, BATCH)
    model = Model(config, Encoder(), Decoder())
    return [Timing("vae", theirs(model, batches, steps=len(images) // BATCH, epochs=1, device=CPU))]


def gpu_data_loader(quick: bool) -> list[Timing]:
    """:func:`data_loader`, with the model on the GPU."""
    return _data_loader(cuda(), quick)


def gpu_ours(quick: bool) -> list[Timing]:
    """Ours on the GPU, the images on it too: one model, and eight seeds in one step."""
    images = real_images(image_count(quick), cuda())
    return [
        Timing(name, ours(name, Z, images, epochs=3, seeds=seeds), at=seeds)
        for name in MODELS
        for seeds in (1, 8)
    ]
