"""Is a committed file, by itself, what it should be?"""

import io
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from npvae.figures.style import COLUMN, DPI, TEXT


def artefact_problems(path: Path, name: str) -> Iterator[str]:
    """What is wrong with a committed file by itself: a figure (PNG or PDF) or metrics (JSON)."""
    content = path.read_bytes()
    match path.suffix:
        case ".png":
            figure = path.parent.name == "figures"  # and no data of one
            yield from (f"{name}: {problem}" for problem in _png_problems(content, figure=figure))
        case ".pdf":
            yield from (f"{name}: {problem}" for problem in _pdf_problems(content))
        case ".json":
            yield from (f"{name}: {problem}" for problem in _json_problems(content))


def _png_problems(content: bytes, *, figure: bool) -> Iterator[str]:
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            grey = image.convert("L")
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        yield f"does not decode ({error})"
        return
    if figure and not COLUMN * DPI - 1 <= grey.width <= TEXT * DPI + 1:
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
        whole = json.loads(content)
        values = list(numbers(whole))
    except ValueError as error:
        yield f"does not decode ({error})"
        return
    excused = isinstance(whole, dict) and "why" in whole  # of images without labels, no accuracy is known
    if not (values or excused) or not all(map(math.isfinite, values)):
        yield "without numbers, or with numbers that are not finite"
