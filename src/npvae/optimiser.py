"""Mixed precision: a model that computes in bfloat16, and Adam on its weights in float32.

Micikevicius et al. (2018), *Mixed Precision Training*. Without it, matrix products take twice as long.
"""

import copy
from typing import Literal

import torch

from npvae.model import VAE, Perceptron

Precision = Literal["bfloat16", "float32"]


class MasterAdam:
    """Adam on a model's float32 weights, kept in one piece so that an update is one pass over memory.

    Args:
        model: its parameters become views into that one piece.
        precision: of the layers of :attr:`working`; its other parameters stay in float32.
        learning_rate: Adam's.

    Attributes:
        working: the model to compute the loss with; ``model`` itself where the precision is float32.
    """

    def __init__(self, model: VAE, *, precision: Precision = "float32", learning_rate: float) -> None:
        weights = list(model.parameters())
        flat = torch.cat([weight.detach().flatten() for weight in weights]).requires_grad_()
        flat.grad = torch.zeros_like(flat)
        sizes = [weight.numel() for weight in weights]
        self._masters = [
            part.view_as(weight) for part, weight in zip(flat.detach().split(sizes), weights, strict=True)
        ]
        self._gradients = [
            part.view_as(weight) for part, weight in zip(flat.grad.split(sizes), weights, strict=True)
        ]
        for weight, master in zip(weights, self._masters, strict=True):
            weight.data = master
        self.working = model
        if precision != "float32":
            self.working = copy.deepcopy(model)
            for module in self.working.modules():
                if isinstance(module, Perceptron):
                    module.to(getattr(torch, precision))
        self._shared = self.working is model
        self._weights = list(self.working.parameters())
        self._adam = torch.optim.Adam([flat], lr=learning_rate, fused=True, capturable=flat.is_cuda)

    @torch.no_grad()
    def step(self) -> None:
        """Update the weights from the gradients of :attr:`working`, and forget these."""
        for gradient, weight in zip(self._gradients, self._weights, strict=True):
            if weight.grad is None:
                gradient.zero_()
            else:
                gradient.copy_(weight.grad)
                weight.grad = None
        self._adam.step()
        if not self._shared:
            for weight, master in zip(self._weights, self._masters, strict=True):
                weight.copy_(master)
