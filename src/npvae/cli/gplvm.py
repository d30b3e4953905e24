"""``npvae gplvm``."""

from npvae.cli.options import DEFAULT_PARAMS, ClassifierFile, Mnist, Output, ParamsFile
from npvae.cli.progress import progress


def gplvm(
    data: Mnist, classifier: ClassifierFile, output: Output, params: ParamsFile = DEFAULT_PARAMS
) -> None:
    """Fit a back-constrained GP-LVM with inducing points, seed 0, and measure it (tidy CSV; minutes)."""
    from npvae import machine
    from npvae.data.images import load_splits
    from npvae.files import write_atomically
    from npvae.measures.classifier import load_classifiers
    from npvae.measures.tables import values_table
    from npvae.measures.yardstick import Yardstick
    from npvae.params import load_params
    from npvae.rivals.gplvm import Components, FittedEpoch, Fitting, build, fit, measures

    machine.keep_freed_memory()
    loaded, device, fitting = load_params(params), machine.fastest_device(), Fitting()
    train, test = (split.to(device) for split in load_splits(data, loaded.data))
    components = Components(train.images, fitting.components)
    model = build(train.images, loaded.network, fitting, seed=0)
    with progress("GP-LVM", fitting.epochs, "epoch") as done:

        def report(epoch: FittedEpoch) -> None:
            done(negative_bound=f"{epoch.negative_bound:.2f}")

        fit(model, train.images, components.reduce(train.images), fitting, seed=0, on_epoch=report)
    classifiers = [one.to(device) for one in load_classifiers(classifier)]
    yardstick = Yardstick(classifiers, train, test, loaded.measure)
    write_atomically(output, values_table(measures(model, components, yardstick, seed=0)).to_csv(index=False))
