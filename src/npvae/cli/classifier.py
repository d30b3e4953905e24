"""``npvae classifier``."""

import json
import sys

from npvae.cli.options import DEFAULT_PARAMS, ClassifierFile, Mnist, Output, ParamsFile


def classifier(
    data: Mnist, checkpoint: ClassifierFile, output: Output, params: ParamsFile = DEFAULT_PARAMS
) -> None:
    """Train the classifier in whose eyes generated images are measured, and test it (JSON)."""
    from npvae import machine
    from npvae.data.images import load_splits
    from npvae.files import write_atomically
    from npvae.measures.classifier import accuracy, fit_classifier, save_classifier
    from npvae.params import load_params

    loaded, device = load_params(params), machine.fastest_device()
    train, test = (split.to(device) for split in load_splits(data, loaded.data))
    made = machine.describe(loaded.classifier.precision, device)
    print(f"classifier: {machine.sentence(made)}", file=sys.stderr, flush=True)
    if warning := machine.warning(loaded.classifier.precision, device):
        print(f"classifier: {warning}", file=sys.stderr, flush=True)

    def report(epoch: int, loss: float) -> None:
        print(
            f"classifier: epoch {epoch}/{loaded.classifier.epochs}, {loss:.3f} nats",
            file=sys.stderr,
            flush=True,
        )

    trained = fit_classifier(train, loaded.classifier, on_epoch=report)
    save_classifier(checkpoint, trained)
    write_atomically(
        output, json.dumps({"accuracy": accuracy(trained, test), "origin": made}, indent=2) + "\n"
    )
