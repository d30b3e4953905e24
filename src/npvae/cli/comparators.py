"""``npvae comparators``."""

import sys

from npvae.cli.options import DEFAULT_PARAMS, Mnist, Output, ParamsFile


def comparators(data: Mnist, output: Output, params: ParamsFile = DEFAULT_PARAMS) -> None:
    """Embed the same images by PCA, t-SNE and UMAP, and measure as for X (tidy CSV; minutes)."""
    import pandas as pd
    import torch

    from npvae.comparators.embeddings import METHODS, embed
    from npvae.data.images import grey, load_splits
    from npvae.files import write_atomically
    from npvae.measures.embedding import digit_accuracy, map_measures
    from npvae.params import load_params

    loaded = load_params(params)
    train, test = load_splits(data, loaded.data)
    images = [grey(split.images).numpy() for split in (train, test)]
    sizes, rows = loaded.measure, []
    for method in METHODS:
        print(f"comparators: {method}", file=sys.stderr, flush=True)
        train_points, test_points = map(torch.from_numpy, embed(method, *images, seed=sizes.seed))
        points = train_points, train.labels, test_points, test.labels
        measures = {
            "digit_accuracy": digit_accuracy(*points, neighbours=sizes.neighbours),
            "digit_accuracy_1nn": digit_accuracy(*points, neighbours=1),
            **map_measures(test, test_points, subset=sizes.subset, seed=sizes.seed),
        }
        rows += [{"method": method, "measure": name, "value": value} for name, value in measures.items()]
    write_atomically(output, pd.DataFrame(rows).to_csv(index=False))
