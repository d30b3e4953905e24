"""A real Slurm on this machine alone, with a munge of its own, that ends with what started it.

``python -m tests.slurm.cluster`` starts one to try things by hand, until it is interrupted.
"""

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock

CONFIGURATION = Path("/etc/slurm")  # Snakemake's plugin drops SLURM_CONF from the environment of a job
OURS = "# npvae's tests wrote this file, and remove it\n"
NEEDED = ("slurmctld", "slurmd", "munged", "bindfs", "unshare", "setpriv")
CPUS = 2  # of each node, whatever the machine has

SLURM = """\
ClusterName=npvae
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthInfo=socket={folder}/munge/socket
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdSpoolDir={folder}/spool-%n
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
GresTypes=gpu
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MinJobAge=86400
KillWait=5
ReturnToService=2
"""


class Node(NamedTuple):
    """A machine of the cluster: this one, or one with a name, processes and mounts of its own.

    Args:
        name: Slurm's; a node apart has it as its host's name too.
        port: of its slurmd.
        apart: has it process numbers of its own, and sees the shared folder through a file system in which
            ``flock`` holds on this node alone?
    """

    name: str
    port: int
    apart: bool


def missing() -> str:
    """What must be there before a cluster can be started, in one sentence; empty if all of it is."""
    absent = [program for program in NEEDED if shutil.which(program, path=_path()) is None]
    if absent:
        return f"no {', '.join(absent)}: apt-get install slurm-wlm munge bindfs"
    if os.geteuid() != 0:
        return f"Slurm's configuration goes to {CONFIGURATION}, which takes root"
    for name in ("slurm.conf", "gres.conf"):
        file = CONFIGURATION / name
        if file.exists() and not file.read_text().startswith(OURS):
            return f"{file}: a cluster is configured on this machine already"
    return ""


@contextmanager
def cluster(shared: Path, private: tuple[Path, ...] = ()) -> Iterator[None]:
    """A Slurm while the context lasts: partition ``here`` (this machine) and ``apart`` (two nodes).

    Its daemons are this process's children and die with it, also where it is killed. A configuration that
    a killed one left is replaced.

    Args:
        shared: the folder that the nodes apart have in common with this machine.
        private: folders that each of them has for itself.

    Raises:
        RuntimeError: a daemon doesn't start; the message has its log.
    """
    nodes = [Node(name, _free_port(), name != "here") for name in ("here", "left", "right")]
    with ExitStack() as stack:
        stack.enter_context(FileLock(Path(tempfile.gettempdir()) / "npvae-slurm.lock"))  # one at a time
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="npvae-slurm-")))
        folder.chmod(0o755)
        for name in ("munge", "state", "log", *(f"spool-{node.name}" for node in nodes)):
            (folder / name).mkdir()
        stack.enter_context(_configuration(_files(folder, nodes)))
        key = folder / "munge/key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        files = [f"--{name}-file={folder}/munge/{name}" for name in ("key", "pid", "log", "seed")]
        munged = ["munged", "--force", "--foreground", f"--socket={folder}/munge/socket", *files]
        stack.enter_context(_daemon(folder, "munged", munged))
        stack.enter_context(_daemon(folder, "slurmctld", ["slurmctld", "-D", "-i"]))
        for node in nodes:
            command = ["slurmd", "-D"]
            if node.apart:
                command = _apart(folder, node.name, command, shared, private)
            stack.enter_context(_daemon(folder, node.name, command))
        _wait_until_idle(folder, len(nodes))
        try:
            yield
        finally:
            _cancel()


