"""Options that several commands share, and how one file is named for each model and Z."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from npvae.errors import NpvaeError
from npvae.settings import ModelName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from npvae.model.vae import VAE


def _drawable(paths: list[Path]) -> list[Path]:
    """A figure is drawn in seconds, but what it is drawn from takes long: names are checked before."""
    for path in paths:
        if path.suffix not in {".png", ".pdf"}:
            raise NpvaeError(f"{path}: figures are PNG or PDF; give a name that ends in .png or .pdf")
    return paths


Model = Annotated[
    ModelName, typer.Option(help="vae (plain), npvae (nonparametric) or advised (X fitted afterwards).")
]
ZDim = Annotated[int, typer.Option(min=1, help="Dimension of Z.")]
Mnist = Annotated[Path, typer.Option(help="Folder of the data set's four idx files.")]
Output = Annotated[Path, typer.Option(help="File to write.")]
Drawings = Annotated[
    list[Path],
    typer.Option(help="PNG or PDF to write; give the option once for each.", callback=_drawable),
]
ClassifierFile = Annotated[Path, typer.Option(help="The classifier's weights (safetensors).")]
State = Annotated[
    Path, typer.Option(help="Folder of what a killed training goes on from; emptied at the end.")
]
ParamsFile = Annotated[Path, typer.Option(help="Parameter file.")]
DEFAULT_PARAMS = Path("params.yaml")


def one_of_each(pattern: str, model: str, z_dim: int) -> Path:
    """The file of one model and Z: ``pattern`` with ``{model}`` and ``{z}`` filled in.

    Raises:
        NpvaeError: it is not there.
    """
    path = Path(pattern.replace("{model}", model).replace("{z}", str(z_dim)))
    if not path.is_file():
        raise NpvaeError(f"{path}: missing; its stage has not run")
    return path


def the_only(models: "Mapping[int, VAE]", path: Path) -> "VAE":
    """The model of a checkpoint of one seed.

    Args:
        models: of the checkpoint, by seed.
        path: of the checkpoint, for the message.

    Raises:
        NpvaeError: there is none, or there are several.
    """
    if len(models) != 1:
        raise NpvaeError(f"{path}: of {len(models)} seeds and not of one")
    return next(iter(models.values()))
