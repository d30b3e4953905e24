"""What DVC calls stale, for Snakemake, which knows only times and its own last run."""

from typing import Any

import networkx
from dvc.lock import LockError
from dvc.repo.reproduce import get_active_graph
from dvc.stage import PipelineStage, Stage

from dvcrules.errors import one_sentence
from dvcrules.pipeline import Pipeline
from dvcrules.repro import mend


def stale_jobs(pipeline: Pipeline, restore: bool = False) -> tuple[frozenset[str], list[str]]:
    """The jobs, by address, that DVC would not find up to date, and all that depend on them.

    Missing outputs count, as do changed ones: DVC looks at the files themselves. A frozen stage depends on
    nothing, as in ``dvc repro``. What another DVC is at work on is stale.

    Args:
        pipeline: of the project.
        restore: first take from the cache what is gone of jobs that are otherwise up to date. Nothing that
            is there is touched.

    Returns:
        The stale jobs, and the paths that were restored.

    Raises:
        BridgeError: DVC can't tell.
    """
    stale: set[Stage] = set()
    restored: list[str] = []
    mend()
    with one_sentence(), pipeline.repo.lock:
        graph = get_active_graph(pipeline.repo.index.graph)  # from a stage to those that it depends on
        for stage in networkx.dfs_postorder_nodes(graph):  # these first: what they restore, it may need
            try:
                status = stage.status().get(stage.addressing)
                if restore and status and _is_merely_gone(stage, status):
                    restored += stage.checkout(allow_missing=True).get("added", [])
                    status = stage.status().get(stage.addressing)
            except LockError:
                status = ["busy"]
            if status or any(other in stale for other in graph.successors(stage)):
                stale.add(stage)
    addresses = {job.stage: job.address for stage in pipeline.stages.values() for job in stage.jobs}
    return frozenset(addresses[stage] for stage in stale if isinstance(stage, PipelineStage)), restored


def _is_merely_gone(stage: Stage, status: list[Any]) -> bool:
    """Is all that DVC says of a stage that outputs are missing which the ledger records?"""
    match status:
        case [{"changed outs": outs}]:
            return set(outs.values()) == {"deleted"} and all(out.hash_info for out in stage.outs)
    return False
