"""What a Snakefile takes from dvc.yaml."""

import atexit
import os
import re
import shlex
import socket
import sys
import time
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path

from snakemake.io import ancient, touch
from snakemake.ioflags import update
from snakemake.logging import logger
from snakemake.workflow import Workflow

from dvcrules.errors import BridgeError
from dvcrules.pipeline import MARKERS, Pipeline, Stage
from dvcrules.stale import stale_jobs
from dvcrules.turns import take

REPRO = Path(__file__).with_name("repro.py")
NOW = f"{MARKERS}/now"  # newer than any output, and never the same: what makes Snakemake run a stale job

InputFunction = Callable[[dict[str, str]], list[str]]


class Rules:
    """Inputs, outputs and commands for the rules of a Snakefile, each of which runs one stage through DVC.

    DVC decides what is stale: the process that plans asks it once, when it builds the graph of jobs. Times,
    and Snakemake's memory of its own last run, count for nothing. A mistake in the project ends Snakemake
    with a sentence.

    Args:
        workflow: Snakemake's own, which every Snakefile knows by this name; it runs in the project's root.
    """

    def __init__(self, workflow: Workflow) -> None:
        self._workflow = workflow
        try:
            self.pipeline = Pipeline(Path())
        except BridgeError as error:
            sys.exit(f"dvcrules: {error}")

    def targets(self, *stages: str) -> InputFunction:
        """The input of a rule that only asks for these stages' outputs, or those of all stages."""
        jobs = [job for name in stages or self.pipeline.stages for job in self._stage(name).jobs]

        def of_rule(_: dict[str, str]) -> list[str]:
            self._stale  # noqa: B018 - before Snakemake looks for files, for it may bring some back
            return [path for job in jobs for path in job.seen]

        return of_rule

    def inputs(self, stage: str) -> InputFunction:
        """The input of a stage's rule: what its jobs wait for, of no age unless DVC calls the job stale."""
        found = self._stage(stage)

        def of_job(wildcards: dict[str, str]) -> list[str]:
            job = found.find(wildcards)
            files = [*self.pipeline.inputs(job), NOW]
            # all of a stale job's count: behind a job that runs, Snakemake looks for no other reason
            return files if job.address in self._stale else [ancient(path) for path in files]

        return of_job

    def outputs(self, stage: str) -> list[str]:
        """The output of a stage's rule: its plots, metrics and other files, in this order.

        They stay where they are before a job, so that DVC sees which are right. A folder, and what persists,
        is left to DVC alone, without Snakemake's knowledge: a file in ``.dvc/tmp``, the last, stands for it.
        """
        found = self._stage(stage)
        outputs = [_constrained(pattern, found.values) for pattern in found.outs]
        return [touch(path) if path.startswith(MARKERS) else update(path) for path in outputs]

    def rule(self, stage: str) -> str:
        """A stage's name as that of a rule, such as ``sub_dvc_yaml_train`` for ``sub/dvc.yaml:train``."""
        return re.sub(r"\W+", "_", stage)

    def job(self, stage: str) -> str:
        """What tells a stage's jobs apart, as part of a file's name: ``train-{model}-{z}``."""
        found = self._stage(stage)
        return self.rule(stage) + found.job.removeprefix(found.name).replace("@", "-")

    def repro(self, stage: str) -> str:
        """The shell command that runs exactly this stage, or restores it from DVC's cache.

        Files of ``dvc add`` that it depends on are recorded with it. Where another DVC is at work on the same
        files, it waits. It takes the shell's place, as Snakemake restores the outputs of a job as soon as its
        shell is gone, and a DVC that outlived the shell would record them as what its command made. So no
        pipe may follow; a log is ``> >(tee {log}) 2>&1``.
        """
        found = self._stage(stage)
        literal, *parts = re.split(r"{(\w+)}", found.address)  # text and wildcards, in turns
        job = shlex.quote(literal)
        for wildcard, text in zip(parts[::2], parts[1::2], strict=True):
            job += f"{{wildcards.{wildcard}:q}}" + (shlex.quote(text) if text else "")
        targets = [*map(shlex.quote, self.pipeline.sources(found)), job]
        python = f"{shlex.quote(sys.executable)} -P {shlex.quote(str(REPRO))}"
        return f"exec {python} --single-item {' '.join(targets)}"

    def _stage(self, name: str) -> Stage:
        try:
            return self.pipeline[name]
        except BridgeError as error:
            sys.exit(f"dvcrules: {error}")

    @cached_property
    def _stale(self) -> frozenset[str]:
        """The jobs that DVC calls stale, after a real run has taken from the cache what is merely gone."""
        workflow = self._workflow
        Path(MARKERS).mkdir(parents=True, exist_ok=True)
        if not workflow.is_main_process:
            if not Path(NOW).exists():
                Path(NOW).touch()
            return frozenset()
        runs = workflow.executor_plugin is not None and not workflow.dryrun
        if runs and workflow.execution_settings.lock:
            self._take_turn()
        try:
            stale, restored = stale_jobs(self.pipeline, restore=runs and not workflow.touch)
        except BridgeError as error:
            sys.exit(f"dvcrules: {error}")
        if restored:
            logger.info(f"Restored from DVC's cache: {len(restored)} outputs")
        for job in (job for stage in self.pipeline.stages.values() for job in stage.jobs):
            if job.address in stale:
                _undo_the_future(job.shown)
            elif job.marker:
                Path(job.marker).parent.mkdir(parents=True, exist_ok=True)
                Path(job.marker).touch()
        Path(NOW).write_text(str(time.time_ns()))
        return stale

    def _take_turn(self) -> None:
        """Wait for another Snakemake at work here, and clear Snakemake's lock of one that was killed.

        The file of the turn names who has it, and nobody once they have ended by themselves.
        """
        waited = []

        def waiting(holder: str) -> None:
            logger.info(f"Waiting for the Snakemake that is at work here ({holder})")
            waited.append(holder)

        turn = take(Path(MARKERS) / "snakemake.lock", waiting)
        if turn is None:
            return
        host, persistence = socket.gethostname(), self._workflow.persistence
        turn.seek(0)
        if turn.read().startswith(f"{host} "):
            logger.info("Cleared the lock of a Snakemake that was killed")
            persistence.cleanup_locks()
        (persistence.path / "locks").mkdir(exist_ok=True)  # which goes with the locks of whoever unlocks
        turn.truncate(0)
        turn.write(f"{host} {os.getpid()}")
        turn.flush()
        atexit.register(turn.truncate, 0)
        if waited:  # the ledger is another one now
            self.pipeline = Pipeline(Path())


def _constrained(pattern: str, values: dict[str, tuple[str, ...]]) -> str:
    """A pattern that matches no other values of its wildcards than those of dvc.yaml."""
    for wildcard, texts in values.items():
        regex = "|".join(map(re.escape, texts))
        pattern = pattern.replace(f"{{{wildcard}}}", f"{{{wildcard},{regex}}}", 1)
    return pattern


def _undo_the_future(paths: Iterable[str]) -> None:
    """Make files that a wrong clock dated later than now as old as now, or no input would be newer."""
    now = time.time()
    for path in map(Path, paths):
        if path.exists() and path.stat().st_mtime > now:
            path.touch()
