"""Both models as a textbook has them, in plain PyTorch and float32, and the loop one would write.

Nothing here comes from npvae: it is what npvae is compared with.
"""

import math
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset
from torchvision.datasets import MNIST
from torchvision.transforms import ToTensor


def _perceptron(inputs: int, outputs: int, first: nn.Module, second: nn.Module) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, 500),
        first,
        nn.Dropout(0.1),
        nn.Linear(500, 500),
        second,
        nn.Dropout(0.1),
        nn.Linear(500, outputs),
    )


class VAE(nn.Module):
    """The plain VAE on MNIST."""

    def __init__(self, z_dim: int) -> None:
        super().__init__()
        self.encoder = _perceptron(784, 2 * z_dim, nn.ELU(), nn.Tanh())
        self.decoder = _perceptron(z_dim, 784, nn.Tanh(), nn.ELU())

    def posterior(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """``[B, 784] -> [B, Dz], [B, Dz]``, mean and standard deviation."""
        mu, raw = self.encoder(y).chunk(2, dim=1)
        return mu, F.softplus(raw) + 1e-6

    def loss(self, y: Tensor, noise: Tensor | None = None) -> Tensor:
        """What training minimises, the mean over images ``[B, 784]``, with noise ``[B, Dz]``: a scalar."""
        mu, sigma = self.posterior(y)
        noise = torch.randn_like(mu) if noise is None else noise
        logits = self.decoder(mu + sigma * noise)
        reconstruction = F.binary_cross_entropy_with_logits(logits, y, reduction="sum")
        kl = -0.5 * torch.sum(1 + 2 * sigma.log() - mu.pow(2) - sigma.pow(2))
        return (reconstruction + kl) / len(y) + self.match(y, mu)

    def match(self, y: Tensor, mu: Tensor) -> Tensor | float:
        """What is added to minus the evidence lower bound: nothing here."""
        return 0.0


class NonparametricVAE(VAE):
    """The nonparametric VAE."""

    def __init__(self, z_dim: int) -> None:
        super().__init__(z_dim)
        self.x_encoder = _perceptron(784, 2, nn.ELU(), nn.Tanh())
        self.log_length_scale = nn.Parameter(torch.tensor(0.0))

    def match(self, y: Tensor, mu: Tensor) -> Tensor | float:
        """The matching term of the paper's Eq. 5, the mean over images: ``[B, 784], [B, Dz]``."""
        x = self.x_encoder(y)
        squared = (x[:, None] - x[None, :]).pow(2).sum(-1)
        kernel = -squared / (2 * self.log_length_scale.exp().pow(2))
        itself = torch.eye(len(x), dtype=torch.bool, device=x.device)
        weights = kernel.masked_fill(itself, -math.inf).softmax(1)
        return (mu - weights @ mu).pow(2).sum(1).mean()


def loader(folder: Path, *, images: int, batch_size: int, workers: int) -> DataLoader[tuple[Tensor, Tensor]]:
    """torchvision's MNIST behind a DataLoader, without the first 5,000 images.

    Args:
        folder: holds the idx files.
        images: how many to use.
        batch_size: of each batch but an incomplete one, which is left out.
        workers: processes that load.
    """
    with tempfile.TemporaryDirectory() as root:
        raw = Path(root) / "MNIST" / "raw"  # where torchvision looks
        raw.parent.mkdir()
        raw.symlink_to(folder.resolve())
        everything = MNIST(root, train=True, transform=ToTensor())  # reads it all into memory
    subset = Subset(everything, range(5_000, 5_000 + images))
    return DataLoader(subset, batch_size, shuffle=True, drop_last=True, num_workers=workers)


class InMemory:
    """Batches of images ``[N, 784]`` that lie in memory, in a new order at each pass."""

    def __init__(self, images: Tensor, batch_size: int) -> None:
        self.images, self.batch_size = images, batch_size

    def __iter__(self) -> Iterator[tuple[Tensor, None]]:
        order = torch.randperm(len(self.images), device=self.images.device)
        for first in range(0, len(order) - self.batch_size + 1, self.batch_size):
            yield self.images[order[first : first + self.batch_size]], None


def train(model: VAE, batches: Iterable[tuple[Tensor, object]], *, device: torch.device) -> Iterator[float]:
    """Train for ever; gives the loss of each epoch."""
    model.to(device).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    while True:
        total = 0.0
        for images, _ in batches:
            y = images.view(len(images), -1).to(device)
            optimizer.zero_grad()
            loss = model.loss(y)
            loss.backward()
            optimizer.step()
            total += loss.item()
        yield total
