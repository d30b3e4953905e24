"""What this machine is: the device, the precision that it is fast in, and the record of both.

How matrices are multiplied is the machine's matter, not the science's. What was used is recorded with each
result.
"""

import ctypes
import os
import platform
import time
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F

from npvae.settings import Precision

# the values of ONEDNN_MAX_CPU_ISA below the first one with bfloat16
_WITHOUT_BFLOAT16 = {"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI"}


def fastest_device() -> torch.device:
    """A GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@cache
def multiplies_bfloat16(device_type: str) -> bool:
    """Whether matrices of bfloat16 are multiplied in hardware here: NVIDIA's from sm_80, AVX512_BF16, AMX.

    Honours the variables that restrict a CPU, which its own list of capabilities does not know:
    ``ONEDNN_MAX_CPU_ISA`` (or ``DNNL_MAX_CPU_ISA``) and ``ATEN_CPU_CAPABILITY``. A trial decides last.
    """
    if device_type == "cuda":
        able = torch.cuda.get_device_capability() >= (8, 0)
    else:
        # older releases of torch do not list them, and are taken to have none
        capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
        limit = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA") or "DEFAULT"
        able = (
            bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
            and limit.upper() not in _WITHOUT_BFLOAT16
            and torch.backends.cpu.get_cpu_capability() not in {"DEFAULT", "NO AVX", "AVX2"}
        )
    return able and _trial_succeeds(device_type)


def _trial_succeeds(device_type: str) -> bool:
    """One step of a layer of each kind: some CPUs list what a library then refuses to do."""
    try:
        images = torch.ones(2, 1, 8, 8, dtype=torch.bfloat16, device=device_type)
        kernel = torch.ones(2, 1, 3, 3, dtype=torch.bfloat16, device=device_type, requires_grad=True)
        weight = torch.ones(4, 72, dtype=torch.bfloat16, device=device_type, requires_grad=True)
        F.linear(F.conv2d(images, kernel).flatten(1), weight).sum().backward()
    except RuntimeError:
        return False
    return True


def resolve(precision: Precision, device: torch.device) -> Precision:
    """The precision that ``auto`` stands for on a device; any other stands for itself."""
    if precision != "auto":
        return precision
    return "bfloat16" if multiplies_bfloat16(device.type) else "float32"


def warning(precision: Precision, device: torch.device) -> str | None:
    """One sentence on what bfloat16 will cost where it was asked for and the hardware lacks it."""
    if precision != "bfloat16" or multiplies_bfloat16(device.type):
        return None

    def seconds(dtype: torch.dtype) -> float:
        images, weights = (torch.ones(rows, 784, dtype=dtype, device=device) for rows in (128, 500))
        F.linear(images, weights)
        start = time.perf_counter()
        for _ in range(3):
            F.linear(images, weights)[0, 0].item()  # waits for a GPU
        return time.perf_counter() - start

    factor = seconds(torch.bfloat16) / seconds(torch.float32)
    return (
        f"precision bfloat16: this {device.type.upper()} has no hardware for it, and its products take "
        f"{factor:.1f} times as long as in float32; `auto` would take float32"
    )


def describe(precision: Precision, device: torch.device) -> dict[str, Any]:
    """What a run was made with: device, its capability, threads, precision (``auto`` resolved), torch."""
    if device.type == "cuda":
        name, capability = torch.cuda.get_device_name(), "sm_{}{}".format(*torch.cuda.get_device_capability())
    else:
        name, capability = f"CPU, {platform.machine()}", torch.backends.cpu.get_cpu_capability()
        if multiplies_bfloat16("cpu"):
            capability += " with bfloat16"
    return {
        "device": name,
        "capability": capability,
        "threads": torch.get_num_threads(),
        "precision": resolve(precision, device),
        "torch": torch.__version__,
    }


def sentence(description: dict[str, Any]) -> str:
    """:func:`describe` in a line."""
    threads = description["threads"]
    return (
        f"{description['precision']} on {description['device']} ({description['capability']}), "
        f"{threads} {'thread' if threads == 1 else 'threads'}, torch {description['torch']}"
    )


def keep_freed_memory() -> None:
    """Ask glibc to keep what is freed: a step's tensors then cost no page faults, 5 to 10 % of it.

    Of the whole process, so commands call it, and no function of the library does. Elsewhere it does nothing.
    """
    if platform.libc_ver()[0] == "glibc":
        trim, mmap = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
        libc = ctypes.CDLL(None)
        libc.mallopt(trim, 2**31 - 1)
        libc.mallopt(mmap, 2**30)
