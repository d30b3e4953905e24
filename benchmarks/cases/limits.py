"""What the machine can do: its rate of matrix products, and how fast it copies."""

import torch
from torch import Tensor

from benchmarks.measure import Timing, cores, cuda, repeat

SHAPES = ((128, 784, 500), (128, 500, 500))  # batch, inputs and outputs of the models' largest layers


def _product_rate(
    m: int, k: int, n: int, dtype: torch.dtype, device: torch.device, values: int
) -> list[float]:
    """Operations a second of ``[m, k] @ [k, n]``, the second matrix stored as a layer's weights are."""
    a = torch.randn(m, k, device=device).to(dtype)
    b = torch.randn(n, k, device=device).to(dtype)
    seconds = repeat(lambda: torch.nn.functional.linear(a, b), values=values, device=device)
    return [2 * m * k * n / second for second in seconds]


def _bandwidth(megabytes: int, device: torch.device, values: int) -> list[float]:
    """Bytes a second of a copy too large for any cache, read and written bytes both counted."""
    source = torch.ones(megabytes * 2**18, device=device)
    target: Tensor = torch.zeros_like(source)
    seconds = repeat(lambda: target.copy_(source), values=values, device=device)
    return [2 * source.nbytes / second for second in seconds]


def cpu(quick: bool) -> list[Timing]:
    """Rates on one thread and on all."""
    device, values = torch.device("cpu"), 3 if quick else 30
    timings = []
    for threads in sorted({1, cores()}):
        torch.set_num_threads(threads)
        for m, k, n in SHAPES:
            for dtype in (torch.float32, torch.bfloat16):
                name = f"{str(dtype).removeprefix('torch.')} {m}x{k}x{n}"
                rate = _product_rate(m, k, n, dtype, device, values)
                timings.append(Timing(name, rate, "operations/s", at=threads))
        bandwidth = _bandwidth(64 if quick else 512, device, values)
        timings.append(Timing("copy", bandwidth, "B/s", at=threads))
    return timings


def gpu(quick: bool) -> list[Timing]:
    """The same of a GPU, which needs larger matrices to show what it can do."""
    device, values, side = cuda(), 3 if quick else 30, 512 if quick else 8192
    return [
        Timing("float32", _product_rate(side, side, side, torch.float32, device, values), "operations/s"),
        Timing("bfloat16", _product_rate(side, side, side, torch.bfloat16, device, values), "operations/s"),
        Timing("copy", _bandwidth(64 if quick else 2048, device, values), "B/s"),
    ]
