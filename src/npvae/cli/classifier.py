"""``npvae classifier``."""

import json
import sys

from npvae.cli.options import DEFAULT_PARAMS, ClassifierFile, Mnist, Output, ParamsFile


def classifier(
    data: Mnist, checkpoint: ClassifierFile, output: Output, params: ParamsFile = DEFAULT_PARAMS
) -> None:
    """Train the classifiers in whose eyes generated images are measured, and test them (JSON).

    Of images without labels there are none: the JSON says so, and what they would see is not measured.
    """
    from npvae import machine
    from npvae.data.images import load_splits
    from npvae.files import write_atomically
    from npvae.measures.classifier import accuracy, fit_classifier, save_classifiers
    from npvae.params import load_params

    loaded, device = load_params(params), machine.fastest_device()
    train, test = (split.to(device) for split in load_splits(data, loaded.data))
    if not train.labelled:
        why = f"the training images of {loaded.data.name} have no labels, or all the same one"
        print(f"classifier: none is trained: {why}", file=sys.stderr, flush=True)
        save_classifiers(checkpoint, [])
        write_atomically(output, json.dumps({"accuracy": None, "why": why}, indent=2) + "\n")
        return
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

        shape = loaded.data.image_shape
        trained.append(fit_classifier(train, loaded.classifier, shape=shape, seed=seed, on_epoch=report))
    accuracies = [accuracy(one, test) for one in trained]
    save_classifiers(checkpoint, trained)
    measured = {"accuracy": sum(accuracies) / len(accuracies), "each": accuracies, "origin": made}
    write_atomically(output, json.dumps(measured, indent=2) + "\n")
