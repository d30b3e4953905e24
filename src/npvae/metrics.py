"""What a trained model is worth on test images: all terms in nats a image, as averages over the images."""

import torch
from torch import Tensor

from npvae.data import Split
from npvae.embed import Reference, locations, posterior_means
from npvae.measures.embedding import digit_accuracy, match_r2
from npvae.model import VAE, NonparametricVAE
from npvae.objective import active_units, kl_nats, reconstruction_nats
from npvae.predict import predict_z


@torch.no_grad()
def evaluate(
    model: VAE, train: Split, test: Split, reference: Tensor, *, neighbours: int, seed: int
) -> dict[str, float]:
    """All measures of one trained model.

    Args:
        model: in evaluation mode, on the device of the images.
        train: the training set, in which the nearest neighbours are sought.
        test: the images measured on.
        reference: indices ``[M]`` of the training images that z~ sums over.
        neighbours: k of the digit accuracy, in X, or in Z for a plain VAE.
        seed: of the noise in the one-sample negative ELBO.

    Returns:
        ``reconstruction`` (from the posterior mean), ``kl``, ``negative_elbo`` (one sample an image),
        ``digit_accuracy``, ``active_units`` and, for a nonparametric VAE, ``reconstruction_from_x``
        (through z~), ``match_r2`` (of E[z] by z~) and ``length_scale``.
    """
    noise = torch.Generator(train.images.device).manual_seed(seed)
    reconstruction = kl = negative_elbo = 0.0
    for batch in test.images.split(1_000):
        mu, sigma = model.encode(batch)
        z = mu + sigma * torch.randn(mu.shape, generator=noise, device=mu.device)
        batch_kl = kl_nats(mu, sigma).double()
        reconstruction += reconstruction_nats(model.decode(mu), batch).double().sum().item()
        negative_elbo += (reconstruction_nats(model.decode(z), batch) + batch_kl).sum().item()
        kl += batch_kl.sum().item()
    count = len(test.images)
    test_mu = posterior_means(model, test.images)
    measures: dict[str, float] = {
        "reconstruction": reconstruction / count,
        "kl": kl / count,
        "negative_elbo": negative_elbo / count,
        "active_units": active_units(test_mu.var(0, correction=0)),
    }
    if isinstance(model, NonparametricVAE):
        points = train_x, test_x = locations(model, train.images), locations(model, test.images)
        known = Reference(train_x[reference], posterior_means(model, train.images[reference]))
        predicted = predict_z(test_x, *known, model.length_scale)
        from_x = 0.0
        for z, batch in zip(predicted.split(1_000), test.images.split(1_000), strict=True):
            from_x += reconstruction_nats(model.decode(z), batch).double().sum().item()
        measures |= {
            "reconstruction_from_x": from_x / count,
            "match_r2": match_r2(test_mu, predicted),
            "length_scale": model.length_scale.item(),
        }
    else:
        points = posterior_means(model, train.images), test_mu
    accuracy = digit_accuracy(points[0], train.labels, points[1], test.labels, neighbours=neighbours)
    return measures | {"digit_accuracy": accuracy}
