"""A bridge between DVC and Snakemake: dvc.yaml says what there is, Snakemake when it runs, DVC what is stale.

A Snakefile takes its rules from :class:`dvcrules.rules.Rules`, or includes :data:`EVERY_STAGE`.
"""

from pathlib import Path

EVERY_STAGE = str(Path(__file__).with_name("stages.smk"))  # one rule for each stage, to be included
