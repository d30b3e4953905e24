"""Two states of the results, old against new: pixels that changed, numbers and verdicts that moved."""

import base64
import json
import math
import shutil
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, StrictUndefined
from matplotlib.testing.compare import compare_images
from matplotlib.testing.exceptions import ImageComparisonFailure

from npvae.files import reading

TOLERANCE = 2.0  # of grey values up to 255, root mean square: what another machine's rasteriser may change
_NUMBERS = ("*.json", "metrics/*.json")  # what stages make; summary/ repeats some of metrics/, crate/ all
_NAMES = ("claim", "rule", "measure")  # keys that tell items of a list apart


class Figure(NamedTuple):
    """A figure before and after: PNGs, empty where it is not there; ``difference`` is amplified."""

    name: str
    change: str
    old: bytes
    new: bytes
    difference: bytes


class Moved(NamedTuple):
    """A number or a verdict before and after; None where it is not there."""

    file: str
    key: str
    old: Any
    new: Any

    @property
    def relative(self) -> float:
        """The change over the larger of both values; infinite for what is no number or not in both."""
        if not isinstance(self.old, int | float) or not isinstance(self.new, int | float):
            return math.inf
        return abs(self.new - self.old) / max(abs(self.new), abs(self.old))


class Comparison(NamedTuple):
    """What differs between two folders of results."""

    figures: list[Figure]
    verdicts: list[Moved]
    numbers: list[Moved]
    compared: int  # figures that are in either


def compare(old: Path, new: Path, *, tolerance: float = TOLERANCE) -> Comparison:
    """Compare all figures (PNG) and metrics (JSON) of two folders of results.

    Args:
        old: the folder before.
        new: the folder after.
        tolerance: root mean square difference, of 255, up to which a figure counts as the same.
    """
    names = _both(old, new, "figures/*.png")
    figures = [figure for name in names if (figure := _figure(old / name, new / name, name, tolerance))]
    moved = [
        change
        for pattern in _NUMBERS
        for name in _both(old, new, pattern)
        for change in _moved(name, _values(old / name), _values(new / name))
    ]
    verdicts = [one for one in moved if one.key.endswith("verdict")]
    numbers = [one for one in moved if not one.key.endswith("verdict")]
    return Comparison(figures, verdicts, sorted(numbers, key=lambda one: -one.relative), len(names))


def summary(comparison: Comparison, *, most: int = 20) -> str:
    """The comparison in Markdown, with the numbers that moved most."""
    figures, verdicts, numbers, compared = comparison
    lines = [
        f"{len(figures)} of {compared} figures, {len(verdicts)} verdicts and {len(numbers)} numbers differ.",
        "",
    ]
    lines += [f"- `{figure.name}`: {figure.change}" for figure in figures]
    for title, moved in (("verdict", verdicts), ("number", numbers[:most])):
        if moved:
            lines += ["", f"| {title} | before | after |", "|---|---|---|"]
            lines += [f"| {one.file}: {one.key} | {_cell(one.old)} | {_cell(one.new)} |" for one in moved]
    if len(numbers) > most:
        lines += ["", f"And {len(numbers) - most} more numbers, which moved less."]
    return "\n".join(lines) + "\n"


def page(comparison: Comparison, old: str, new: str) -> str:
    """The comparison as one page (HTML) that needs no network, with each figure before and after."""
    environment = Environment(undefined=StrictUndefined, autoescape=True)
    environment.filters |= {"base64": lambda png: base64.b64encode(png).decode(), "cell": _cell}
    template = (files("npvae.provenance") / "compare.html").read_text(encoding="utf-8")
    return environment.from_string(template).render(comparison=comparison, old=old, new=new)


def _both(old: Path, new: Path, pattern: str) -> list[str]:
    return sorted(
        {path.relative_to(folder).as_posix() for folder in (old, new) for path in folder.glob(pattern)}
    )


def _figure(old: Path, new: Path, name: str, tolerance: float) -> Figure | None:
    before, after = (path.read_bytes() if path.is_file() else b"" for path in (old, new))
    if not before or not after:
        return Figure(name, "removed" if before else "added", before, after, b"")
    if before == after:
        return None
    with tempfile.TemporaryDirectory() as scratch:  # the difference is written beside the files
        first, second = (Path(scratch) / f"{when}.png" for when in ("old", "new"))
        shutil.copy(old, first)
        shutil.copy(new, second)
        try:
            found = compare_images(str(first), str(second), tolerance, in_decorator=True)
        except ImageComparisonFailure as error:
            return Figure(name, " ".join(str(error).split()), before, after, b"")
        if found is None:
            return None
        change = f"pixels differ by {found['rms']:.1f} of 255 (root mean square)"
        return Figure(name, change, before, after, Path(str(found["diff"])).read_bytes())


def _values(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    with reading(path, "JSON"):
        return dict(_flat(json.loads(path.read_bytes())))


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Numbers, and strings called a verdict, each with all keys that lead to it."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _flat(item, f"{key} / {name}" if key else name)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            named = (
                next((item[name] for name in _NAMES if name in item), index)
                if isinstance(item, dict)
                else index
            )
            own = [str(item[name]) for name in ("model", "z_dim") if isinstance(item, dict) and name in item]
            yield from _flat(item, " ".join([f"{key} / {named}" if key else str(named), *own]))
    elif isinstance(value, bool | int | float) or key.endswith("verdict"):
        yield key, value


def _moved(name: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Moved]:
    for key in dict.fromkeys([*old, *new]):
        if old.get(key) != new.get(key):
            yield Moved(name, key, old.get(key), new.get(key))


def _cell(value: Any) -> str:
    if value is None:
        return "none"
    return f"{value:.5g}" if isinstance(value, float) else str(value)
