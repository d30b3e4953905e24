"""The pipeline's own commands on a user's data set, up to a million images: seconds and memory of each."""

import os
import sys
import tempfile
from pathlib import Path

from ruamel.yaml import YAML

from benchmarks import ROOT, shifted
from benchmarks.cases.training import MNIST
from benchmarks.measure import NotMeasured, Timing, process

SIZES = (50_000, 100_000, 200_000, 500_000, 1_000_000)
_MODEL = ["--model", "npvae", "--z-dim", "20", "--data", "data/million", "--checkpoint", "model"]
COMMANDS = {
    "data": ["--output", "data/million", "--source", "source"],
    "train": [*_MODEL, "--history", "history.csv", "--state", "state"],
    "embed": [*_MODEL, "--output", "embedded.parquet"],
    "generate": [*_MODEL, "--output", "generated.npz"],
    "measure": [
        *(*_MODEL, "--classifier", "classifier"),
        *("--output", "measures.csv", "--items", "items.parquet", "--means", "means.json"),
    ],
}
_CLASSIFIER = ["--data", "data/million", "--checkpoint", "classifier", "--output", "classifier.json"]


def million(quick: bool) -> list[Timing]:
    """One epoch of the nonparametric VAE, Z = 20, and what follows; z~ sums over all training images.

    The networks are a fifth of the paper's, and the measures draw little: what counts is how it grows. The
    classifier is that of the fewest images.
    """
    timings: list[Timing] = []
    failed = set()
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent)
        for size in (500, 700, 900) if quick else SIZES:
            shifted.write(folder / "source", MNIST, size)
            _write_params(folder / "params.yaml", size, quick)
            for name, arguments in COMMANDS.items():
                if name == "measure" and not (folder / "classifier").exists():
                    _run("classifier", _CLASSIFIER, folder)
                if name in failed:  # more images can't do what fewer could not
                    continue
                try:
                    seconds, peak = _run(name, arguments, folder)
                except NotMeasured as reason:
                    failed.add(name)
                    timings.append(Timing(name, [], at=size, note=str(reason)))
                    continue
                timings.append(Timing(name, [seconds], at=size))
                timings.append(Timing(f"{name} memory", [peak], unit="MiB", at=size))
    return timings


def _run(name: str, arguments: list[str], folder: Path) -> tuple[float, float]:
    """Seconds, and MiB at the highest, of which torch's libraries are some 300."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"}
    seconds, _ = process([sys.executable, "-m", "benchmarks.peak", name, *arguments], folder, environment)
    if not (folder / "peak").exists():
        raise NotMeasured("this system keeps no peak of memory")
    return seconds, int((folder / "peak").read_text()) / 1024


def _write_params(path: Path, images: int, quick: bool) -> None:
    yaml = YAML()
    values = yaml.load(ROOT / "params.yaml")
    values |= {"models": ["vae", "npvae"], "measured": ["vae", "npvae"], "z_dims": [20], "seeds": 1}
    values["data"] |= {"name": "million", "validation_images": 0}
    values["data"] |= {"train_images": images, "test_images": 100 if quick else 2_000}
    values["network"] |= {"hidden_units": 100}
    values["train"] |= {"epochs": 1}
    values["predict"] |= {"reference_images": images}
    values["classifier"] |= {"seeds": 1, "epochs": 1}
    values["measure"] |= {"samples": 200, "importance_samples": 10, "likelihood_images": 20}
    values["measure"] |= {"subset": 100, "pairs": 50}
    values["sweep"] |= {"points": []}
    values["figures"] |= {"interpolate": [0, 1]}
    yaml.dump(values, path)
