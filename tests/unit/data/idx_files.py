"""A data set's four files, by name, and folders of files."""

from pathlib import Path

Content = dict[str, bytes]
NAMES = [f"{p}-{k}-ubyte" for p in ("train", "t10k") for k in ("images-idx3", "labels-idx1")]


def put(folder: Path, files: Content) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, raw in files.items():
        (folder / name).write_bytes(raw)
    return folder


def found(folder: Path) -> Content:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
