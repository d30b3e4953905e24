"""What the figures read: where images lie, and images decoded from where none lie."""

import pandas as pd
import torch
from torch import Tensor

from npvae.data.images import Split, grey
from npvae.latent.paths import line
from npvae.latent.spaces import Space


def embedding_table(space: Space, splits: dict[str, Split]) -> pd.DataFrame:
    """One row per image: ``split``, ``digit`` and, of a space of two dimensions, its point.

    The columns are ``x1`` and ``x2``, or ``z1`` and ``z2``. More dimensions can't be drawn.
    """
    tables = []
    for split, (images, labels) in splits.items():
        columns: dict[str, object] = {"split": split, "digit": labels.cpu().numpy()}
        points = space.points(images).cpu().numpy()
        if points.shape[1] == 2:
            columns |= {f"{space.name}{axis}": column for axis, column in enumerate(points.T, start=1)}
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def interpolants(space: Space, ends: Tensor, steps: int) -> Tensor:
    """Two images and ``steps`` images evenly on the straight line between them (figure 4).

    Args:
        space: in which the line runs.
        ends: ``[2, pixels]``.
        steps: how many lie between them.

    Returns:
        Grey values ``[steps + 2, pixels]``, the real images first and last.
    """
    start, end = space.points(ends)
    between = space.decode(line(start[None], end[None], steps)[0])
    first, last = grey(ends)
    return torch.cat([first[None], between, last[None]])


def thumbnails(space: Space, images: Tensor, across: int) -> tuple[Tensor, Tensor, float]:
    """Images decoded at the places of some of ``images`` that do not overlap (figure 2).

    Args:
        space: of two dimensions.
        images: ``[N, pixels]``.
        across: how many squares span the points along the longer axis, except outliers.

    Returns:
        Places ``[T, 2]``, images decoded there ``[T, pixels]``, and their side in units of the space.
    """
    points = space.points(images)
    low, high = points.quantile(points.new_tensor([0.001, 0.999]), dim=0)
    side = float((high - low).max() / across)
    places = points[thin(points, side)]
    return places, space.decode(places), side


def thin(points: Tensor, side: float) -> Tensor:
    """Indices of points at which squares of ``side`` do not overlap, taken greedily in order.

    Args:
        points: centres ``[N, 2]``.
        side: of a square, in the units of ``points``.
    """
    kept = points.new_empty(0, 2)
    indices = []
    for index, point in enumerate(points):
        if not ((kept - point).abs() < side).all(1).any():
            kept = torch.cat([kept, point[None]])
            indices.append(index)
    return torch.tensor(indices)
