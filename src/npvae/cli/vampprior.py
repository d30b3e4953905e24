"""``npvae vampprior``."""

import sys

from npvae.cli.options import DEFAULT_PARAMS, ClassifierFile, Mnist, Output, ParamsFile, ZDim
from npvae.cli.progress import progress


def vampprior(
    data: Mnist,
    z_dim: ZDim,
    classifier: ClassifierFile,
    output: Output,
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Train a VAE with a VampPrior from seed 0, as the plain VAE is, and measure it (tidy CSV; minutes)."""
    from npvae import machine
    from npvae.data.images import load_splits
    from npvae.files import write_atomically
    from npvae.measures.classifier import load_classifiers
    from npvae.measures.tables import values_table
    from npvae.measures.yardstick import Yardstick
    from npvae.params import load_params
    from npvae.rivals.vampprior import VampEpoch, build, fit, measures

    machine.keep_freed_memory()
    loaded, device, name = load_params(params), machine.fastest_device(), f"VampPrior Z={z_dim}"
    train, test = (split.to(device) for split in load_splits(data, loaded.data))
    made = machine.describe(loaded.train.precision, device)
    print(f"{name}: {machine.sentence(made)}", file=sys.stderr, flush=True)
    model = build(z_dim, train.images, loaded.network, seed=0)
    with progress(name, loaded.train.epochs, "epoch") as done:

        def report(epoch: VampEpoch) -> None:
            done(negative_elbo=f"{epoch.reconstruction + epoch.kl:.1f}")

        fit(model, train.images, loaded.train, seed=0, on_epoch=report)
    classifiers = [one.to(device) for one in load_classifiers(classifier)]
    yardstick = Yardstick(classifiers, train, test, loaded.measure)
    write_atomically(output, values_table(measures(model, yardstick, seed=0)).to_csv(index=False))
