"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, Literal

import typer

Model = Annotated[Literal["vae", "npvae"], typer.Option(help="The plain or the nonparametric VAE.")]
ZDim = Annotated[int, typer.Option(min=1, help="Dimension of Z.")]
Mnist = Annotated[Path, typer.Option(help="Folder of MNIST's four idx files.")]
Output = Annotated[Path, typer.Option(help="File to write.")]
ParamsFile = Annotated[Path, typer.Option(help="Parameter file.")]
DEFAULT_PARAMS = Path("params.yaml")
