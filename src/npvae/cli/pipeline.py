"""``npvae params``, ``schema``, ``prune``, ``check``, ``compare``, ``trace``, ``verify``, ``crate``."""

import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from npvae.cli.options import DEFAULT_PARAMS, ParamsFile
from npvae.errors import NpvaeError


def params(params: ParamsFile = DEFAULT_PARAMS) -> None:
    """Check the parameter file."""
    from npvae.params import load_params

    load_params(params)
    print(f"{params}: valid")


def schema() -> None:
    """Print the JSON schema of the parameter file, which params.schema.json holds for editors."""
    import json

    from npvae.params import schema

    print(json.dumps(schema(), indent=2))


def prune(
    definition: Annotated[
        str, typer.Option(help="The dvc.yaml whose stages are meant; others stay.")
    ] = "dvc.yaml",
) -> None:
    """Remove what stages made for other parameters, as the ledger knows it, and those records in the ledger.

    Without it, a stage that depends on a folder would see files of Z dimensions that nobody asks for now.
    What the ledger doesn't know, or what was changed since, is left.
    """
    from dvcrules.prune import prune

    with _of_the_project():
        pruned = prune(Path.cwd(), definition)
    for path in pruned.removed:
        print(f"prune: removed {path}", file=sys.stderr)
    for path in pruned.left:
        print(f"prune: left {path}, which is not as it was made, or is a folder", file=sys.stderr)


def check() -> None:
    """Check that every figure and metric that dvc.yaml declares is there, whole and up to date.

    Needs neither DVC's cache nor the checkpoints: dvc.lock is compared with the tree. Results of studies that
    were made before a change are named, and are no error.
    """
    from npvae.provenance.check import check

    problems, older = check(_root())
    for study in sorted({line.partition(":")[0] for line in older}):
        print(f"check: older than this tree, as no default run makes it: {study}", file=sys.stderr)
    for problem in problems:
        print(f"check: {problem}", file=sys.stderr)
    if problems:
        raise NpvaeError(f"{len(problems)} artefacts or records are not up to date; run `dvc repro`")
    print("check: every figure and metric is up to date")


def compare(
    old: Annotated[str, typer.Argument(help="Results before: a folder, or a revision of git such as HEAD.")],
    new: Annotated[str, typer.Argument(help="Results after: the same.")] = "results",
    page: Annotated[Path | None, typer.Option(help="HTML file to write, with pictures.")] = None,
    summary: Annotated[Path | None, typer.Option(help="Markdown file to append the summary to.")] = None,
    same: Annotated[bool, typer.Option("--same", help="Fail where a figure differs.")] = False,
) -> None:
    """Show which figures, numbers and verdicts differ between two states of the results.

    A figure differs if its pixels do by more than another machine would make them.
    """
    from npvae.files import write_atomically
    from npvae.provenance import compare as room

    with _results(old) as before, _results(new) as after:
        comparison = room.compare(before, after)
    if not comparison.compared:
        raise NpvaeError(f"{old} and {new}: no figures in either; name folders such as results")
    text = room.summary(comparison)
    print(text, end="")
    if summary:
        with summary.open("a") as file:
            file.write(text)
    if page:
        write_atomically(page, room.page(comparison, old, new))
    if same and comparison.figures:
        names = ", ".join(figure.name for figure in comparison.figures)
        raise NpvaeError(f"{names}: not the figure of {old}")


def docs(
    files: Annotated[list[Path], typer.Argument(help="Documents that quote results (Markdown).")],
) -> None:
    """Fill the numbers that documents quote from the results."""
    from npvae.files import reading, write_atomically
    from npvae.provenance.quotes import filled

    root = _root()
    for file in files:
        with reading(file, "a document"):
            text = file.read_text()
        write_atomically(file, filled(text, root))


def trace(file: Annotated[Path, typer.Argument(help="A result: a figure, a table, a checkpoint.")]) -> None:
    """Show where a file comes from: command, parameters, sources and machine of each job behind it.

    The ledger knows: neither DVC's cache nor the checkpoints need to be there.
    """
    from rich.console import Console

    from npvae.provenance.trace import trace

    root, path = _root(), file.resolve()
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(file)
    console = Console()
    if not console.is_terminal:
        console.width = 10_000  # a tree is cut off at the width, and a file has none
    with _of_the_project():
        tree = trace(root, name)
    console.print(tree)


def verify(
    rerun: Annotated[
        str | None,
        typer.Option(help="Make this job again instead, such as embed@vae-2."),
    ] = None,
) -> None:
    """Follow the chain from the data to the figures, and name the first link that is broken.

    Records, parameters, sources and files are compared as by `npvae check`; then every result whose inputs
    git holds is made again in a temporary folder. Needs no cache, and trains nothing.
    """
    from npvae.provenance.ledger import Ledger
    from npvae.provenance.verify import broken_links, remade

    root = _root()
    with _of_the_project():
        if rerun is None:
            if first := next(broken_links(root), None):
                raise NpvaeError(first)
            print("verify: every link holds, from the data to the figures")
            return
        job = Ledger(root).jobs.get(rerun)
        if job is None:
            raise NpvaeError(f"{rerun}: no such job in the ledger; `dvc stage list` names them")
        if differences := list(remade(root, job)):
            raise NpvaeError("; ".join(differences))
    print(f"verify: {rerun}, made again, gives the same")


def crate(
    output: Annotated[Path, typer.Option(help="Folder to make.")],
) -> None:
    """Export the committed run as a Workflow Run RO-Crate: results, and the jobs behind them, to the data.

    Needs the package rocrate, and neither DVC's cache nor the checkpoints.
    """
    from dvcrules.pipeline import Pipeline
    from npvae.provenance.crate import write_crate

    root = _root()
    with _of_the_project():
        Pipeline(root)  # a dvc.yaml that DVC cannot read is nothing to export
        write_crate(root, output)


def _root() -> Path:
    """The project that the working directory lies in."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / ".dvc").is_dir():
            return folder
    raise NpvaeError(f"{here}: no DVC project here, nor in a folder above; run it in the project's folder")


@contextmanager
def _of_the_project() -> Iterator[None]:
    """What DVC or the bridge finds wrong with the project, in one sentence."""
    from dvcrules.errors import BridgeError, one_sentence

    try:
        with one_sentence():
            yield
    except BridgeError as error:
        raise NpvaeError(str(error)) from error


@contextmanager
def _results(where: str) -> Iterator[Path]:
    """The folder, or a copy of it as it was at a revision."""
    if Path(where).is_dir():
        yield Path(where)
        return
    if where.startswith("-"):  # git would take it for an option
        raise NpvaeError(f"{where}: neither a folder nor a revision with results")
    top = subprocess.run(
        ["git", "rev-parse", "--show-toplevel"], capture_output=True, text=True
    ).stdout.strip()
    command = ["git", "archive", "--format=zip", f"{where}:results"]
    done = subprocess.run(command, cwd=top or None, capture_output=True)
    if done.returncode:
        raise NpvaeError(f"{where}: neither a folder nor a revision with results")
    with tempfile.TemporaryDirectory() as scratch, zipfile.ZipFile(io.BytesIO(done.stdout)) as archive:
        archive.extractall(scratch)
        yield Path(scratch)
