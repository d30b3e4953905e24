"""Prediction from X to Z over a reference set (Eq. 4, nothing left out)."""

import torch
from torch import Tensor


@torch.no_grad()
def predict_z(
    x: Tensor, reference_x: Tensor, reference_z: Tensor, length_scale: Tensor, *, max_elements: int = 2**23
) -> Tensor:
    """``z~(x) = sum_j W(x, x_j) E[z_j]``, without gradients.

    Two temporaries and the result are all the memory that it takes, however many queries there are: written
    into them, nothing is left between freed blocks for the heap to hold on to.

    Args:
        x: queries ``[N, Dx]``.
        reference_x: locations ``[M, Dx]``, usually of the whole training set.
        reference_z: their posterior means ``[M, Dz]``.
        length_scale: l, a scalar.
        max_elements: bound on the elements of a temporary; the queries are taken in chunks of
            ``max_elements / M`` rows, at least one.

    Returns:
        ``[N, Dz]``.
    """
    rows = max(1, min(len(x), max_elements // len(reference_x)))
    squared, buffer = (x.new_empty(rows, len(reference_x)) for _ in range(2))
    predicted = x.new_empty(len(x), reference_z.shape[1])
    centre = reference_x.mean(0)  # far from the origin, scaled coordinates would lose what tells them apart
    scaled, reference = (x - centre) / length_scale, (reference_x - centre) / length_scale
    for chunk, result in zip(scaled.split(rows), predicted.split(rows), strict=True):
        distance, other = squared[: len(chunk)].zero_(), buffer[: len(chunk)]
        for axis in range(reference.shape[1]):  # an axis at a time: [rows, M], never [rows, M, Dx]
            torch.sub(chunk[:, axis, None], reference[None, :, axis], out=other)
            distance.add_(other.square_())
        weights = torch.softmax(distance.mul_(-0.5), -1, out=other)
        torch.mm(weights, reference_z, out=result)
    return predicted
