"""``dvc repro`` that waits for another DVC at work on the same files, where DVC itself fails.

The rules of a Snakefile run this file by its path, so it imports nothing from beside it.
"""

import contextlib
import json
import logging
import re
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

import psutil
from dvc.cli import main
from dvc.lock import LockError
from dvc.repo import Repo

PATIENCE = 24 * 60 * 60  # seconds


class Blocker(NamedTuple):
    """A process that has files in DVC's read-write lock."""

    pid: int
    command: str

    def is_at_work(self) -> bool:
        """Is it still there, rather than another process with its number, or a dead one's entry?"""
        try:
            words = " ".join(psutil.Process(self.pid).cmdline())
        except psutil.NoSuchProcess:  # or a zombie
            return False
        except psutil.AccessDenied:
            return True
        return self.command.partition(" ")[2] in words  # the first word is what Python makes of it


class Lock(logging.Filter):
    """Keeps back what DVC says when a lock fails it, and remembers it."""

    reason = ""

    def filter(self, record: logging.LogRecord) -> bool:
        """Is it about anything else?"""
        error = record.exc_info[1] if record.exc_info else None
        while error and not isinstance(error, LockError):
            error = error.__cause__
        self.reason = str(error) if error else self.reason
        return error is None


def repro(arguments: Sequence[str]) -> int:
    """Run ``dvc repro``, again and again while another process has a lock that it needs.

    Args:
        arguments: of ``dvc repro``.

    Returns:
        DVC's exit code.
    """
    lock, waited, start = Lock(), False, time.monotonic()
    for handler in logging.getLogger("dvc").handlers:
        handler.addFilter(lock)
    while True:
        lock.reason = ""
        code = main(["--wait-for-lock", "repro", *arguments])
        if not code or not lock.reason:
            return code
        if time.monotonic() - start > PATIENCE:
            print(f"dvcrules: waited for {PATIENCE // 3600} hours: {lock.reason}", file=sys.stderr)
            return code
        found = re.findall(r"^  \(PID (\d+)\): (.*)$", lock.reason, flags=re.MULTILINE)
        blockers = [Blocker(int(pid), command) for pid, command in found]
        at_work = [blocker for blocker in blockers if blocker.is_at_work()]
        if at_work and not waited:
            pid, command = at_work[0]
            busy = lock.reason.partition(" is busy")[0]
            print(f"dvcrules: {busy}: waiting for process {pid} ({command})", file=sys.stderr, flush=True)
            waited = True
        if not at_work:
            forget(blockers)
        time.sleep(0.5)
        while any(blocker.is_at_work() for blocker in at_work) and time.monotonic() - start <= PATIENCE:
            time.sleep(0.5)


def forget(dead: Sequence[Blocker]) -> None:
    """Take processes that are gone from DVC's read-write lock.

    DVC does so itself, unless another process has the number of the dead one now.
    """
    with Repo(_wait_for_lock=True) as repo, repo.lock:  # under which alone DVC changes the file
        path = Path(repo.tmp_dir) / "rwlock"
        locks = json.loads(path.read_text())
        writers, readers = locks.get("write", {}), locks.get("read", {})
        locks["write"] = {
            file: one for file, one in writers.items() if Blocker(one["pid"], one["cmd"]) not in dead
        }
        locks["read"] = {
            file: rest
            for file, some in readers.items()
            if (rest := [one for one in some if Blocker(one["pid"], one["cmd"]) not in dead])
        }
        new = path.with_name("rwlock.new")
        new.write_text(json.dumps(locks))
        new.replace(path)


def _stop(*_: object) -> NoReturn:
    """End, and with it the command that DVC runs."""
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            child.terminate()
    sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    try:
        sys.exit(repro(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
