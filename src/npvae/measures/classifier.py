"""Small convolutional classifiers, in whose eyes generated images are measured."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from npvae import machine, settings
from npvae.data.images import Split, grey, in_batches
from npvae.errors import NpvaeError
from npvae.files import write_atomically
from npvae.settings import MNIST_SHAPE

Shape = tuple[int, int]
_METADATA = "image_shape"


class Classifier(nn.Module):
    """Two convolutions and a hidden layer; of MNIST, about 0.1 million weights.

    Args:
        shape: rows and columns of an image.
        classes: how many labels there are.
    """

    def __init__(self, shape: Shape = MNIST_SHAPE, classes: int = 10) -> None:
        super().__init__()
        self.shape = shape
        # halved twice; a last odd row or column is kept, so that an image may be as small as one pixel
        rows, columns = (-(-side // 4) for side in shape)
        self.body = nn.Sequential(
            nn.Unflatten(1, (1, *shape)),
            nn.Conv2d(1, 16, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2, ceil_mode=True),
            nn.Conv2d(16, 32, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2, ceil_mode=True),
            nn.Flatten(),
            nn.Linear(32 * rows * columns, 64),
            nn.ReLU(),
        )
        self.head = nn.Linear(64, classes)

    def features(self, images: Tensor) -> Tensor:
        """The last hidden layer: ``[N, pixels] -> [N, 64]``."""
        return self.body(grey(images))

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the labels: ``[N, pixels] -> [N, classes]``."""
        return self.head(self.features(images))


def fit_classifier(
    train: Split,
    options: settings.Classifier | None = None,
    *,
    shape: Shape = MNIST_SHAPE,
    seed: int = 0,
    batch_size: int = 128,
    on_epoch: Callable[[int, float], None] | None = None,
) -> Classifier:
    """Train a classifier by Adam on cross entropy, the learning rate falling to zero along a cosine.

    Args:
        train: images and their labels, of which the largest says how many there are.
        options: epochs, first learning rate, and the precision of the convolutions and matrix products;
            parameters and loss stay in float32.
        shape: rows and columns of an image.
        seed: of the weights and the order of the images.
        batch_size: images per step.
        on_epoch: called with each epoch and its mean loss in nats.

    Raises:
        NpvaeError: a loss is not finite.
    """
    options = options or settings.Classifier()
    epochs, device, classes = options.epochs, train.images.device, int(train.labels.max()) + 1
    bfloat16 = machine.resolve(options.precision, device) == "bfloat16"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classifier = Classifier(shape, classes).to(device).to(memory_format=torch.channels_last)
    shuffler = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(classifier.parameters(), lr=options.learning_rate, fused=True)
    steps = -(-len(train.images) // batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * steps)
    for epoch in range(1, epochs + 1):
        total = 0.0
        order = torch.randperm(len(train.images), generator=shuffler).to(device)
        for batch in order.split(batch_size):
            with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
                logits = classifier(train.images[batch])
            loss = F.cross_entropy(logits.float(), train.labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item() * len(batch)
        if not torch.isfinite(torch.tensor(total)):
            raise NpvaeError(f"the classifier's loss is not finite in epoch {epoch}: nothing was saved")
        if on_epoch:
            on_epoch(epoch, total / len(order))
    # the weights' usual layout, the only one that safetensors takes
    return classifier.to(memory_format=torch.contiguous_format).eval()


def save_classifiers(path: Path, classifiers: Sequence[Classifier]) -> None:
    """Write the weights of several, of images of one shape, or of none at all (safetensors)."""
    state = nn.ModuleList(classifiers).state_dict()
    metadata = {_METADATA: json.dumps(classifiers[0].shape if classifiers else None)}
    write_atomically(path, save({name: tensor.cpu() for name, tensor in state.items()}, metadata))


def load_classifiers(path: Path) -> list[Classifier]:
    """Read what :func:`save_classifiers` wrote, in evaluation mode on the CPU.

    Where the images have no labels there are none.

    Raises:
        NpvaeError: the file is missing or holds something else.
    """
    try:
        with safe_open(path, framework="pt") as file:
            shape = json.loads((file.metadata() or {})[_METADATA])
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        count = len({name.partition(".")[0] for name in state})
        classes = len(state["0.head.bias"]) if count else 0
        with torch.device("meta"):  # takes no memory, whatever shape the file states
            classifiers = nn.ModuleList(Classifier(tuple(shape), classes) for _ in range(count))
        classifiers.load_state_dict(state, assign=True)
    except FileNotFoundError:
        raise NpvaeError(f"{path}: missing; run `npvae classifier` first") from None
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise NpvaeError(f"{path}: not classifiers' weights ({' '.join(str(error).split())})") from None
    if any(not tensor.isfinite().all() for tensor in state.values()):
        raise NpvaeError(f"{path}: not classifiers' weights (not finite)")
    return [cast(Classifier, one.eval()) for one in classifiers]


def probabilities(classifier: Classifier, images: Tensor) -> Tensor:
    """What the classifier thinks of images: ``[N, pixels] -> [N, classes]``, rows summing to 1."""
    return in_batches(lambda batch: classifier(batch).softmax(-1), images)


def accuracy(classifier: Classifier, split: Split) -> float:
    """Share of images whose label the classifier tells."""
    return float((probabilities(classifier, split.images).argmax(-1) == split.labels).double().mean())
