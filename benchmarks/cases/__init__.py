"""The cases: plain functions from ``quick`` to timings, each run in a process of its own."""

from collections.abc import Callable
from typing import NamedTuple

from benchmarks.cases import limits, pipeline, prediction, scaling, training
from benchmarks.measure import Timing


class Case(NamedTuple):
    """A case and when it runs.

    Args:
        run: does it; ``quick`` asks for a smoke test.
        repeated: whether it runs once a round, because a goal compares it with another case.
        default: whether it runs unless asked otherwise.
    """

    run: Callable[[bool], list[Timing]]
    repeated: bool = False
    default: bool = True


CASES = {
    "limits": Case(limits.cpu, repeated=True),
    "ours": Case(training.all_threads, repeated=True),
    "side-by-side": Case(training.side_by_side, repeated=True),
    "dataloader": Case(training.data_loader, repeated=True),
    "in-memory": Case(training.in_memory, repeated=True),
    "pythae": Case(training.pythae, repeated=True),
    "prediction": Case(prediction.against_keops, repeated=True),
    "prediction-scaling": Case(prediction.scaling),
    "scaling-z": Case(scaling.z),
    "scaling-batch": Case(scaling.batch),
    "scaling-seeds": Case(scaling.seeds),
    "start-up": Case(pipeline.start_up),
    "nothing-to-do": Case(pipeline.nothing_to_do),
    "restoring": Case(pipeline.restoring),
    "whole-run": Case(pipeline.whole_run, default=False),
    "gpu-limits": Case(limits.gpu, repeated=True),
    "gpu-ours": Case(training.gpu_ours, repeated=True),
    "gpu-dataloader": Case(training.gpu_data_loader, repeated=True),
    "gpu-scaling": Case(scaling.gpu),
}
