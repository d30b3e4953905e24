"""The command line: one subcommand for each stage of dvc.yaml, each a thin shell over plain functions.

Every command imports what it runs inside its body: ``npvae --help`` needs no torch, and a stage depends on
no other stage's modules.
"""

import errno
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

import npvae
from dvcrules.turns import alone
from npvae.cli import (
    advise,
    claims,
    classifier,
    comparators,
    data,
    explorer,
    export,
    figures,
    gplvm,
    measure,
    onnx,
    pipeline,
    summary,
    sweep,
    train,
    vampprior,
)
from npvae.errors import NpvaeError

# One thread a job unless told otherwise: the last bits of some sums depend on the number, and both front
# doors must give the same ones. Snakemake tells (a rule's threads), and runs jobs side by side instead.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Figures are files; a notebook hands its own backend down to commands, which may not have it installed
os.environ["MPLBACKEND"] = "agg"


# by the system, of a file
_REFUSALS = {
    errno.EACCES,
    errno.EROFS,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
}


def _version(wanted: bool) -> None:
    if wanted:
        print(f"npvae {version('npvae')}")
        raise typer.Exit


app = typer.Typer(
    help="Nonparametric inference for auto-encoding variational Bayes: the paper's stages, one by one.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # to which the [z] of E[z] is markup
)


@app.callback()
def _main(
    wanted: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Show the version, and end.")
    ] = False,
) -> None:
    pass


for command in (
    data.data,
    train.train,
    train.replicate,
    advise.advise,
    advise.advise_replicates,
    export.embed,
    export.interpolate,
    export.generate,
    classifier.classifier,
    measure.real,
    measure.measure,
    summary.summary,
    comparators.comparators,
    vampprior.vampprior,
    gplvm.gplvm,
    claims.claims,
    sweep.sweep_point,
    sweep.sweep,
    figures.figure_data,
    figures.figure1,
    figures.figure2,
    figures.figure3,
    figures.figure4,
    claims.evidence,
    claims.claims_page,
    explorer.explorer_part,
    explorer.explorer,
    onnx.onnx,
    pipeline.params,
    pipeline.schema,
    pipeline.prune,
    pipeline.check,
    pipeline.compare,
    pipeline.docs,
    pipeline.trace,
    pipeline.verify,
    pipeline.crate,
):
    app.command()(command)


def main() -> None:
    """Run the command line; an error that the user can mend ends it with one sentence."""
    _run_this_trees_package()
    alone()
    try:
        app(prog_name="npvae")
    except NpvaeError as error:
        sys.exit(f"npvae: {error}")
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        where = f"{error.filename}: " if error.filename else ""  # pyarrow names the file in its reason
        sys.exit(f"npvae: {where}{str(error.strerror).lower()}")
    except (MemoryError, RuntimeError) as error:
        if not (sentence := _out_of_memory(error)):
            raise
        sys.exit(f"npvae: {sentence}")


def _out_of_memory(error: Exception) -> str | None:
    """What to do about it, if it is that; torch tells by the text alone of a CPU's."""
    if type(error).__name__ == "OutOfMemoryError":
        return "the GPU is out of memory; free some of it, or run on the CPU: CUDA_VISIBLE_DEVICES= npvae ..."
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        return "out of memory; run fewer jobs at once (--cores), or with fewer images (data.train_images)"
    return None


def _run_this_trees_package() -> None:
    """Where the working directory has a source of its own, run that, whichever the environment has installed.

    The ledger records the source that lies in the tree: in a second clone, a worktree or an experiment's
    temporary copy, another tree's package must not make the results.
    """
    here = Path("src").resolve()
    running = Path(npvae.__path__[0]).resolve().parent
    if (here / "npvae" / "cli").is_dir() and here != running:
        if os.environ.get("PYTHONPATH", "").split(os.pathsep)[0] == str(here):
            sys.exit(f"npvae: the package that runs is {running}, and not this tree's, {here}")
        if os.pathsep in str(here):
            sys.exit(f"npvae: {here}: a '{os.pathsep}' in a folder's name parts the list of paths; rename it")
        paths = [str(here), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
        command = [sys.executable, "-P", "-c", "from npvae.cli import main; main()", *sys.argv[1:]]
        os.execve(sys.executable, command, environment)
