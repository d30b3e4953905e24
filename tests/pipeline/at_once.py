"""Every command of a project's DAG in one process, which saves minutes of imports, and DVC's records of them.

``python -m tests.pipeline.at_once`` in its folder. The ledger is the one that the doors leave
(tests/pipeline/test_doors.py).
"""

import shlex
import sys
from collections import defaultdict
from collections.abc import Collection

import networkx
from dvc.repo import Repo
from dvc.repo.reproduce import get_active_graph

from npvae.cli import app

MINUTES = {"vampprior", "gplvm"}  # what each of these takes, however small the project is


def run(without: Collection[str] = (), record: bool = True) -> None:
    """Run the stages of the working directory's project, each after those that it depends on.

    Args:
        without: stages to leave out, besides those that take minutes. The results of frozen ones stay.
        record: in dvc.lock and DVC's cache too?
    """
    recorded = defaultdict(list)  # for each dvc.yaml
    with Repo() as repo, repo.lock:
        for stage in networkx.dfs_postorder_nodes(get_active_graph(repo.index.graph)):
            if stage.name.partition("@")[0] in MINUTES.union(without):
                continue
            commands = [stage.cmd] if isinstance(stage.cmd, str) else stage.cmd
            for command in [] if stage.frozen else commands:
                program, *arguments = shlex.split(command)
                assert program == "npvae"
                if arguments[0] != "prune":  # there is nothing to remove
                    app(arguments, standalone_mode=False)
            if record:
                # as `dvc repro`, which has no cached run of a stage whose results git holds
                stage.save(run_cache=all(out.use_cache or out.is_metric or out.is_plot for out in stage.outs))
                stage.commit()
                recorded[stage.path].append(stage)
        for stages in recorded.values():
            stages[0].dvcfile.dump_stages(stages, update_pipeline=False)  # parsing takes a second


if __name__ == "__main__":
    run(without=sys.argv[1:])
