"""What DVC calls stale, for Snakemake, which knows only times and its own last run."""

from pathlib import Path

import networkx
from dvc.repo import Repo


def stale_jobs(root: Path) -> frozenset[str]:
    """The jobs, as ``dvc.yaml:name``, that DVC would not find up to date, and all that depend on them.

    Missing outputs count, as do changed ones: DVC looks at the files themselves. Takes about two seconds.
    """
    with Repo(str(root), _wait_for_lock=True) as repo:
        named = repo.status()
        graph = repo.index.graph  # from a stage to those that it depends on
        stale = {stage for stage in graph if stage.addressing in named}
        stale |= {user for stage in stale for user in networkx.ancestors(graph, stage)}
        return frozenset(f"{Path(stage.path_in_repo).as_posix()}:{stage.name}" for stage in stale)
