"""Numbers that a document quotes, filled in from the results: nobody types one, and none grows old.

A quotation stands between two comments, which no viewer shows: ``<!--=npvae 500 kl .1f-->19.5<!--/-->`` is a
measure's mean over seeds, ``<!--=verdict 2-->mixed<!--/-->`` the verdict on the second claim, and
``<!--=claims--><!--/-->`` the summary of results/claims.md.
"""

import json
import re
from functools import cache
from pathlib import Path

import pandas as pd

from npvae.errors import NpvaeError

_QUOTATION = re.compile(r"(<!--=([^>]+?)-->)(.*?)(<!--/-->)", re.DOTALL)


def filled(text: str, root: Path) -> str:
    """A document's text with every quotation as the results have it.

    Args:
        text: of the document.
        root: of the repository.

    Raises:
        NpvaeError: a quotation asks for what is not in the results; it is named.
    """

    def fill(found: re.Match[str]) -> str:
        try:
            return found[1] + _value(found[2].split(), root) + found[4]
        except (KeyError, IndexError, ValueError, OSError) as error:
            raise NpvaeError(f"{found[1]}: not in the results ({error})") from None

    return _QUOTATION.sub(fill, text)


def _value(words: list[str], root: Path) -> str:
    match words:
        case ["claims"]:
            return f"\n{_summary(root)}\n"
        case ["verdict", number]:
            return str(_claims(root)[int(number) - 1]["verdict"])
        case ["verdict", number, reading]:
            return str(_claims(root)[int(number) - 1]["readings"][reading.replace("_", " ")]["verdict"])
        case [model, z_dim, measure, shape]:
            return format(_means(root, model, z_dim)[measure], shape).replace("%", " %")
        case _:
            raise ValueError("model, Z, measure and format; verdict and number; or claims")


def _summary(root: Path) -> str:
    lines = (root / "results/claims.md").read_text().splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith("|"))
    last = next(index for index in range(first, len(lines)) if not lines[index])
    return "\n".join(lines[first:last])


@cache
def _claims(root: Path) -> list[dict[str, dict[str, dict[str, str]]]]:
    return json.loads((root / "results/claims.json").read_text())["claims"]


@cache
def _means(root: Path, model: str, z_dim: str) -> dict[str, float]:
    if model == "comparators":
        table = pd.read_csv(root / "results/comparators.csv")
        method = z_dim.replace("_", " ")
        return table[table["method"] == method].set_index("measure")["value"].to_dict()
    return json.loads((root / f"results/metrics/{model}-z{z_dim}.json").read_text())["mean"]
