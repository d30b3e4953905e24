"""Are the committed artefacts whole, and are they those of this tree?

``dvc repro --dry --allow-missing`` can't tell in a clone without DVC's cache: it stops with an error where
a stage changed whose inputs are missing. Here dvc.lock itself is the evidence. An artefact is up to date if,
for it and all that it comes from, the recorded command, parameters and source files are those of the tree,
and each recorded input is the recorded output of the stage before.
"""

import io
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

from dvc.dependency import ParamsDependency
from dvc.dependency.base import Dependency
from dvc.output import Output
from dvc.repo import Repo
from dvc.stage import PipelineStage
from dvc_data.hashfile.tree import Tree
from PIL import Image, UnidentifiedImageError

from npvae.figures.style import COLUMN, DPI, TEXT
from npvae.pipeline import DEFAULT, LEDGER, records


def problems(root: Path) -> list[str]:
    """What is wrong with the artefacts and records under ``root``, a sentence each; none if all is well."""
    found = []
    with Repo(str(root)) as repo:
        repo_root = Path(repo.root_dir)
        stages = [stage for stage in repo.index.stages if isinstance(stage, PipelineStage)]
        outs = [out for stage in stages for out in stage.outs]
        undeclared = sorted(records(root).keys() - {stage.name for stage in stages})
        found += [f"{LEDGER}: {name}: recorded, but dvc.yaml does not declare it" for name in undeclared]
        for stage in stages:
            if not all(out.hash_info for out in stage.outs):
                # a study need not have run; but then it has no results
                if Path(stage.path) == repo_root / DEFAULT or any(out.exists for out in stage.outs):
                    found.append(f"{stage.name}: never run")
                continue
            found += [f"{stage.name}: {problem}" for problem in _stage_problems(stage, outs)]
    return found


def _stage_problems(stage: PipelineStage, outs: list[Output]) -> Iterator[str]:
    if stage.cmd_changed:
        yield "its command changed since it ran"
    for dep in () if stage.frozen else stage.deps:
        yield from _dependency_problems(dep, outs)
    for out in stage.outs:
        state = out.status()
        if not out.use_cache:
            if state:
                yield f"{out}: {'missing' if not out.exists else 'not the file that was recorded'}"
            else:
                yield from artefact_problems(Path(out.fs_path), str(out))
        elif out.exists and out.changed_checksum():
            yield f"{out}: not the file that was recorded"


def _dependency_problems(dep: Dependency, outs: list[Output]) -> Iterator[str]:
    if isinstance(dep, ParamsDependency):
        for changes in dep.status().values():
            yield from (f"parameter {key} {change}" for key, change in changes.items())
        return
    producers = [out for out in outs if out.fs_path == dep.fs_path or dep.fs.isin(out.fs_path, dep.fs_path)]
    if producers and _recorded_hash(dep, producers) != dep.hash_info.value:
        yield f"{dep}: made from another version than the recorded one"
    if dep.exists and dep.changed_checksum():
        yield f"{dep}: changed since it ran"
    elif not dep.exists and not producers:
        yield f"{dep}: missing"


def _recorded_hash(dep: Dependency, producers: list[Output]) -> str | None:
    """The hash of ``dep`` by the records of the stages that make it: a file, or a folder of their files."""
    if producers[0].fs_path == dep.fs_path:
        return producers[0].hash_info.value
    tree = Tree()
    for out in producers:
        tree.add(dep.fs.relparts(out.fs_path, dep.fs_path), out.meta, out.hash_info)
    tree.digest()
    return tree.hash_info.value


def artefact_problems(path: Path, name: str) -> Iterator[str]:
    """What is wrong with a committed file by itself: a figure (PNG or PDF) or metrics (JSON)."""
    content = path.read_bytes()
    match path.suffix:
        case ".png":
            yield from (f"{name}: {problem}" for problem in _png_problems(content))
        case ".pdf":
            yield from (f"{name}: {problem}" for problem in _pdf_problems(content))
        case ".json":
            yield from (f"{name}: {problem}" for problem in _json_problems(content))


def _png_problems(content: bytes) -> Iterator[str]:
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            grey = image.convert("L")
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        yield f"does not decode ({error})"
        return
    if not COLUMN * DPI - 1 <= grey.width <= TEXT * DPI + 1:
        yield f"{grey.width} pixels wide: narrower than a column or wider than a page at {DPI} dpi"
    background = max(grey.histogram())
    if background > 0.995 * grey.width * grey.height:
        yield "blank"


def _pdf_problems(content: bytes) -> Iterator[str]:
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]", content)
    if not content.startswith(b"%PDF-") or not content.rstrip().endswith(b"%%EOF") or not box:
        yield "does not decode"
        return
    if not COLUMN - 0.01 <= float(box[1]) / 72 <= TEXT + 0.01:
        yield f"{float(box[1]) / 72:.2f} inches wide: narrower than a column or wider than a page"


def _json_problems(content: bytes) -> Iterator[str]:
    def numbers(value: object) -> Iterator[float]:
        if isinstance(value, dict | list):
            for item in value.values() if isinstance(value, dict) else value:
                yield from numbers(item)
        elif isinstance(value, int | float):
            yield value

    try:
        values = list(numbers(json.loads(content)))
    except ValueError as error:
        yield f"does not decode ({error})"
        return
    if not values or not all(map(math.isfinite, values)):
        yield "without numbers, or with numbers that are not finite"
