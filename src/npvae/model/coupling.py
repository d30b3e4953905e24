"""How X ties the factored Z together: the matching term of Eq. 5, and what its gradient reaches."""

from collections.abc import Callable

from torch import Tensor

from npvae.model.kernel import Kernel
from npvae.settings import Gradient

# E[z] of the image that is predicted, and of the neighbours that predict it, as the gradient sees them
_SEEN: dict[Gradient, Callable[[Tensor], tuple[Tensor, Tensor]]] = {
    "all": lambda mu: (mu, mu),
    "own": lambda mu: (mu, mu.detach()),
    "x": lambda mu: (mu.detach(), mu.detach()),
}


def match_penalty(mu: Tensor, x: Tensor, kernel: Kernel, *, gradient: Gradient = "all") -> Tensor:
    """``|mu_i - sum_j W_ij mu_j|^2`` of Eq. 5: ``[..., B, Dz], [..., B, Dx] -> [..., B]``.

    Args:
        mu: posterior means E[z].
        x: locations in X.
        kernel: gives W.
        gradient: what it reaches; see :class:`npvae.settings.Objective`.
    """
    own, neighbours = _SEEN[gradient](mu)
    return (own - kernel.weights(x) @ neighbours).square().sum(-1)
