"""What one would pick instead of X: PCA, t-SNE and UMAP of the same images, in two dimensions."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Embedding = tuple[Array, Array]


def pca(train: Array, test: Array, *, seed: int) -> Embedding:
    """The first two principal components: ``[M, D], [N, D] -> [M, 2], [N, 2]``."""
    from sklearn.decomposition import PCA

    model = PCA(2, random_state=seed).fit(train)
    return model.transform(train), model.transform(test)


def tsne(train: Array, test: Array, *, seed: int) -> Embedding:
    """t-SNE (van der Maaten and Hinton, 2008) by openTSNE, which can place new points beside the old."""
    from openTSNE import TSNE

    fitted = TSNE(random_state=seed, n_jobs=-1).fit(train)
    return np.asarray(fitted), np.asarray(fitted.transform(test))


def umap(train: Array, test: Array, *, seed: int) -> Embedding:
    """UMAP (McInnes, Healy and Melville, 2018) by umap-learn."""
    from umap import UMAP

    model = UMAP(random_state=seed)
    return model.fit_transform(train), model.transform(test)


METHODS: dict[str, Callable[..., Embedding]] = {"PCA": pca, "t-SNE": tsne, "UMAP": umap}


def embed(method: str, train: Array, test: Array, *, seed: int, components: int = 50) -> Embedding:
    """Embed images by one of :data:`METHODS`; t-SNE and UMAP start from the first principal components.

    Args:
        method: a key of :data:`METHODS`.
        train: images ``[M, pixels]``, fitted.
        test: images ``[N, pixels]``, placed afterwards.
        seed: of whatever is random.
        components: how many principal components t-SNE and UMAP get, as is usual: it denoises and saves time;
            all where there are fewer.
    """
    if method == "PCA":
        return pca(train, test, seed=seed)
    from sklearn.decomposition import PCA

    reducer = PCA(min(components, *train.shape), random_state=seed).fit(train)
    return METHODS[method](reducer.transform(train), reducer.transform(test), seed=seed)
