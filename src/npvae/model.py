"""The plain VAE (Kingma and Welling, 2014) and the nonparametric VAE, which adds an encoder to X.

Every network is a perceptron with two hidden layers. Nothing here knows about losses or training.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from npvae.dropout import Dropout

_ACTIVATIONS: dict[str, tuple[type[nn.Module], type[nn.Module]]] = {
    "elu-tanh": (nn.ELU, nn.Tanh),
    "tanh": (nn.Tanh, nn.Tanh),
    "relu": (nn.ReLU, nn.ReLU),
}
_INITIALISATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "he-normal": nn.init.kaiming_normal_,
    "glorot-normal": nn.init.xavier_normal_,
}


@dataclass(frozen=True)
class Network:
    """The architecture that all perceptrons share.

    Args:
        hidden_units: width of each of the two hidden layers.
        activations: of the first and second hidden layer; the decoder has them the other way round.
        initialisation: of the weights (He et al., 2015, or Glorot and Bengio, 2010); biases start at zero.
        dropout: probability of dropping a hidden unit, in training only.
    """

    hidden_units: int = 500
    activations: Literal["elu-tanh", "tanh", "relu"] = "elu-tanh"
    initialisation: Literal["he-normal", "glorot-normal"] = "he-normal"
    dropout: float = 0.1

    def perceptron(self, inputs: int, outputs: int, *, mirrored: bool = False) -> "Perceptron":
        """A perceptron ``[..., inputs] -> [..., outputs]``; mirrored, with the activations swapped."""
        first, second = _ACTIVATIONS[self.activations]
        if mirrored:
            first, second = second, first
        layers = Perceptron(
            nn.Linear(inputs, self.hidden_units),
            first(),
            Dropout(self.dropout),
            nn.Linear(self.hidden_units, self.hidden_units),
            second(),
            Dropout(self.dropout),
            nn.Linear(self.hidden_units, outputs),
        )
        for layer in layers:
            if isinstance(layer, nn.Linear):
                _INITIALISATIONS[self.initialisation](layer.weight)
                nn.init.zeros_(layer.bias)
        return layers


class Perceptron(nn.Sequential):
    """Layers that compute in the type of their weights; the output has the input's."""

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layers: ``[..., inputs] -> [..., outputs]``."""
        return super().forward(input.to(next(self.parameters()).dtype)).to(input.dtype)


class VAE(nn.Module):
    """q(z|y) = N(mu(y), diag(sigma(y)^2)) and a Bernoulli decoder p(y|z).

    Args:
        z_dim: Dz, the dimension of Z.
        network: the architecture of encoder and decoder.
        pixels: the dimension of an image.
    """

    def __init__(self, z_dim: int, network: Network | None = None, *, pixels: int = 784) -> None:
        super().__init__()
        network = network or Network()
        self.z_dim = z_dim
        self.encoder = network.perceptron(pixels, 2 * z_dim)
        self.decoder = network.perceptron(z_dim, pixels, mirrored=True)

    def encode(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of q(z|y): ``[..., pixels] -> [..., Dz], [..., Dz]``."""
        mu, raw = self.encoder(y).chunk(2, dim=-1)
        return mu, F.softplus(raw) + 1e-6

    def decode(self, z: Tensor) -> Tensor:
        """Logits of p(y|z): ``[..., Dz] -> [..., pixels]``."""
        return self.decoder(z)


class NonparametricVAE(VAE):
    """The VAE with a deterministic encoder x = f(y) and the length scale l of the kernel on X (Eq. 6).

    f is the back constraint of Lawrence and Quiñonero-Candela (2006).

    Args:
        z_dim: Dz, the dimension of Z.
        network: the architecture of encoder, decoder and X encoder.
        x_dim: Dx, the dimension of X.
        initial_length_scale: l before training; its logarithm is the parameter.
        pixels: the dimension of an image.
    """

    def __init__(
        self,
        z_dim: int,
        network: Network | None = None,
        *,
        x_dim: int = 2,
        initial_length_scale: float = 1.0,
        pixels: int = 784,
    ) -> None:
        network = network or Network()
        # the VAE's networks first: with the same seed, both models start from the same ones
        super().__init__(z_dim, network, pixels=pixels)
        self.x_encoder = network.perceptron(pixels, x_dim)
        self.log_length_scale = nn.Parameter(torch.tensor(math.log(initial_length_scale)))

    @property
    def length_scale(self) -> Tensor:
        """l of Eq. 6, a positive scalar."""
        return self.log_length_scale.exp()

    def embed(self, y: Tensor) -> Tensor:
        """Locations in X: ``[..., pixels] -> [..., Dx]``."""
        return self.x_encoder(y)


def build(
    name: Literal["vae", "npvae"],
    z_dim: int,
    network: Network | None = None,
    *,
    seed: int,
    initial_length_scale: float = 1.0,
) -> VAE:
    """A ``vae`` or ``npvae`` whose weights are drawn from ``seed``; torch's own random state stays."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if name == "npvae":
            return NonparametricVAE(z_dim, network, initial_length_scale=initial_length_scale)
        return VAE(z_dim, network)
