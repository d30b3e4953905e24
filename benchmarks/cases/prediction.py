"""Prediction through X: z~ of queries over references, against KeOps and against both counts.

Charlier, Feydy, Glaunès, Collin and Durif (2021), *Kernel Operations on the GPU, with Autodiff, without
Memory Overflows*.
"""

import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmarks.measure import NotMeasured, Timing, peak_memory, repeat
from npvae.latent.predict import predict_z

LENGTH_SCALE = torch.tensor(0.2)
REFERENCES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
QUERIES = (300, 1_000, 3_000, 10_000, 30_000)
Prediction = Callable[[Tensor, Tensor, Tensor], Tensor]


def _points(queries: int, references: int, z_dim: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = (queries, 2), (references, 2), (references, z_dim)
    x, reference_x, reference_z = (torch.randn(*shape, generator=generator) for shape in shapes)
    return x, reference_x, reference_z


def ours(x: Tensor, reference_x: Tensor, reference_z: Tensor) -> Tensor:
    """The program's own prediction."""
    return predict_z(x, reference_x, reference_z, LENGTH_SCALE)


def _memory(predict: Callable[[], Tensor], at: float | None = None) -> Timing:
    try:
        return Timing("memory", [peak_memory(predict)], "MiB", at=at)
    except NotMeasured as reason:
        return Timing("memory", [], at=at, note=str(reason))


def keops(x: Tensor, reference_x: Tensor, reference_z: Tensor) -> Prediction:
    """The faster, on these points, of the two ways that KeOps can do it, compiled for their dimensions.

    Raises:
        NotMeasured: it is not installed, or can't compile.
    """
    try:
        from pykeops.torch import LazyTensor
    except ImportError:
        raise NotMeasured("not installed") from None

    def log_weights(x: Tensor, reference_x: Tensor) -> "LazyTensor":
        difference = LazyTensor((x / LENGTH_SCALE)[:, None]) - LazyTensor((reference_x / LENGTH_SCALE)[None])
        return -0.5 * (difference**2).sum(-1)

    def fused(x: Tensor, reference_x: Tensor, reference_z: Tensor) -> Tensor:
        return log_weights(x, reference_x).sumsoftmaxweight(LazyTensor(reference_z[None]), axis=1)

    def two_passes(x: Tensor, reference_x: Tensor, reference_z: Tensor) -> Tensor:
        logits = log_weights(x, reference_x)
        total = LazyTensor(logits.logsumexp(dim=1)[:, None])
        return (logits - total).exp() @ reference_z

    points = x, reference_x, reference_z
    try:
        seconds = {way: min(repeat(partial(way, *points), values=2)) for way in (fused, two_passes)}
    except Exception as error:  # whatever the compiler runs into
        raise NotMeasured(f"does not run: {' '.join(str(error).split())[:200]}") from None
    for way in seconds:
        torch.testing.assert_close(way(*points), ours(*points), rtol=1e-3, atol=1e-4)
    return min(seconds, key=seconds.__getitem__)


def against_keops(quick: bool) -> list[Timing]:
    """10,000 queries over 55,000 references, Z = 500, ours and KeOps in turn."""
    x, reference_x, reference_z = points = _points(*((200, 550, 500) if quick else (10_000, 55_000, 500)))
    timings = [_memory(partial(ours, *points))]
    rivals: dict[str, Prediction] = {"ours": ours}
    try:
        rivals["KeOps"] = keops(x[:100], reference_x, reference_z)
    except NotMeasured as reason:
        timings.append(Timing("KeOps", [], note=str(reason)))
    values: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(2):
        for name, predict in rivals.items():
            start = time.perf_counter()
            predict(*points)
            values[name].append(time.perf_counter() - start)
    return [*timings, *(Timing(name, seconds) for name, seconds in values.items())]


def scaling(quick: bool) -> list[Timing]:
    """Ours against each count, at Z = 20, and its memory above its data with the most references."""
    timings, values = [], 2 if quick else 5
    for count in reversed(REFERENCES):
        points = _points(20 if quick else 300, count // 100 if quick else count, 20)
        predict = partial(ours, *points)
        if not timings:  # later there are freed blocks, whose use would not show
            timings.append(_memory(predict, at=count))
        timings.append(Timing("references", repeat(predict, values=values), at=count))
    for count in QUERIES:
        points = _points(count // 100 if quick else count, 10_000, 20)
        timings.append(Timing("queries", repeat(partial(ours, *points), values=values), at=count))
    return timings
