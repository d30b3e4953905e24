"""``dvc repro`` that waits for another DVC at work on the same files, where DVC itself fails.

The rules of a Snakefile run this file by its path, so it imports nothing from beside it.
"""

import contextlib
import fcntl
import json
import logging
import re
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

import psutil
from dvc.lock import LockError
from dvc.repo import Repo
from dvc.rwlock import RWLockFileCorruptedError, RWLockFileFormatError

PATIENCE = 24 * 60 * 60  # seconds
FAILURES = (LockError, RWLockFileCorruptedError, RWLockFileFormatError)


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
    """Keeps back what DVC says where a lock is why it fails, and remembers it."""

    reason = ""

    def filter(self, record: logging.LogRecord) -> bool:
        """Is it about anything else?"""
        error = record.exc_info[1] if record.exc_info else None
        while error and not isinstance(error, FAILURES):
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
    from dvc.cli import main

    lock, waited, start, pause = Lock(), False, time.monotonic(), 1
    for handler in logging.getLogger("dvc").handlers:
        handler.addFilter(lock)
    while True:
        lock.reason = ""
        with at_work():
            code = main(["--wait-for-lock", "repro", *arguments])
        if not code or not lock.reason:
            return code
        found = re.findall(r"^  \(PID (\d+)\): (.*)$", lock.reason, flags=re.MULTILINE)
        blockers = [Blocker(int(pid), command) for pid, command in found]
        busy = [blocker for blocker in blockers if blocker.is_at_work()]
        if busy and not waited:
            pid, command = busy[0]
            _say(f"{lock.reason.partition(' is busy')[0]}: waiting for process {pid} ({command})")
            waited = True
        if blockers and not busy:
            forget(blockers)
        mend()
        # a blocker may end, or go on to other files: the lock tells only by another try, which takes a second
        again = time.monotonic() + pause
        pause = min(2 * pause, 60)
        time.sleep(0.5)
        while any(blocker.is_at_work() for blocker in busy) and time.monotonic() < again:
            time.sleep(0.5)
        if time.monotonic() - start > PATIENCE:
            _say(f"waited for {PATIENCE // 3600} hours: {lock.reason}")
            return code


def forget(dead: Sequence[Blocker]) -> None:
    """Take processes that are gone from DVC's read-write lock.

    DVC does so itself, unless another process has the number of the dead one now.
    """
    path = _file("rwlock")
    with Repo(_wait_for_lock=True) as repo, repo.lock:  # under which alone DVC changes the file
        if not _is_whole(path):
            return
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


@contextlib.contextmanager
def at_work() -> Iterator[None]:
    """For the time in which entries of this process may be in DVC's read-write lock."""
    with (
        _file("dvcrules/at-work").open("a") as file,
        contextlib.suppress(OSError),
    ):  # where there are no locks
        fcntl.flock(file, fcntl.LOCK_SH)
        try:
            yield
        finally:  # closing it is not enough: DVC forks a daemon, which has the file too
            fcntl.flock(file, fcntl.LOCK_UN)


def mend() -> bool:
    """Remove DVC's read-write lock where a killed DVC left it empty or torn, unless another is at work here.

    Returns:
        Is it whole, or not there?
    """
    path = _file("rwlock")
    if _is_whole(path):
        return True
    with _file("dvcrules/at-work").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        for process in psutil.process_iter(["cmdline", "cwd"]):
            words = [Path(word).name for word in (process.info["cmdline"] or [])[:3]]
            if "dvc" in words and Path(process.info["cwd"] or "/").is_relative_to(path.parents[2]):
                return False
        with Repo(_wait_for_lock=True) as repo, repo.lock:
            if not _is_whole(path):  # still, and nobody is writing it
                path.unlink()
    return True


def _file(name: str) -> Path:
    """A file in ``.dvc/tmp``, whose folder is there."""
    path = Path(Repo.find_dvc_dir(), "tmp", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _is_whole(path: Path) -> bool:
    """Is a file JSON of a mapping, or not there?"""
    try:
        return isinstance(json.loads(path.read_text()), dict)
    except FileNotFoundError:
        return True
    except ValueError:
        return False


def _say(sentence: str) -> None:
    print(f"dvcrules: {sentence}", file=sys.stderr, flush=True)


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
