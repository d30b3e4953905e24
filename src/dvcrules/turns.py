"""Locks that the system itself lets go of when their holder ends, however it ends: nobody has to clear them.

A stage's command takes :func:`alone` from here, so this needs nothing that has to be installed.
"""

import _thread
import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO
from urllib.parse import quote

GRACE = 10  # seconds for a command to end by its interrupt

_held: list[TextIO] = []  # open, and so locked, until this process ends


def take(path: Path, waiting: Callable[[str], object]) -> TextIO | None:
    """Hold a lock until this process ends; where another one holds it, wait for that.

    Args:
        path: of the lock.
        waiting: called once with what the file says, where there is somebody to wait for.

    Returns:
        The file, locked, for the holder's name; nothing, where the file system has no locks.
    """
    import fcntl  # not on Windows, where nothing but this needs it

    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+")
    _held.append(file)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting(path.read_text().strip())
            fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:
        return None
    return file


def alone() -> None:
    """For the start of a command of a stage: never beside itself, and no longer than the DVC that runs it.

    A killed DVC leaves its command at work, and its successor would start another one on the same files.
    The command ends, as by Ctrl-C, when it sees that its parent is gone, and another of the same stage and
    tree waits until it has ended. A command that DVC doesn't run is left alone.
    """
    stage, here = os.environ.get("DVC_STAGE"), Path.cwd()
    folder = next((path for path in (here, *here.parents) if (path / ".dvc").is_dir()), None)
    if not stage or not folder:
        return
    threading.Thread(target=_end_without, args=(_above(),), daemon=True).start()
    take(
        folder / f".dvc/tmp/dvcrules/commands/{quote(stage, safe='')}.lock",
        lambda _: _say(f"{stage}: waiting for the end of a command that a killed DVC left at work"),
    )


def _above() -> tuple[int, ...]:
    """The number of DVC's process, after that of a shell that stays in between; some become the command."""
    parent = os.getppid()
    try:
        import psutil  # DVC brings it
    except ImportError:
        return (parent,)
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(parent)
        line = process.cmdline()
        if line[:1] == [os.environ.get("SHELL") or "/bin/sh"] and line[-2:-1] == ["-c"]:  # as DVC starts it
            return parent, process.ppid()
    return (parent,)


def _end_without(above: tuple[int, ...]) -> None:
    while _above() == above:
        time.sleep(0.5)
    _thread.interrupt_main()
    time.sleep(GRACE)
    os._exit(130)  # the interrupt was caught, or is ignored here


def _say(sentence: str) -> None:
    print(f"dvcrules: {sentence}", file=sys.stderr, flush=True)
