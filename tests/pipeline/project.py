"""A small project, and what one types in it."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

SMALL = {
    "models": ["vae", "npvae", "advised"],
    "measured": ["vae", "npvae", "advised"],
    "z_dims": [2, 5],
    "seeds": 2,
    "data": {"validation_images": 100, "train_images": 900, "test_images": 200},
    "network": {"hidden_units": 16},
    "train": {"epochs": 1},
    "advised": {"epochs": 2, "batch_size": 256},
    "predict": {"reference_images": 500},
    "classifier": {"epochs": 1},
    "measure": {
        "samples": 50,
        "importance_samples": 5,
        "likelihood_images": 10,
        "subset": 50,
        "pairs": 20,
        "steps": 3,
    },
    "sweep": {"seeds": 2, "points": ["z2-default", "z2-train.epochs=2"]},
    "figures": {"thumbnails": 8, "interpolation_steps": 3},
}


class Project:
    """A git checkout with DVC, and what one types in it."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = os.environ | environment | {"PYTHONPATH": str(folder / "src")}

    def run(self, command: str, *, fails: bool = False) -> str:
        """What a shell command prints; it must succeed, or fail where ``fails``."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            shell=True,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert (done.returncode != 0) is fails, (
            f"`{command}` ended with {done.returncode}:\n{done.stdout[-4000:]}"
        )
        return done.stdout

    def commit(self) -> None:
        self.run("git add -A && git -c user.name=test -c user.email=test@example.org commit -qm 'A state'")

    def run_at_once(self, *without: str) -> None:
        """Run all stages but some, and record them, in a tenth of the time that a door takes."""
        self.run(f"python -m tests.pipeline.at_once {' '.join(without)}")

    def edit(self, changes: dict[str, Any]) -> None:
        """Change params.yaml, keeping the rest of it."""
        yaml = YAML()
        path = self.folder / "params.yaml"
        values = yaml.load(path)
        for key, value in changes.items():
            values[key] = values[key] | value if isinstance(value, dict) else value
        yaml.dump(values, path)

    def freeze_comparators(self, frozen: bool) -> None:
        """What `dvc freeze` does, which refuses a stage with parameters in its paths."""
        yaml = YAML()
        path = self.folder / "studies/dvc.yaml"
        stages = yaml.load(path)
        stages["stages"]["comparators"]["frozen"] = frozen
        yaml.dump(stages, path)

    def ledger(self) -> dict[str, Any]:
        """The jobs that dvc.lock records."""
        return YAML(typ="safe").load(self.folder / "dvc.lock")["stages"]

    def put_mnist(self) -> None:
        """What `npvae data` would fetch, put there by hand."""
        source = Path(self.environment["NPVAE_MNIST_DIR"])
        (self.folder / "data/mnist").mkdir(parents=True)
        for file in source.glob("*-ubyte"):
            shutil.copy(file, self.folder / "data/mnist")


def duplicate(project: Project, folder: Path) -> Project:
    """A copy of a whole project: times, untracked files and DVC's cache included."""

    def copy(source: str, target: str) -> None:
        if "/.dvc/cache/" in source:
            os.link(source, target)  # DVC replaces these files, and never writes into one
        else:
            shutil.copy2(source, target)

    shutil.copytree(project.folder, folder, symlinks=True, copy_function=copy)
    return Project(folder, project.environment)