def _files(folder: Path, nodes: list[Node]) -> dict[str, str]:
    """Slurm's configuration: file names and their text."""
    host = socket.gethostname()
    lines = [SLURM.format(host=host, port=_free_port(), folder=folder)]
    for node in nodes:
        name = f"NodeName={node.name} NodeHostname={node.name if node.apart else host}"
        lines.append(
            f"{name} NodeAddr=127.0.0.1 Port={node.port} CPUs={CPUS} RealMemory=64000 Gres=gpu:{CPUS}\n"
        )
    apart = ",".join(node.name for node in nodes if node.apart)
    lines.append("PartitionName=here Nodes=here Default=YES\n")
    lines.append(f"PartitionName=apart Nodes={apart}\n")
    for i in range(CPUS):
        (folder / f"gpu{i}").touch()  # in the place of a device
    gres = f"Name=gpu File={folder}/gpu[0-{CPUS - 1}]\n"
    return {"slurm.conf": OURS + "".join(lines), "gres.conf": OURS + gres}


@contextmanager
def _configuration(files: dict[str, str]) -> Iterator[None]:
    """Slurm's configuration files, where there were none."""
    reason = missing()
    if reason:
        raise RuntimeError(reason)
    made = not CONFIGURATION.exists()
    CONFIGURATION.mkdir(exist_ok=True)
    try:
        for name, text in files.items():
            (CONFIGURATION / name).write_text(text)
        yield
    finally:
        for name in files:
            (CONFIGURATION / name).unlink(missing_ok=True)
        if made:
            CONFIGURATION.rmdir()


@contextmanager
def _daemon(folder: Path, name: str, command: list[str]) -> Iterator[None]:
    """A process in the foreground that is killed when this one dies, and when the context ends."""
    log = folder / "log" / name
    with log.open("w") as file:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command],
            env=os.environ | {"PATH": _path()},
            stdout=file,
            stderr=file,
            stdin=subprocess.DEVNULL,
        )
    try:
        time.sleep(0.5)
        if process.poll() is not None:
            raise RuntimeError(f"{name} ended at once:\n{log.read_text()[-2000:]}")
        yield
    finally:
        process.kill()
        process.wait()


def _apart(folder: Path, name: str, command: list[str], shared: Path, private: tuple[Path, ...]) -> list[str]:
    """A command with a host's name, process numbers and mounts of its own; killed, it takes all along.

    The shared folder is seen through FUSE, where the kernel keeps ``flock`` to the mount: what another node
    locks is not seen, as on NFS without a lock service. What another node writes is seen at once.
    """
    options = "attr_timeout=0,entry_timeout=0,negative_timeout=0"
    place = shlex.quote(str(shared))
    (folder / "hosts").write_text("127.0.0.1 localhost left right\n")
    steps = [
        f"hostname {name}",
        f"mount --bind {folder}/hosts /etc/hosts",
        f"bindfs -o {options} {place} {place}",
    ]
    steps += [f"mount -t tmpfs tmpfs {shlex.quote(str(path))}" for path in private]
    steps.append(f"exec {shlex.join(command)}")
    unshare = ["unshare", "--pid", "--uts", "--mount", "--mount-proc", "--kill-child"]
    return [*unshare, "sh", "-ec", "\n".join(steps)]


def _wait_until_idle(folder: Path, nodes: int) -> None:
    """Until all nodes have registered."""
    states = ""
    for _ in range(60):
        done = subprocess.run(["sinfo", "-hN", "-o", "%T"], capture_output=True, text=True)
        states = done.stdout + done.stderr
        if done.stdout.split() == ["idle"] * nodes:
            return
        time.sleep(0.5)
    logs = "\n".join(f"{file.name}: {file.read_text()[-1000:]}" for file in (folder / "log").iterdir())
    raise RuntimeError(f"the nodes did not come up: {states}\n{logs}")


def _cancel() -> None:
    """End all jobs, which would outlive their node's daemon."""
    subprocess.run(["scancel", "--user", "root"], check=False)
    for _ in range(60):
        if not subprocess.run(["squeue", "--noheader"], capture_output=True, text=True).stdout:
            return
        time.sleep(0.5)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _path() -> str:
    """Where programs are: Debian's daemons are in folders that a user may not have in the path."""
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"


if __name__ == "__main__":
    if sentence := missing():
        sys.exit(sentence)
    with cluster(Path.cwd()):
        print("Slurm runs: try sinfo; Ctrl-C ends it")
        try:
            signal.pause()
        except KeyboardInterrupt:
            print("ended")
