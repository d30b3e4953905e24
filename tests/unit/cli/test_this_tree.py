"""Which package runs, where the working directory has one of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-P", "-c", "from npvae.cli import main; main()", "params"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree of which this package is not the own; its command says where a module comes from."""
    folder = tmp_path / "tree"
    (folder / "src/npvae/cli").mkdir(parents=True)
    (folder / "src/npvae/__init__.py").touch()
    (folder / "src/npvae/cli/__init__.py").write_text(
        "def main():\n    import random\n\n    print(random.__file__)\n"
    )
    return folder


def ran(folder: Path, root: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(root / "src")}
    return subprocess.run(COMMAND, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


def test_a_module_beside_the_results_stands_for_none_of_pythons(tree: Path, root: Path) -> None:
    (tree / "random.py").write_text("raise SystemExit('a stranger')\n")
    assert Path(ran(tree, root).stdout.strip()).parent == Path(os.__file__).parent


def test_a_folder_that_parts_a_list_of_paths_is_named(tree: Path, root: Path) -> None:
    other = tree.rename(tree.with_name("12:30"))
    done = ran(other, root)
    assert done.returncode == 1
    assert "12:30" in done.stderr
    assert "rename it" in done.stderr
