# What every rule takes from dvc.yaml, and what all rules have alike.
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path("src").resolve()))  # this tree's packages, whatever the environment has

from dvcrules.rules import Rules
from npvae.params import load_params

if config:
    sys.exit("snakemake --config: nothing is taken from there; edit params.yaml")
# a mistake in params.yaml ends here, in one sentence, before any job; the report's captions read its values
config.update(load_params().model_dump(mode="json"))
for target in sys.argv:
    if (named := re.search(r"(?:vae|advised)-z(\d+)", target)) and int(named[1]) not in config["z_dims"]:
        sys.exit(f"{target}: add {named[1]} to z_dims in params.yaml, which are {config['z_dims']}")
DVC = Rules(workflow)


def inputs(stage):
    """What a rule's jobs wait for."""
    return DVC.inputs(stage)


def outputs(stage):
    """Outputs of a stage, with Snakemake's wildcards: plots first, then metrics."""
    return DVC.outputs(stage)


def log_of(stage):
    """Where a job's output goes."""
    return f"results/logs/{DVC.job(stage)}.log"


def timing_of(stage):
    """Where Snakemake writes a job's time and memory."""
    return f"results/benchmarks/{DVC.job(stage)}.tsv"


def repro(stage):
    """The shell command that runs exactly this stage, or restores it from DVC's cache."""
    return f"{DVC.repro(stage)} > >(tee {{log}}) 2>&1"
