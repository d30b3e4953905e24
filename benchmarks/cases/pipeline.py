"""Seconds of the program as a whole: its start, its engines with nothing to do, and a run from nothing."""

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from ruamel.yaml import YAML

from benchmarks import ROOT
from benchmarks.measure import NotMeasured, Timing, cores, process
from dvcrules.pipeline import Pipeline

REPRO = ["dvc", "repro"]
SNAKEMAKE = ["snakemake", "--cores", str(cores())]


def _environment(folder: Path) -> dict[str, str]:
    """As in an activated environment, with the package of ``folder``; threads are left to the stages."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {
        "PATH": path,
        "PYTHONPATH": str(folder / "src"),
        "NPVAE_MNIST_DIR": str(ROOT / "data" / "mnist"),
    }
    environment.pop("OMP_NUM_THREADS", None)
    return environment


def _output(command: list[str], folder: Path) -> str:
    return process(command, folder, _environment(folder))[1]


def _timing(what: str, command: list[str], folder: Path, *, values: int = 1) -> Timing:
    try:
        seconds = [process(command, folder, _environment(folder))[0] for _ in range(values)]
    except NotMeasured as reason:
        return Timing(what, [], note=str(reason))  # what comes after may still be measured
    return Timing(what, seconds)


def start_up(quick: bool) -> list[Timing]:
    """``npvae --help``."""
    command = [sys.executable, "-c", "from npvae.cli import main; main()", "--help"]
    return [_timing("npvae --help", command, ROOT, values=3 if quick else 10)]


def _up_to_date(folder: Path) -> None:
    if "Data and pipelines are up to date" not in _output(["dvc", "status", "dvc.yaml"], folder):
        raise NotMeasured("this tree's results are not up to date, or not committed")


def nothing_to_do(quick: bool) -> list[Timing]:
    """Both engines in this tree, whose results must be up to date: nothing is run to make them so."""
    _up_to_date(ROOT)
    if "Nothing to be done" not in _output([*SNAKEMAKE, "--dry-run"], ROOT):
        raise NotMeasured("`snakemake` would run jobs in this tree: run it first")
    values = 1 if quick else 5
    train = Pipeline(ROOT).jobs("train")[-1]
    return [
        _timing("dvc repro", REPRO, ROOT, values=values),
        _timing("snakemake", SNAKEMAKE, ROOT, values=values),
        _timing("one stage", [*REPRO, "--single-item", train], ROOT, values=values),
    ]


def restoring(quick: bool) -> list[Timing]:
    """Everything that git does not hold removed and put back, in a clone that shares this tree's cache."""
    ways = {
        "dvc checkout, snakemake": ["sh", "-c", f"dvc checkout --quiet && {shlex.join(SNAKEMAKE)}"],
        "dvc repro": REPRO,
        "snakemake": SNAKEMAKE,
    }
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "npvae"
        _clone(folder)
        _output(["dvc", "cache", "dir", str(ROOT / ".dvc" / "cache")], folder)
        _output(["dvc", "checkout"], folder)
        _up_to_date(folder)
        _output(SNAKEMAKE, folder)  # it knows no file of a fresh clone yet
        timings = []
        for name, command in ways.items():
            _output(["git", "clean", "-dfXq", "data", "results"], folder)
            timings.append(_timing(name, command, folder))
    return timings


def _clone(folder: Path) -> None:
    """The committed tree."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)


def _forget(folder: Path) -> None:
    """Remove every result that the default run makes."""
    (folder / "dvc.lock").unlink(missing_ok=True)
    pipeline = Pipeline(folder)
    for path in pipeline.outputs(*pipeline.default()):
        (folder / path).unlink(missing_ok=True)
    # the comparators' committed table is what the claims show: they are not part of the default run
    _output(["dvc", "freeze", "studies/dvc.yaml:comparators"], folder)


def _shrink(folder: Path) -> None:
    yaml, path = YAML(), folder / "params.yaml"
    values = yaml.load(path)
    values["z_dims"] = [2, 5]
    values["data"] |= {"validation_images": 100, "train_images": 900, "test_images": 200}
    values["network"] |= {"hidden_units": 16}
    values["seeds"] = 2
    values["train"] |= {"epochs": 1}
    values["predict"] |= {"reference_images": 500}
    values["classifier"] |= {"epochs": 1}
    values["measure"] |= {"samples": 50, "importance_samples": 5, "likelihood_images": 10, "subset": 50}
    values["measure"] |= {"pairs": 20, "steps": 3}
    yaml.dump(values, path)


def whole_run(quick: bool) -> list[Timing]:
    """The figures, then the rest, in a fresh clone with nothing cached."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "npvae"
        _clone(folder)
        _forget(folder)
        if quick:
            _shrink(folder)
        environment = _environment(folder)
        figures, _ = process([*SNAKEMAKE, "figures"], folder, environment)
        rest, _ = process(SNAKEMAKE, folder, environment)
    return [Timing("figures", [figures]), Timing("everything", [figures + rest])]
