"""Engines to be killed: how, and what they leave."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from dvcrules import repro
from dvcrules.errors import BridgeError
from dvcrules.ledger import read_ledger

DOORS = ("dvc repro", "snakemake --cores 2")
MENDING = (f"{sys.executable} -P {repro.__file__}", DOORS[1])  # those that mend DVC's read-write lock too


def start(project, command: str, output=subprocess.DEVNULL) -> subprocess.Popen:
    """Start an engine in a process group of its own, for Ctrl-C."""
    # what a shell starts in the background ignores Ctrl-C, and so would all that it starts
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(
        f"exec {command}",
        cwd=project.folder,
        env=project.environment,
        shell=True,
        start_new_session=True,
        stdout=output,
        stderr=subprocess.STDOUT,
    )


def strike(chance: random.Random, engine: subprocess.Popen) -> str:
    """Ctrl-C, or TERM or KILL to the engine with its jobs, to it alone, or to one process below it."""
    below = psutil.Process(engine.pid).children(recursive=True)
    number = chance.choice([signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    target = "all" if number == signal.SIGINT else chance.choice(["all", "engine", "job"])
    if target == "all" or not below:
        os.killpg(engine.pid, number)
    elif target == "engine":
        engine.send_signal(number)
    else:
        with contextlib.suppress(psutil.NoSuchProcess):
            chance.choice(below).send_signal(number)
    return f"{number.name} {target}"


def cure(folder: Path) -> list[str]:
    """Do what the one sentence about a ledger says that a killed DVC left torn, and name it."""
    try:
        read_ledger(folder / "dvc.lock")
    except BridgeError:
        (folder / "dvc.lock").unlink()
        return ["dvc.lock was torn"]
    return []


def at_work(project) -> list[psutil.Process]:
    """The processes in the project's folder."""
    found = psutil.process_iter(["cwd"])
    return [process for process in found if process.info["cwd"] == str(project.folder)]


def wait_for_the_end(project) -> None:
    """Wait until whatever outlived its engine has ended by itself."""
    begin = time.monotonic()
    while at_work(project):
        assert time.monotonic() - begin < 120, at_work(project)
        time.sleep(0.1)
