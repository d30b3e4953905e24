"""Training for a GPU: all seeds of a model side by side, each step captured once and replayed.

One small model leaves a GPU idle, waiting for the next kernel to be launched. Stacked along a leading axis,
``S`` models share every product, and a CUDA graph launches the whole step at once. What is computed is what
:func:`npvae.training.loop.fit` computes for each of them, except that noise and drop-out are drawn from one
stream.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from npvae.model.vae import VAE
from npvae.settings import Objective, Training
from npvae.training.history import Epoch
from npvae.training.loop import Step, run

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
    for module in list(stacked.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Linear):
                module.register_module(name, StackedLinear(len(models), child))
            else:
                for key, weight in child.named_parameters(recurse=False):
                    many = torch.stack([weight.detach()] * len(models))
                    child.register_parameter(key, nn.Parameter(many))
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
    training: Training | None = None,
    objective: Objective | None = None,
    *,
    on_epoch: Callable[[Epoch], None] | None = None,
    state: Path | None = None,
) -> list[Epoch]:
    """Train models of one architecture, by seed, in place; on the device of the images.

    Each seed has its own order of the images, the one that :func:`npvae.training.loop.fit` gives it, whose
    arguments and errors these are.

    Returns:
        One record for every seed and epoch, a seed's together.
    """
    stacked, each = stack(list(models.values())), list(models.values())
    launch = _captured if images.is_cuda else None
    history = run(
        stacked,
        list(models),
        images,
        training,
        objective,
        stacked=True,
        launch=launch,
        on_epoch=on_epoch,
        state=state,
    )
    unstack(stacked, each)
    for model in each:
        model.eval()
    return sorted(history, key=lambda record: list(models).index(record.seed))


def _captured(step: Step, shape: tuple[int, ...]) -> Step:
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
