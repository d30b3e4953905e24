"""How far the Gaussian process on X can be believed: its intervals for E[z] of test images."""

from torch import Tensor

from npvae.data.images import in_batches, random_subset
from npvae.latent.process import predict_process
from npvae.latent.spaces import posterior
from npvae.measures.embedding import match_r2
from npvae.model.kernel import CovarianceKernel
from npvae.model.vae import VAE, NonparametricVAE

_DEVIATIONS = 1.959964  # of a normal, within which 95 % of it lie


def calibration(
    model: VAE, train_images: Tensor, test_images: Tensor, *, reference: int = 2_000, seed: int = 0
) -> dict[str, float]:
    """``z_coverage`` and ``match_r2_process`` of a model that has a Gaussian process on X; {} of any other.

    The share of E[z] of test images, all dimensions together, in the process's 95 % intervals, and R^2 of
    E[z] by the process's mean (Eq. 3).

    Args:
        model: in evaluation mode, on the device of the images.
        train_images: ``[M, pixels]``.
        test_images: ``[N, pixels]``.
        reference: training images that the process is conditioned on, drawn at random.
        seed: of their draw.
    """
    if not isinstance(model, NonparametricVAE) or not isinstance(model.kernel, CovarianceKernel):
        return {}
    known = train_images[random_subset(len(train_images), reference, seed=seed).to(train_images.device)]
    (z, _), (mu, _) = posterior(model, known), posterior(model, test_images)
    x, reference_x = in_batches(model.embed, test_images), in_batches(model.embed, known)
    mean, variance = predict_process(x, reference_x, z, model.kernel)
    covered = (mu - mean).abs() <= _DEVIATIONS * variance.sqrt()
    return {"z_coverage": float(covered.double().mean()), "match_r2_process": match_r2(mu, mean)}
