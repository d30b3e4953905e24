"""What the numbers were measured on, and with."""

import json
import os
import platform
import re
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from benchmarks.measure import cores
from npvae.files import write_atomically

PACKAGES = ("torch", "torchvision", "numpy", "pythae", "pykeops", "dvc", "snakemake")
# those that decide how fast matrices multiply, in torch's words
FLAGS = ("avx2", "avx512_f", "avx512_bf16", "amx_bf16", "neon", "bf16", "sve", "sve_bf16")


def _cpu() -> str:
    """The CPU's name, or its architecture where the system does not tell."""
    with suppress(OSError):
        if match := re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE):
            return match[1]
    return platform.processor() or platform.machine()


def _flags() -> list[str]:
    listed = getattr(torch.cpu, "get_capabilities", dict)()  # older releases of torch list none
    return [flag for flag in FLAGS if listed.get(flag)] or [torch.backends.cpu.get_cpu_capability()]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def describe() -> dict[str, Any]:
    """Hardware, versions and threads, without the machine's name."""
    return {
        "cpu": _cpu(),
        "flags": _flags(),
        "cores": cores(),
        "threads": int(os.environ.get("OMP_NUM_THREADS", cores())),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {package: _version(package) for package in PACKAGES},
    }


def sentence(machine: dict[str, Any]) -> str:
    """:func:`describe` in a line or two."""
    versions = ", ".join(f"{package} {number}" for package, number in machine["versions"].items())
    return (
        f"{machine['cpu']} ({', '.join(machine['flags'])}), cores: {machine['cores']}, "
        f"threads unless said otherwise: {machine['threads']}, GPU: {machine['gpu'] or 'none'}, "
        f"{machine['system']}, Python {machine['python']}, {versions}"
    )


def read(folder: Path) -> dict[str, dict[str, Any]]:
    """``machine.json``: the machine of each run, by the run's date; empty where there is none yet."""
    file = folder / "machine.json"
    return json.loads(file.read_text()) if file.exists() else {}


def write(folder: Path, machines: dict[str, dict[str, Any]]) -> None:
    """The opposite of :func:`read`."""
    write_atomically(folder / "machine.json", json.dumps(machines, indent=2) + "\n")
