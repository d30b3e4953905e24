"""The classes of CPU that are measured apart: they multiply matrices at different rates."""

import platform

import torch

from npvae.machine import multiplies_bfloat16

CLASSES = ("avx2", "bfloat16")  # those that there are goals for
GPU = "gpu"  # the class of what runs on one
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}


def native() -> str:
    """This CPU's class, less what the environment forbids: ``bfloat16`` if it multiplies that in hardware.

    Otherwise it is torch's word for what it uses, or the architecture where that is nothing in particular.
    """
    if multiplies_bfloat16("cpu"):
        return "bfloat16"
    capability = torch.backends.cpu.get_cpu_capability()
    return (platform.machine() if capability in {"DEFAULT", "NO AVX"} else capability).lower()


def here() -> set[str]:
    """What this CPU can be measured as: what it is, and AVX2 where that is part of it."""
    able = torch.backends.cpu.get_cpu_capability() in {"AVX2", "AVX512"}
    return {native(), "avx2"} if able else {native()}


def wanted() -> list[str]:
    """The classes with goals, whether or not they are here, and this CPU's."""
    return list(dict.fromkeys([*CLASSES, native()]))


def environment(kind: str) -> dict[str, str]:
    """What has to be set before Python starts, for a CPU to be of a class."""
    return dict(AVX2) if kind == "avx2" else {}


def precision(kind: str) -> str:
    """What ``auto`` stands for in a class (on a GPU, from sm_80)."""
    return "bfloat16" if kind in {"bfloat16", GPU} else "float32"
