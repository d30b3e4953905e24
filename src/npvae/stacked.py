"""Training for a GPU: all seeds of a model side by side, each step captured once and replayed.

One small model leaves a GPU idle, waiting for the next kernel to be launched. Stacked along a leading axis,
``S`` models share every product, and a CUDA graph launches the whole step at once. What is computed is what
:func:`npvae.train.fit` computes for each of them, noise and drop-out drawn from one stream apart.
"""

import copy
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from npvae.model import VAE, NonparametricVAE, Perceptron
from npvae.objective import loss, terms
from npvae.optimiser import MasterAdam, Precision
from npvae.train import Epoch, Sums, diverged, images_used

_WARM_UP = 3  # steps before the capture, which must not be the first to use a kernel


class StackedLinear(nn.Module):
    """``S`` linear layers of one shape side by side: ``[S, B, inputs] -> [S, B, outputs]``."""

    def __init__(self, count: int, like: nn.Linear) -> None:
        super().__init__()
        self.weight = nn.Parameter(like.weight.new_empty(count, like.out_features, like.in_features))
        self.bias = nn.Parameter(like.bias.new_empty(count, like.out_features))

    def forward(self, input: Tensor) -> Tensor:
        """Every layer on its own batch."""
        return torch.baddbmm(self.bias[:, None], input, self.weight.transpose(1, 2))


def stack(models: Sequence[VAE]) -> VAE:
    """One model that computes ``S`` at once: ``[S, B, pixels]`` in, an ``S`` before all that comes out.

    Its state has the names of theirs, each tensor with a leading axis for the models.
    """
    stacked = copy.deepcopy(models[0])
    for perceptron in stacked.modules():
        if isinstance(perceptron, Perceptron):
            for index, layer in enumerate(perceptron):
                if isinstance(layer, nn.Linear):
                    perceptron[index] = StackedLinear(len(models), layer)
    if isinstance(stacked, NonparametricVAE):
        stacked.log_length_scale = nn.Parameter(stacked.log_length_scale.detach().expand(len(models)).clone())
    states = [model.state_dict() for model in models]
    stacked.load_state_dict({name: torch.stack([state[name] for state in states]) for name in states[0]})
    return stacked


def unstack(stacked: VAE, models: Sequence[VAE]) -> None:
    """Give the models the weights that a stack of them has learned."""
    state = stacked.state_dict()
    for index, model in enumerate(models):
        model.load_state_dict({name: tensor[index] for name, tensor in state.items()})


def fit_stacked(
    models: Mapping[int, VAE],
    images: Tensor,
    *,
    epochs: int = 20,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    precision: Precision = "float32",
    drop_last: bool = True,
    match_weight: float = 1.0,
    neighbour_gradient: bool = True,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> list[Epoch]:
    """Train models of one architecture, by seed, in place; on the device of the images.

    Each seed has its own order of the images, the one that :func:`npvae.train.fit` gives it. The arguments
    are those of :func:`npvae.train.fit`.

    Returns:
        One record for every seed and epoch, seeds together.

    Raises:
        NpvaeError: a loss was not finite at an epoch's end; or no batch has two images.
    """
    torch.manual_seed(min(models))
    shufflers = [torch.Generator().manual_seed(seed) for seed in models]
    used = images_used(len(images), batch_size, drop_last=drop_last)
    stacked = stack(list(models.values()))
    optimiser = MasterAdam(stacked, precision=precision, learning_rate=learning_rate)
    working = optimiser.working.train()
    sums = Sums(stacked.z_dim, images.device, len(models))

    def step(batch: Tensor) -> None:
        parts = terms(working, images[batch], neighbour_gradient=neighbour_gradient)
        loss(parts, match_weight=match_weight).sum().backward()
        optimiser.step()
        sums.add(parts)

    run = _captured(step, (len(models), batch_size)) if images.is_cuda else step
    history: dict[int, list[Epoch]] = {seed: [] for seed in models}
    for epoch in range(1, epochs + 1):
        orders = [torch.randperm(len(images), generator=shuffler)[:used] for shuffler in shufflers]
        sums.clear()
        for batch in torch.stack(orders).to(images.device).split(batch_size, dim=1):
            (run if batch.shape[1] == batch_size else step)(batch)
        unstack(stacked, list(models.values()))
        for index, (seed, model) in enumerate(models.items()):
            if not sums.finite(index):
                raise diverged("a loss is not finite", epoch, -(-used // batch_size), seed)
            history[seed].append(sums.record(model, seed, epoch, used, index))
            if on_epoch:
                on_epoch(history[seed][-1])
    for model in models.values():
        model.eval()
    return [record for records in history.values() for record in records]


def _captured(step: Callable[[Tensor], None], shape: tuple[int, ...]) -> Callable[[Tensor], None]:
    """``step`` as a CUDA graph, captured at its fourth call; the three before are steps like any other."""
    indices = torch.zeros(shape, dtype=torch.long, device="cuda")
    side = torch.cuda.Stream()
    graph = torch.cuda.CUDAGraph()
    calls = 0

    def run(batch: Tensor) -> None:
        nonlocal calls
        indices.copy_(batch)
        if calls < _WARM_UP:
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                step(indices)
            torch.cuda.current_stream().wait_stream(side)
        else:
            if calls == _WARM_UP:
                with torch.cuda.graph(graph):  # records, runs nothing
                    step(indices)
            graph.replay()
        calls += 1

    return run
