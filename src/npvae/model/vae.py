"""The plain VAE (Kingma and Welling, 2014) and the nonparametric VAE, which adds an encoder to X.

Every network is a perceptron with two hidden layers. Nothing here knows about losses or training.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from npvae.data.images import grey
from npvae.model.dropout import Dropout
from npvae.model.kernel import CovarianceKernel, Kernel
from npvae.settings import Fitting, ModelName, Network, Objective

_ACTIVATIONS: dict[str, tuple[type[nn.Module], type[nn.Module]]] = {
    "elu-tanh": (nn.ELU, nn.Tanh),
    "tanh": (nn.Tanh, nn.Tanh),
    "relu": (nn.ReLU, nn.ReLU),
}
_INITIALISATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "he-normal": nn.init.kaiming_normal_,
    "glorot-normal": nn.init.xavier_normal_,
}


class Perceptron(nn.Sequential):
    """``[..., inputs] -> [..., outputs]``, computed in the type of the weights; the output has the input's.

    Args:
        network: width, activations, initialisation and drop-out.
        inputs: the dimension of the input.
        outputs: the dimension of the output.
        mirrored: with the two activations the other way round.
    """

    def __init__(self, network: Network, inputs: int, outputs: int, *, mirrored: bool = False) -> None:
        first, second = _ACTIVATIONS[network.activations]
        if mirrored:
            first, second = second, first
        super().__init__(
            nn.Linear(inputs, network.hidden_units),
            first(),
            Dropout(network.dropout),
            nn.Linear(network.hidden_units, network.hidden_units),
            second(),
            Dropout(network.dropout),
            nn.Linear(network.hidden_units, outputs),
        )
        for layer in self:
            if isinstance(layer, nn.Linear):
                _INITIALISATIONS[network.initialisation](layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, input: Tensor) -> Tensor:
        """Apply the layers."""
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
        self.encoder = Perceptron(network, pixels, 2 * z_dim)
        self.decoder = Perceptron(network, z_dim, pixels, mirrored=True)

    @property
    def length_scale(self) -> Tensor | None:
        """l of the kernel on X; a plain VAE has neither."""
        return None

    def encode(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of q(z|y): ``[..., pixels] -> [..., Dz], [..., Dz]``."""
        mu, raw = self.encoder(grey(y)).chunk(2, dim=-1)
        return mu, F.softplus(raw) + 1e-6

    def decode(self, z: Tensor) -> Tensor:
        """Logits of p(y|z): ``[..., Dz] -> [..., pixels]``."""
        return self.decoder(z)


class NonparametricVAE(VAE):
    """The VAE with a deterministic encoder x = f(y) and a kernel on X (Eq. 6).

    f is the back constraint of Lawrence and Quiñonero-Candela (2006).

    Args:
        z_dim: Dz, the dimension of Z.
        network: the architecture of encoder, decoder and X encoder.
        x_dim: Dx, the dimension of X.
        kernel: on X; Eq. 6's with l = 1 unless given.
        x_dropout: the X encoder's, where it is not the network's.
        pixels: the dimension of an image.
    """

    def __init__(
        self,
        z_dim: int,
        network: Network | None = None,
        *,
        x_dim: int = 2,
        kernel: Kernel | None = None,
        x_dropout: float | None = None,
        pixels: int = 784,
    ) -> None:
        network = network or Network()
        # the VAE's networks first: with the same seed, both models start from the same ones
        super().__init__(z_dim, network, pixels=pixels)
        if x_dropout is not None:
            network = network.model_copy(update={"dropout": x_dropout})
        self.x_encoder = Perceptron(network, pixels, x_dim)
        self.kernel = kernel or Kernel()

    @property
    def length_scale(self) -> Tensor:
        """l of Eq. 6, a positive scalar."""
        return self.kernel.length_scale

    def embed(self, y: Tensor) -> Tensor:
        """Locations in X: ``[..., pixels] -> [..., Dx]``."""
        return self.x_encoder(grey(y))


def build(
    name: ModelName,
    z_dim: int,
    network: Network | None = None,
    objective: Objective | Fitting | None = None,
    *,
    pixels: int = 784,
    seed: int,
) -> VAE:
    """A model whose weights are drawn from ``seed``; torch's own random state stays.

    Args:
        name: ``vae``, or another, which has an X.
        z_dim: Dz.
        network: see :class:`VAE`.
        objective: by what X is learned; the paper's unless given.
        pixels: the dimension of an image.
        seed: of the weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if name == "vae":
            return VAE(z_dim, network, pixels=pixels)
        chosen = objective or Objective()
        kernel = Kernel(chosen.initial_length_scale)
        if isinstance(chosen, Objective) and chosen.divergence != "means":
            kernel = CovarianceKernel(
                chosen.initial_length_scale, chosen.kernel_variance, chosen.kernel_noise
            )
        return NonparametricVAE(z_dim, network, kernel=kernel, x_dropout=chosen.x_dropout, pixels=pixels)
