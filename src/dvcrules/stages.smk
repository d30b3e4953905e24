# A rule for each stage of every dvc.yaml. The Snakefile that includes this asks for what it wants.
from dvcrules.rules import Rules

DVC = Rules(workflow)


def run_through_dvc(stage):
    """Add the stage's rule: in a function, for the command is only looked up when a job runs."""

    rule:
        name:
            DVC.rule(stage)
        input:
            DVC.inputs(stage),
        output:
            DVC.outputs(stage),
        shell:
            DVC.repro(stage)


for stage in DVC.pipeline.stages:
    run_through_dvc(stage)
