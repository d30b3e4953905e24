# What every rule takes from dvc.yaml, and what all rules have alike.
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path("src").resolve()))  # this tree's packages, whatever the environment has

from dvcrules.pipeline import Pipeline
from dvcrules.stale import stale_jobs
from npvae.params import load_params

# a mistake in params.yaml ends here, in one sentence, before any job; the captions of the report read its values
config.update(load_params().model_dump(mode="json"))
PIPELINE = Pipeline(Path())
# asked once, by the process that plans: DVC looks at every file, Snakemake only at times and its own last run
STALE = stale_jobs(Path()) if workflow.is_main_process else frozenset()
NOW = Path(".dvc/tmp/now")  # newer than any output, and never the same: what makes Snakemake run a stale job
NOW.parent.mkdir(exist_ok=True)
NOW.write_text(str(time.time_ns()))


wildcard_constraints:
    model="[a-z]+",
    z="[0-9]+",
    point="[^/]+",


def inputs(stage):
    """What a rule's jobs wait for: the stage's dependencies; their times count for a stale job alone."""

    def of_job(wildcards):
        name = f"{PIPELINE.stages[stage].definition}:{PIPELINE.stages[stage].job.format(**wildcards)}"
        files = [path.format(**wildcards) for path in PIPELINE.inputs(stage)]
        return [*files, NOW] if name in STALE else [ancient(path) for path in files]

    return of_job


def outputs(stage):
    """Outputs of a stage, with Snakemake's wildcards; left in place, so that DVC sees which are right."""
    return [update(path) for path in PIPELINE.stages[stage].outs]


def job(stage):
    """What tells a stage's jobs apart, as part of a file's name: ``train-{model}-{z}``."""
    return PIPELINE.stages[stage].job.replace("@", "-")


def log_of(stage):
    """Where a job's output goes."""
    return f"results/logs/{job(stage)}.log"


def timing_of(stage):
    """Where Snakemake writes a job's time and memory."""
    return f"results/benchmarks/{job(stage)}.tsv"


def repro(stage):
    """The shell command that runs exactly this stage, or restores it from DVC's cache.

    Without the waiting, jobs that end together lose DVC's lock after 3 s and fail.
    """
    file = PIPELINE.stages[stage].definition
    job = PIPELINE.stages[stage].job.replace("{", "{wildcards.")
    return f"dvc --wait-for-lock repro --single-item '{file}:{job}' 2>&1 | tee {{log}}"
