"""``npvae summary``: the few of the means that fit a terminal, for ``dvc metrics``."""

from pathlib import Path
from typing import Annotated

import typer

from npvae.cli.options import Output

# What is asked first: of X, of the decoder, of both, of samples and of the match. Each is a column of
# `dvc metrics show`. What a model lacks is left out: a plain VAE has no match, unlabelled images no accuracy.
SHOWN = ("digit_accuracy", "reconstruction", "negative_log_likelihood", "sample_mmd2", "match_r2")
OTHER_READING = "_loo"  # the only one of the advised setting


def summary(
    means: Annotated[Path, typer.Option(help="JSON of the means over seeds that `npvae measure` wrote.")],
    output: Output,
) -> None:
    """Pick out the means that `dvc metrics show` has room for (JSON)."""
    import json

    from npvae.files import CURE, reading, write_atomically

    with reading(means, "means of measures", CURE):
        found = json.loads(means.read_bytes())["mean"]
        few = {name: found.get(name, found.get(name + OTHER_READING)) for name in SHOWN}
        few = {name: float(value) for name, value in few.items() if value is not None}
    write_atomically(output, json.dumps(few, indent=2) + "\n")
