"""``npvae data``."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer


def data(
    output: Annotated[
        Path, typer.Option(help="Folder for the four idx files; its name says which data set is meant.")
    ],
    source: Annotated[
        Path | None,
        typer.Option(
            help="A folder to take them from, not the net (of MNIST also NPVAE_MNIST_DIR); of your own, "
            "an .npz file with train_images, test_images, train_labels and test_labels, or a folder of such "
            ".npy files, of idx files, or of pictures in train/ and test/, in folders by label. "
            "Labels may be left out."
        ),
    ] = None,
    params: Annotated[
        Path | None, typer.Option(help="A parameter file whose data.name is meant, and not the folder's.")
    ] = None,
) -> None:
    """Obtain a data set: mnist, fashion-mnist or kmnist by published md5 sums, any other name is your own."""
    from npvae.data.own import look, take
    from npvae.data.sources import TITLES, fetch
    from npvae.params import load_params

    name = load_params(params).data.name if params else output.name
    if name in TITLES:
        if name == "mnist" and not source and (folder := os.environ.get("NPVAE_MNIST_DIR")):
            source = Path(folder)
        origin = fetch(output, source, name)
        print(f"{TITLES[name]}: four files verified, from {origin}", file=sys.stderr)
        return
    _require_name(name)
    own = take(output, source) if source else look(output)
    rows, columns = own.image_shape
    images = f"{own.train_images} training and {own.test_images} test images of {rows} x {columns}"
    print(f"{name}: {images}, from {source or f'{output}, where they were'}", file=sys.stderr)
    if own.label_names:
        numbered = ", ".join(f"{label} {name}" for label, name in enumerate(own.label_names))
        print(f"{name}: labels are {numbered}", file=sys.stderr)
    if not own.labelled:
        print(
            f"{name}: there are no labels, or all training images have the same one: "
            "what compares them is left out",
            file=sys.stderr,
        )
    print(
        f"data:\n  name: {name}\n  image_shape: [{rows}, {columns}]\n  validation_images: 0\n"
        f"  train_images: {own.train_images}\n  test_images: {own.test_images}"
    )


def _require_name(name: str) -> None:
    from pydantic import ValidationError

    from npvae.errors import NpvaeError
    from npvae.settings import TrainingData

    try:
        TrainingData(name=name)
    except ValidationError:
        raise NpvaeError(
            f"{name}: no name for a data set: lower-case letters, digits and hyphens, a letter first"
        ) from None
