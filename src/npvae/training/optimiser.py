"""Mixed precision: a model that computes in bfloat16, and Adam on its weights in float32.

Micikevicius et al. (2018), *Mixed Precision Training*. Where the hardware multiplies bfloat16, products take
half of the time.
"""

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from npvae.model.vae import Perceptron

Model = TypeVar("Model", bound=nn.Module)


class MasterAdam(Generic[Model]):
    """Adam on a model's float32 weights, kept in one piece so that an update is one pass over memory.

    Args:
        model: its parameters become views into that one piece.
        bfloat16: whether the layers of :attr:`working` compute in it; its other parameters stay in float32.
        learning_rate: Adam's.

    Attributes:
        working: the model to compute the loss with; ``model`` itself unless it computes in bfloat16.
        adam: takes the steps; for a schedule of its rate.
    """

    def __init__(self, model: Model, *, bfloat16: bool = False, learning_rate: float) -> None:
        weights = list(model.parameters())
        self._flat = torch.cat([weight.detach().flatten() for weight in weights]).requires_grad_()
        self._flat.grad = torch.zeros_like(self._flat)
        sizes = [weight.numel() for weight in weights]
        self._masters = [
            part.view_as(weight)
            for part, weight in zip(self._flat.detach().split(sizes), weights, strict=True)
        ]
        self._gradients = [
            part.view_as(weight) for part, weight in zip(self._flat.grad.split(sizes), weights, strict=True)
        ]
        for weight, master in zip(weights, self._masters, strict=True):
            weight.data = master
        self.working: Model = model
        if bfloat16:
            self.working = copy.deepcopy(model)
            for module in self.working.modules():
                if isinstance(module, Perceptron):
                    module.to(torch.bfloat16)
        self._weights = list(self.working.parameters())
        self.adam = torch.optim.Adam(
            [self._flat], lr=learning_rate, fused=True, capturable=self._flat.is_cuda
        )

    @torch.no_grad()
    def step(self) -> None:
        """Update the weights from the gradients of :attr:`working`, and forget these."""
        for gradient, weight in zip(self._gradients, self._weights, strict=True):
            if weight.grad is None:
                gradient.zero_()
            else:
                gradient.copy_(weight.grad)
                weight.grad = None
        self.adam.step()
        self._share()

    @torch.no_grad()
    def _share(self) -> None:
        for weight, master in zip(self._weights, self._masters, strict=True):
            if weight.data_ptr() != master.data_ptr():
                weight.copy_(master)

    def finite(self) -> bool:
        """Whether every weight is."""
        return bool(self._flat.isfinite().all())

    def state(self) -> dict[str, Tensor]:
        """The weights and Adam's moments and count; only after a step."""
        return {"weights": self._flat.detach(), **self.adam.state_dict()["state"][0]}

    @torch.no_grad()
    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from what :meth:`state` gave."""
        moments = dict(state)
        self._flat.copy_(moments.pop("weights"))
        self._share()
        groups = self.adam.state_dict()["param_groups"]
        self.adam.load_state_dict({"state": {0: moments}, "param_groups": groups})
