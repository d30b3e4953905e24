"""``npvae data``."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def data(
    output: Annotated[Path, typer.Option(help="Folder for MNIST's four idx files.")],
    source: Annotated[
        Path | None, typer.Option(envvar="NPVAE_MNIST_DIR", help="A folder to take them from, not the net.")
    ] = None,
) -> None:
    """Obtain MNIST and check it against the published sizes and md5 sums."""
    from npvae.data.sources import fetch

    print(f"MNIST: four files verified, from {fetch(output, source)}", file=sys.stderr)
