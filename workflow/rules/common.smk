# What every rule takes from dvc.yaml.
from pathlib import Path

from npvae.params import load_params
from npvae.pipeline import Pipeline

load_params()  # a mistake in params.yaml ends here, in one sentence, before any job
PIPELINE = Pipeline(Path())


wildcard_constraints:
    model="[a-z]+",
    z="[0-9]+",
    point="[^/]+",


def inputs(stage):
    """Dependencies of a stage, with Snakemake's wildcards.

    A study's result that is there is a file like any other, named in full so that Snakemake finds no rule
    that makes it: new data, as in a fresh clone, must not set off a study.
    """
    if stage not in PIPELINE.default():
        return PIPELINE.inputs(stage)
    studied = set(PIPELINE.outputs(*PIPELINE.stages)) - set(PIPELINE.outputs(*PIPELINE.default()))
    there = {path: str(Path(path).resolve()) for path in studied if Path(path).exists()}
    return [there.get(path, path) for path in PIPELINE.inputs(stage)]


def outputs(stage):
    """Outputs of a stage, with Snakemake's wildcards."""
    return PIPELINE.stages[stage].outs


def repro(stage):
    """The shell command that runs exactly this stage, or restores it from DVC's cache.

    Without the waiting, jobs that end together lose DVC's lock after 3 s and fail.
    """
    file = PIPELINE.stages[stage].definition
    job = PIPELINE.stages[stage].job.replace("{", "{wildcards.")
    return f"dvc --wait-for-lock repro --single-item {file}:{job} 2>&1 | tee {{log}}"
