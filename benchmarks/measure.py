"""Stopwatches: seconds of a call, seconds of a process, and memory."""

import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch


class NotMeasured(Exception):
    """A case that can't be measured here; the message says why."""


class Timing(NamedTuple):
    """Repeated measurements of one quantity.

    Args:
        what: the quantity's name within its case.
        values: one a repetition; none where it can't be measured here.
        unit: of the values.
        at: where on a curve they were taken, such as a batch size; None for a single point.
        note: why there are no values.
    """

    what: str
    values: list[float]
    unit: str = "s"
    at: float | None = None
    note: str = ""

    def record(self) -> dict[str, str | float | None]:
        """Median, quartiles and count, as a line of ``timings.csv``."""
        low, median, high = (
            np.quantile(self.values, (0.25, 0.5, 0.75)).tolist() if self.values else [None] * 3
        )
        return {
            "what": self.what,
            "at": self.at,
            "unit": self.unit,
            "median": median,
            "low": low,
            "high": high,
            "repetitions": len(self.values),
            "note": self.note,
        }


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def synchronize(device: torch.device) -> None:
    """Wait for a device to finish what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def cuda() -> torch.device:
    """The GPU.

    Raises:
        NotMeasured: there is none.
    """
    if not torch.cuda.is_available():
        raise NotMeasured("no GPU here")
    return torch.device("cuda")


def repeat(
    work: Callable[[], object], *, values: int, device: torch.device | None = None, least: float = 0.02
) -> list[float]:
    """Seconds of a call of ``work``, after a warm-up.

    Args:
        work: what to time.
        values: how many values to return.
        device: where ``work`` runs, if not on the CPU.
        least: seconds that a value lasts at least: shorter calls are timed in groups, and averaged.
    """
    device = device or torch.device("cpu")

    def seconds(calls: int) -> float:
        synchronize(device)
        start = time.perf_counter()
        for _ in range(calls):
            work()
        synchronize(device)
        return (time.perf_counter() - start) / calls

    seconds(1)
    calls = max(1, round(least / seconds(3)))
    return [seconds(calls) for _ in range(values)]


class Laps:
    """A stopwatch for something that runs on: seconds between calls of :meth:`lap`."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._marks: list[float] = []

    def lap(self, *_: object) -> None:
        """Take the time; arguments are ignored, so that this can be a callback."""
        synchronize(self._device)
        self._marks.append(time.perf_counter())

    def seconds(self, *, per: int) -> list[float]:
        """Of each lap, divided by ``per``."""
        return [(end - start) / per for start, end in pairwise(self._marks)]


def process(command: list[str], folder: Path, environment: Mapping[str, str]) -> tuple[float, str]:
    """Wall time of a process from start to end, and what it printed.

    Raises:
        NotMeasured: it isn't there, or failed; the message has its first errors.
    """
    start = time.perf_counter()
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    except FileNotFoundError:
        raise NotMeasured(f"no command {command[0]}") from None
    seconds = time.perf_counter() - start
    if done.returncode:
        errors = [line.strip() for line in done.stdout.splitlines() if "rror" in line]
        raise NotMeasured(f"`{' '.join(command)}` failed: {' '.join(errors[:3])[:300]}")
    return seconds, done.stdout


def peak_memory(work: Callable[[], object]) -> float:
    """How far ``work`` raises this process's memory above where it was, in MiB, at its highest.

    Raises:
        NotMeasured: the system doesn't tell (Linux does).
    """

    def status(key: str) -> int:
        match = re.search(rf"{key}:\s+(\d+) kB", Path("/proc/self/status").read_text())
        assert match
        return int(match[1])

    try:
        Path("/proc/self/clear_refs").write_text("5")  # forgets the highest value so far
        before = status("VmRSS")
    except OSError:
        raise NotMeasured("this system keeps no resettable peak of memory") from None
    work()
    return (status("VmHWM") - before) / 1024
