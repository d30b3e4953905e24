"""Numbers that a document quotes, filled in from the results: nobody types one, and none grows old.

A quotation stands between two comments, which no viewer shows, and names its file:
``<!--=FILE.json mean.kl .1f-->19.5<!--/-->`` is a value by its keys (``_`` for a space), with a format,
``<!--=FILE.csv method=PCA,measure=kl .2f-->…<!--/-->`` the mean ``value`` of a table's rows, and
``<!--=FILE.md table-->…<!--/-->`` the first table of a page.
"""

import json
import re
from pathlib import Path

import pandas as pd

from npvae.errors import NpvaeError

_QUOTATION = re.compile(r"(<!--=([^>]+?)-->)(.*?)(<!--/-->)", re.DOTALL)


def filled(text: str, root: Path) -> str:
    """A document's text with every quotation as the results have it.

    Args:
        text: of the document.
        root: the folder that the files are named from.

    Raises:
        NpvaeError: a quotation asks for what its file does not hold; it is named.
    """

    def fill(found: re.Match[str]) -> str:
        try:
            return found[1] + _value(root, *found[2].split()) + found[4]
        except (KeyError, IndexError, TypeError, ValueError, OSError) as error:
            raise NpvaeError(f"{found[1]}: not in the results ({error})") from None

    return _QUOTATION.sub(fill, text)


def _value(root: Path, file: str, key: str, shape: str = "") -> str:
    path = root / file
    if path.suffix == ".md":
        return f"\n\n{_first_table(path.read_text().splitlines())}\n\n"
    value = _of_table(path, key) if path.suffix == ".csv" else _of_data(path, key)
    return format(value, shape).replace("%", " %")


def _first_table(lines: list[str]) -> str:
    first = next(index for index, line in enumerate([*lines, "|"]) if line.startswith("|"))
    last = next((index for index in range(first, len(lines)) if not lines[index]), len(lines))
    if first == len(lines):
        raise ValueError("no table")
    return "\n".join(lines[first:last])


def _of_table(path: Path, key: str) -> float:
    table = pd.read_csv(path)
    for column, _, value in (pair.partition("=") for pair in key.split(",")):
        table = table[table[column].astype(str).str.replace(" ", "_") == value]
    if table.empty:
        raise ValueError("no such row")
    return float(table["value"].mean())


def _of_data(path: Path, key: str) -> object:
    value = json.loads(path.read_bytes())
    for part in key.split("."):
        if isinstance(value, list):
            value = value[int(part)]
        else:
            value = value[part if part in value else part.replace("_", " ")]
    return value
