"""Why jobs on several nodes may write into one ledger: docs/cluster.md."""

import re
import subprocess
from itertools import permutations

import networkx
import pytest
from dvc.repo import Repo

from dvcrules.pipeline import Pipeline

STAGES = [f"{node}{i}" for node in (0, 1) for i in range(8)]


def test_jobs_that_may_run_at_once_have_no_file_that_one_of_them_writes(root):
    # DVC's read-write lock knows the processes of one machine only: between two it must not be needed
    graph = Pipeline(root).repo.index.graph
    paths = {
        stage: (
            [f"{out.fs_path}/" for out in stage.outs],
            [f"{file.fs_path}/" for file in [*stage.outs, *stage.deps]],
        )
        for stage in graph
    }
    before = {stage: networkx.descendants(graph, stage) for stage in graph}
    for one, other in permutations(graph, 2):
        if one not in before[other] and other not in before[one]:
            for written in paths[one][0]:
                for touched in paths[other][1]:
                    assert not written.startswith(touched), (one, other)
                    assert not touched.startswith(written), (one, other)


@pytest.mark.slurm
@pytest.mark.parametrize(("partition", "says"), [("here", "seen"), ("apart", "not seen")])
def test_a_lock_of_this_machine_on_a_node(slurm, root, tmp_path, partition, says):
    command = re.search(r"^ +(flock .*)$", (root / "docs/cluster.md").read_text(), flags=re.MULTILINE)[1]
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    done = subprocess.run(
        command.replace("srun", f"srun -p {partition}"),
        shell=True,
        cwd=tmp_path,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert done.stdout == f"{says}\n"


@pytest.mark.slurm
def test_two_nodes_record_sixteen_stages_at_once(slurm, tmp_path):
    stage = "{cmd: 'echo ${item} > ${item}', outs: ['${item}']}"
    (tmp_path / "dvc.yaml").write_text(f"stages: {{s: {{foreach: {STAGES}, do: {stage}}}}}")
    Repo.init(str(tmp_path), no_scm=True)
    command = "dvc config core.hardlink_lock true"
    subprocess.run(command, shell=True, cwd=tmp_path, check=True)
    each = "dvc --wait-for-lock repro --quiet --single-item s@$SLURM_PROCID$i || touch failed"
    script = f"for i in {' '.join(map(str, range(8)))}; do ({each}) & done; wait"
    subprocess.run(["srun", "-p", "apart", "-N2", "sh", "-c", script], cwd=tmp_path, check=True)
    assert not (tmp_path / "failed").exists()
    with Repo(str(tmp_path)) as repo:
        assert {stage.name for stage in repo.index.stages if stage.outs[0].hash_info} == {
            f"s@{name}" for name in STAGES
        }
        assert not repo.status()
