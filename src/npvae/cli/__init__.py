"""The command line: one subcommand a stage of dvc.yaml, each a thin shell over plain functions.

Every command imports what it runs inside its body: ``npvae --help`` needs no torch, and a stage depends on
no other stage's modules.
"""

import os
import sys

import typer

from npvae.cli import claims, data, evaluate, export, figures, measure, pipeline, sweep, train
from npvae.errors import NpvaeError

# One thread a job unless told otherwise: the last bits of some sums depend on the number, and both front
# doors must give the same ones. Snakemake tells (a rule's threads), and runs jobs side by side instead.
os.environ.setdefault("OMP_NUM_THREADS", "1")

app = typer.Typer(
    help="Nonparametric inference for auto-encoding variational Bayes: the paper's stages, one by one.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    data.data,
    train.train,
    train.replicate,
    export.embed,
    export.interpolate,
    export.generate,
    evaluate.evaluate,
    measure.judge,
    measure.measure,
    measure.comparators,
    claims.claims,
    sweep.sweep_point,
    sweep.sweep,
    figures.figure1,
    figures.figure2,
    figures.figure3,
    figures.figure4,
    claims.evidence,
    pipeline.params,
    pipeline.prune,
    pipeline.check,
):
    app.command()(command)


def main() -> None:
    """Run the command line; an error that the user can mend ends it with one sentence."""
    try:
        app()
    except NpvaeError as error:
        sys.exit(f"npvae: {error}")
