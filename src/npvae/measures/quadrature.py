"""The likelihood of an image through X: the honest test of ancestral sampling from it."""

import torch
from torch import Tensor

from npvae.data.images import grey, in_batches
from npvae.latent.predict import predict_z
from npvae.latent.spaces import XSpace


@torch.no_grad()
def log_likelihoods_through_x(space: XSpace, images: Tensor, *, fineness: int = 3) -> Tensor:
    """``log p(y)``, ``p(y) = int p(y|z~(x)) p(x) dx``, of images ``[N, pixels] -> [N]``, in nats, float64.

    By the midpoint rule on squares of side ``l / fineness``, wherever the kernel density p(x) of the
    reference images has mass; its values on the grid are made to sum to 1.

    Args:
        space: X, two-dimensional.
        images: uint8, or in [0, 1].
        fineness: squares to a length scale.
    """
    places, log_mass = _grid(space, fineness)
    y = grey(images)

    def log_p(chunk: Tensor) -> Tensor:
        logits = space.model.decode(chunk)
        # log p = y l - log(1 + exp l); torch's own softplus, not being vectorised, takes four times as long
        softplus = logits.abs().neg_().exp_().add_(1).log_().add_(logits.relu())
        return logits @ y.T - softplus.sum(-1, keepdim=True)

    each = in_batches(log_p, _predicted(space, places))
    return (each.double() + log_mass[:, None]).logsumexp(0)


def _predicted(space: XSpace, places: Tensor) -> Tensor:
    """z~ at places within a few length scales of reference images: ``[G, 2] -> [G, Dz]``.

    A block of places at a time, from the images within seven length scales of it: each of the others has
    less than a billionth of the weight of one that is three away.
    """
    x, mu = space.reference
    scale = space.length_scale
    blocks, which = torch.unique((places / (2 * scale)).floor(), dim=0, return_inverse=True)
    order = which.argsort()
    groups = order.split(which.bincount(minlength=len(blocks)).tolist())
    predicted = places.new_empty(len(places), mu.shape[1])
    for block, group in zip(blocks, groups, strict=True):
        low, high = (2 * block - 7) * scale, (2 * block + 9) * scale
        near = ((x >= low) & (x <= high)).all(-1)
        predicted[group] = predict_z(places[group], x[near], mu[near], scale)
    return predicted


def _grid(space: XSpace, fineness: int) -> tuple[Tensor, Tensor]:
    """Middles ``[G, 2]`` of squares, and the logarithm of p(x)'s mass in each, ``[G]``, float64.

    For its mass alone, a reference image counts as if it lay in the middle of its square.
    """
    centres, _ = space.reference
    side, origin = space.length_scale / fineness, centres.amin(0)
    occupied, images = torch.unique(((centres - origin) / side).floor().long(), dim=0, return_counts=True)
    reach = torch.arange(-3 * fineness, 3 * fineness + 1, device=centres.device)  # three length scales
    around = torch.cartesian_prod(reach, reach)
    kernel = (-0.5 * (around / fineness).square().sum(-1).double()).exp()
    # a pair of whole numbers as one: rows of one column are sorted much faster
    wide = 2**31
    rows, columns = (occupied[:, None] + around).flatten(0, 1).unbind(-1)
    squares, which = torch.unique(rows * wide + columns, return_inverse=True)
    mass = torch.zeros(len(squares), dtype=torch.float64, device=centres.device)
    mass.index_add_(0, which, (images[:, None] * kernel).flatten())
    first = (squares + wide // 2).div(wide, rounding_mode="floor")
    places = origin + (torch.stack([first, squares - first * wide], -1) + 0.5) * side
    mass /= mass.sum()
    kept = mass > 1e-3 / len(mass)  # together, what is left out has less than a thousandth
    return places[kept], (mass[kept] / mass[kept].sum()).log()
