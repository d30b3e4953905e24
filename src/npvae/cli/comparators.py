"""``npvae comparators``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from npvae.cli.options import DEFAULT_PARAMS, Mnist, Output, ParamsFile, ZDim, the_only


def comparators(
    data: Mnist,
    z_dim: ZDim,
    checkpoint: Annotated[Path, typer.Option(help="The plain VAE whose E[z] are embedded, too.")],
    output: Output,
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Embed the images by PCA, t-SNE and UMAP, their E[z] by UMAP; measure as for X (tidy CSV; minutes)."""
    import pandas as pd
    import torch

    from npvae.comparators.embeddings import METHODS, embed
    from npvae.data.images import grey, load_splits
    from npvae.files import write_atomically
    from npvae.latent.spaces import posterior
    from npvae.measures.embedding import digit_accuracy, map_measures
    from npvae.model.checkpoint import load_models
    from npvae.params import load_params

    loaded = load_params(params)
    train, test = load_splits(data, loaded.data)
    model = the_only(load_models(checkpoint, loaded.recipe("vae", z_dim)), checkpoint)
    images, means = (
        [function(split.images).numpy() for split in (train, test)]
        for function in (grey, lambda some: posterior(model, some)[0])
    )
    sizes, rows = loaded.measure, []
    for name, method, given in (
        *((method, method, images) for method in METHODS),
        (f"UMAP of the plain VAE's E[z], Z = {z_dim}", "UMAP", means),
    ):
        print(f"comparators: {name}", file=sys.stderr, flush=True)
        train_points, test_points = map(torch.from_numpy, embed(method, *given, seed=sizes.seed))
        points = train_points, train.labels, test_points, test.labels
        counts = {"digit_accuracy": sizes.neighbours, "digit_accuracy_1nn": 1} if train.labelled else {}
        measures = {name: digit_accuracy(*points, neighbours=count) for name, count in counts.items()}
        measures |= map_measures(test, test_points, subset=sizes.subset, seed=sizes.seed)
        rows += [{"method": name, "measure": key, "value": value} for key, value in measures.items()]
    write_atomically(output, pd.DataFrame(rows).to_csv(index=False))
