"""``npvae classifier``."""

import json
import sys

from npvae.cli.options import DEFAULT_PARAMS, ClassifierFile, Mnist, Output, ParamsFile


def classifier(
    data: Mnist, checkpoint: ClassifierFile, output: Output, params: ParamsFile = DEFAULT_PARAMS
) -> None:
    """Train the classifiers in whose eyes generated images are measured, and test them (JSON)."""
    from npvae import machine
    from npvae.data.images import load_splits
    from npvae.files import write_atomically
    from npvae.measures.classifier import accuracy, fit_classifier, save_classifiers
    from npvae.params import load_params

    loaded, device = load_params(params), machine.fastest_device()
    train, test = (split.to(device) for split in load_splits(data, loaded.data))
    made = machine.describe(loaded.classifier.precision, device)
    print(f"classifier: {machine.sentence(made)}", file=sys.stderr, flush=True)
    if warning := machine.warning(loaded.classifier.precision, device):
        print(f"classifier: {warning}", file=sys.stderr, flush=True)

    trained = []
    for seed in range(loaded.classifier.seeds):

        def report(epoch: int, loss: float, seed: int = seed) -> None:
            print(
                f"classifier {seed + 1}/{loaded.classifier.seeds}: "
                f"epoch {epoch}/{loaded.classifier.epochs}, {loss:.3f} nats",
                file=sys.stderr,
                flush=True,
            )

        trained.append(fit_classifier(train, loaded.classifier, seed=seed, on_epoch=report))
    accuracies = [accuracy(one, test) for one in trained]
    save_classifiers(checkpoint, trained)
    measured = {"accuracy": sum(accuracies) / len(accuracies), "each": accuracies, "origin": made}
    write_atomically(output, json.dumps(measured, indent=2) + "\n")
