"""The cases: plain functions from ``quick`` to timings, each run in a process of its own."""

from collections.abc import Callable
from typing import NamedTuple

from benchmarks import classes
from benchmarks.cases import limits, million, pipeline, prediction, scaling, training
from benchmarks.measure import Timing


class Case(NamedTuple):
    """A case and when it runs.

    Args:
        run: does it; ``quick`` asks for a smoke test.
        repeated: whether it runs once a round, because a goal compares it with another case.
        default: whether it runs unless asked otherwise.
        by_class: whether it runs once for each class of CPU, or else as the CPU is.
        gpu: whether it runs on a GPU.
    """

    run: Callable[[bool], list[Timing]]
    repeated: bool = False
    default: bool = True
    by_class: bool = False
    gpu: bool = False

    @property
    def classes(self) -> list[str]:
        """Those that it runs in."""
        if self.gpu:
            return [classes.GPU]
        return classes.wanted() if self.by_class else [classes.native()]


CASES = {
    "limits": Case(limits.cpu, repeated=True, by_class=True),
    "ours": Case(training.all_threads, repeated=True, by_class=True),
    "side-by-side": Case(training.side_by_side, repeated=True, by_class=True),
    "dataloader": Case(training.data_loader, repeated=True, by_class=True),
    "in-memory": Case(training.in_memory, repeated=True, by_class=True),
    "pythae": Case(training.pythae, repeated=True, by_class=True),
    "prediction": Case(prediction.against_keops, repeated=True),
    "prediction-scaling": Case(prediction.scaling),
    "scaling-z": Case(scaling.z, by_class=True),
    "scaling-batch": Case(scaling.batch, by_class=True),
    "scaling-seeds": Case(scaling.seeds, by_class=True),
    "million": Case(million.million, default=False),
    "start-up": Case(pipeline.start_up),
    "nothing-to-do": Case(pipeline.nothing_to_do),
    "restoring": Case(pipeline.restoring),
    "whole-run": Case(pipeline.whole_run, default=False, by_class=True),
    "gpu-limits": Case(limits.gpu, repeated=True, gpu=True),
    "gpu-ours": Case(training.gpu_ours, repeated=True, gpu=True),
    "gpu-dataloader": Case(training.gpu_data_loader, repeated=True, gpu=True),
    "gpu-scaling": Case(scaling.gpu, gpu=True),
}
