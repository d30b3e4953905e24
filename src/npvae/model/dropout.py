"""Drop-out (Srivastava et al., 2014) whose masks cost little on a CPU."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Dropout(nn.Dropout):
    """Zeroes hidden units with probability ``p`` in training, and scales the others by ``1 / (1 - p)``.

    On a CPU, drawing the mask unit by unit takes a fifth of a training step; here a random 64-bit integer
    decides on four units. That rounds ``p`` to a multiple of 2^-16.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Any shape, the same out."""
        if input.device.type != "cpu" or not self.training or self.p == 0:
            return F.dropout(input, self.p, self.training)
        bits = torch.empty(-(-input.numel() // 4), dtype=torch.int64)
        bits.random_(-(2**63), 2**63 - 1)
        bits16 = bits.view(torch.int16)[: input.numel()].view(input.shape)
        keep = torch.empty_like(input)
        torch.ge(bits16, round(self.p * 2**16) - 2**15, out=keep)  # 16 bits, signed
        return input * keep.mul_(1 / (1 - self.p))
