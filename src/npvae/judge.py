"""The judge: a small convolutional classifier of MNIST, in whose eyes generated images are measured."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from npvae.data import Split
from npvae.embed import in_batches
from npvae.errors import NpvaeError
from npvae.files import write_atomically


class Judge(nn.Module):
    """Two convolutions and a hidden layer; about 0.1 million weights."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Unflatten(1, (1, 28, 28)),
            nn.Conv2d(1, 16, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * 7 * 7, 64),
            nn.ReLU(),
        )
        self.head = nn.Linear(64, 10)

    def features(self, images: Tensor) -> Tensor:
        """The last hidden layer: ``[N, 784] -> [N, 64]``."""
        return self.body(images)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the digits: ``[N, 784] -> [N, 10]``."""
        return self.head(self.features(images))


def fit_judge(
    train: Split,
    *,
    seed: int,
    epochs: int,
    batch_size: int = 128,
    learning_rate: float = 3e-3,
    precision: Literal["bfloat16", "float32"] = "float32",
    on_epoch: Callable[[int, float], None] | None = None,
) -> Judge:
    """Train a judge by Adam on cross entropy, the learning rate falling to zero along a cosine.

    Args:
        train: images and digits.
        seed: of the weights and the order.
        epochs: passes through the images.
        batch_size: images a step.
        learning_rate: at the start.
        precision: of the convolutions and matrix products in training; parameters and loss stay in float32.
        on_epoch: called with each epoch and its mean loss in nats.

    Raises:
        NpvaeError: a loss is not finite.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        judge = Judge().to(train.images.device).to(memory_format=torch.channels_last)
    shuffler = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(judge.parameters(), lr=learning_rate, fused=True)
    steps = -(-len(train.images) // batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * steps)
    for epoch in range(1, epochs + 1):
        total = 0.0
        order = torch.randperm(len(train.images), generator=shuffler).to(train.images.device)
        for batch in order.split(batch_size):
            with torch.autocast(order.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
                logits = judge(train.images[batch])
            loss = F.cross_entropy(logits.float(), train.labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item() * len(batch)
        if not torch.isfinite(torch.tensor(total)):
            raise NpvaeError(f"the judge's loss is not finite in epoch {epoch}: nothing was saved")
        if on_epoch:
            on_epoch(epoch, total / len(order))
    # the weights' usual layout, the only one that safetensors takes
    return judge.to(memory_format=torch.contiguous_format).eval()


def save_judge(path: Path, judge: Judge) -> None:
    """Write the weights (safetensors)."""
    write_atomically(path, save({name: tensor.cpu() for name, tensor in judge.state_dict().items()}))


def load_judge(path: Path) -> Judge:
    """Read what :func:`save_judge` wrote, in evaluation mode on the CPU.

    Raises:
        NpvaeError: the file is missing or holds something else.
    """
    judge = Judge()
    try:
        judge.load_state_dict(load_file(path))
    except FileNotFoundError:
        raise NpvaeError(f"{path}: missing; run `npvae judge` first") from None
    except (SafetensorError, RuntimeError) as error:
        raise NpvaeError(f"{path}: not a judge's weights ({' '.join(str(error).split())})") from None
    return judge.eval()


def probabilities(judge: Judge, images: Tensor) -> Tensor:
    """What the judge thinks of images: ``[N, 784] -> [N, 10]``, rows summing to 1."""
    return in_batches(lambda batch: judge(batch).softmax(-1), images)


def judge_accuracy(judge: Judge, split: Split) -> float:
    """Share of images whose digit the judge tells."""
    return float((probabilities(judge, split.images).argmax(-1) == split.labels).double().mean())
