"""The page: the plot is Bokeh's, the decoding ``page.js``'s; all of it, the data too, is in the one file."""

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import numpy as np
from bokeh.embed import json_item
from bokeh.models import ColumnDataSource, Range1d
from bokeh.plotting import figure
from bokeh.resources import Resources
from jinja2 import Environment, StrictUndefined

from npvae.figures import style
from npvae.figures.style import Array
from npvae.settings import ModelName

Parts = Mapping[tuple[ModelName, int], Mapping[str, Array]]
_ROOM = files("npvae.explorer")
SETTINGS: dict[ModelName, str] = {"npvae": "the paper's", "advised": "advised"}  # models with an X


def page(parts: Parts, images: Array, digits: Array, *, of: int, data: str = "mnist") -> str:
    """The whole page (HTML).

    Args:
        parts: of each model at each Z, what ``part`` of :mod:`npvae.explorer.part` gave.
        images: the test images that the page shows, ``[N, rows, columns]``, uint8.
        digits: their labels ``[N]``; if all are the same, the page says nothing of them.
        of: how many test images there are.
        data: the data set's name.
    """
    colours, what = style.palette(digits), style.kind(data)
    labelled = len(colours) > 1
    with_x = {key: part for key, part in parts.items() if "x" in part}
    blobs = _Blobs()
    content = {
        "images": blobs.add(images),
        "digits": digits.tolist(),
        "colours": colours,
        "what": what if labelled else None,
        "parts": {
            f"{model} {z_dim}": {name: blobs.add(array) for name, array in part.items() if name != "error"}
            for (model, z_dim), part in parts.items()
        },
        "views": {
            f"{model} {z_dim}": _view(part, digits if 1 < len(colours) <= style.NAMED else digits[:0])
            for (model, z_dim), part in with_x.items()
        },
    }
    environment = Environment(undefined=StrictUndefined, autoescape=True)
    template = environment.from_string((_ROOM / "page.html").read_text(encoding="utf-8"))
    return template.render(
        models={model: SETTINGS[model] for model, _ in with_x},
        z_dims=sorted({z_dim for _, z_dim in with_x}),
        data="MNIST" if data == "mnist" else data,
        shown=len(digits),
        of=of,
        rows=images.shape[1],
        columns=images.shape[2],
        what=what,
        colours=colours if labelled else {},
        style=(_ROOM / "page.css").read_text(encoding="utf-8"),
        scripts=[
            *Resources(mode="inline", components=["bokeh"]).js_raw,
            (_ROOM / "page.js").read_text(encoding="utf-8"),
        ],
        plot=_json(json_item(_plot())),
        content=_json(content),
        payload=base64.b64encode(gzip.compress(blobs.joined(), mtime=0)).decode(),
    )


class _Blobs:
    """Arrays one after another, each of which is kept once: two models may share a decoder."""

    def __init__(self) -> None:
        self._parts: dict[str, tuple[int, bytes]] = {}
        self._end = 0

    def add(self, array: Array) -> dict[str, Any]:
        """Where the page finds an array; strings it reads as they are."""
        if array.dtype.kind == "U":
            return {"values": array.tolist()}
        content = np.ascontiguousarray(array).tobytes()
        content += bytes(-len(content) % 4)  # float32 must begin at a multiple of 4
        name = hashlib.sha256(content).hexdigest()
        if name not in self._parts:
            self._parts[name] = self._end, content
            self._end += len(content)
        return {"type": array.dtype.name, "shape": array.shape, "offset": self._parts[name][0]}

    def joined(self) -> bytes:
        return b"".join(content for _, content in self._parts.values())


def _view(part: Mapping[str, Array], digits: Array) -> dict[str, Any]:
    window = style.window(part["x"], ratios=(1, 1))
    return {
        "window": window,
        "middles": style.middles(part["x"], digits, window),
        "error": part["error"].tolist(),
    }


def _plot() -> Any:
    """An empty plot, square and without tools; the page's script fills its sources by name."""
    plot: Any = figure(
        name="plane",
        tools="",
        toolbar_location=None,
        x_range=Range1d(start=0, end=1),
        y_range=Range1d(start=0, end=1),
        sizing_mode="scale_width",
        aspect_ratio=1,
        min_border=0,
        outline_line_color=style.FAINT,
        output_backend="canvas",
    )
    plot.axis.visible = False
    plot.grid.visible = False
    columns = {"dots": ["colour"], "names": ["digit"], "chosen": [], "path": [], "place": []}
    sources = {
        name: ColumnDataSource({column: [] for column in ("x", "y", *more)}, name=name)
        for name, more in columns.items()
    }
    plot.scatter("x", "y", source=sources["dots"], size=4, color="colour", line_color=None)
    plot.line("x", "y", source=sources["path"], line_width=2, color=style.INK)
    plot.scatter(
        "x", "y", source=sources["chosen"], size=11, fill_color=None, line_color=style.INK, line_width=2
    )
    plot.text(
        "x",
        "y",
        "digit",
        source=sources["names"],
        text_color=style.INK,
        background_fill_color="white",
        background_fill_alpha=0.8,
        border_radius=4,
        padding=2,
        text_align="center",
        text_baseline="middle",
        text_font_size="15px",
        text_font_style="bold",
    )
    plot.scatter("x", "y", source=sources["place"], marker="cross", size=16, color=style.INK, line_width=1.5)
    return plot


def _json(value: Any) -> str:
    """JSON that can stand in a script element."""
    return json.dumps(value, separators=(",", ":")).replace("</", "<\\/")
