"""The page of the claims for a browser, as the report shows it."""

import base64
from pathlib import Path

from markdown_it import MarkdownIt

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
  body { margin: 0 auto; max-width: 75rem; padding: 1rem; color: #222; font: 15px/1.45 sans-serif; }
  img { max-width: 100%; }
  table { display: block; overflow-x: auto; border-collapse: collapse; margin: .8rem 0; }
  td, th { padding: .25rem .7rem .25rem 0; text-align: left; vertical-align: top; }
  td { border-top: 1px solid #ddd; }
</style>
</head>
<body>
BODY</body>
</html>
"""
# A browser may lack a font of coloured marks: there, shapes that every font has, as in the forest plot
_SHAPES = {
    "🔵": ("●", "#0072b2"),
    "🟠": ("◆", "#d55e00"),
    "🟣": ("■", "#b0578d"),
    "⚪": ("▲", "#767676"),
    "🟡": ("◐", "#8a6d00"),
    "⚫": ("×", "#767676"),
}


def as_html(markdown: str, folder: Path) -> str:
    """A Markdown page as one HTML file that needs no network.

    Args:
        markdown: the page; its pictures are PNG.
        folder: where the page lies; its pictures are put into the file.
    """
    parser = MarkdownIt("commonmark").enable("table")
    tokens = parser.parse(markdown)
    for token in tokens:
        for child in token.children or []:
            if child.type == "image":
                picture = (folder / str(child.attrs["src"])).read_bytes()
                child.attrs["src"] = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    body = parser.renderer.render(tokens, parser.options, {})
    for mark, (shape, colour) in _SHAPES.items():
        body = body.replace(mark, f'<span style="color: {colour}">{shape}</span>')
    return _PAGE.replace("BODY", body)
