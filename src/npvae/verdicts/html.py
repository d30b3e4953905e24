"""The page of the claims for a browser, as the report shows it."""

from markdown_it import MarkdownIt

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
  body { margin: 0 auto; max-width: 75rem; padding: 1rem; color: #222; font: 15px/1.45 sans-serif; }
  table { display: block; overflow-x: auto; border-collapse: collapse; margin: .8rem 0; }
  td, th { padding: .25rem .7rem .25rem 0; text-align: left; vertical-align: top; }
  td { border-top: 1px solid #ddd; }
</style>
</head>
<body>
BODY</body>
</html>
"""


def as_html(markdown: str) -> str:
    """A Markdown page as one HTML file that needs no network."""
    return _PAGE.replace("BODY", MarkdownIt("commonmark").enable("table").render(markdown))
