"""Stages that DVC makes for each item of a foreach or matrix, as Snakemake sees them: paths with wildcards.

DVC resolves the stage's template itself, once more, with a wildcard in the place of each value.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dvc.dvcfile import ProjectFile
from dvc.parsing import EntryDefinition, ForeachDefinition, MatrixDefinition
from dvc.parsing.context import Node
from dvc.parsing.interpolate import to_str

KEY = "key"  # a wildcard that every templated stage has: what DVC writes after the @


class Template(NamedTuple):
    """A foreach or matrix stage.

    Args:
        outs: absolute paths of its plots, metrics and other outputs, with ``{wildcards}`` for the values.
        jobs: ways to write the name of a job with wildcards.
        values: of the wildcards, for each job by what DVC writes after the @.
    """

    outs: list[str]
    jobs: tuple[str, ...]
    values: dict[str, dict[str, str]]


def template(file: ProjectFile, name: str) -> Template | None:
    """The stage ``name`` of a dvc.yaml, if it is made for the items of a foreach or a matrix."""
    definition = file.resolver.definitions[name]
    if not isinstance(definition, ForeachDefinition | MatrixDefinition):
        return None
    values: dict[str, dict[str, str]] = {}
    for key, item in definition.normalized_iterable.items():
        values[key] = {KEY: key}
        placeholders = _placeholders(item, values[key])
    keys = [f"{{{KEY}}}"]
    if isinstance(placeholders, str):
        keys.insert(0, placeholders)
    elif isinstance(definition, MatrixDefinition):
        parts = list(placeholders.values())
        if all(isinstance(part, str) for part in parts):  # of a list or mapping, DVC writes the position
            keys.insert(0, "-".join(parts))
    jobs = tuple(f"{name}@{key}" for key in keys)
    return Template(_outs(file, name, definition, placeholders), jobs, values)


def _outs(
    file: ProjectFile, name: str, definition: ForeachDefinition | MatrixDefinition, item: Any
) -> list[str]:
    """Absolute paths with wildcards: plots, metrics, outputs."""
    kinds = ("plots", "metrics", "outs")
    entry = {key: value for key, value in definition.template.items() if key in ("wdir", "vars", *kinds)}
    resolver = file.resolver
    stage = EntryDefinition(resolver, resolver.context, name, entry)
    with resolver.context.set_temporarily({"item": item, "key": f"{{{KEY}}}"}, reserve=True):
        resolved = stage.resolve_stage(skip_checks=True)[name]
    outs = [out for kind in kinds for out in resolved.get(kind, [])]
    folder = Path(file.path).parent / resolved.get("wdir", ".")
    paths = (out if isinstance(out, str) else next(iter(out)) for out in outs)  # or with options
    return [os.path.normpath(folder / path) for path in paths]


def _placeholders(item: Any, values: dict[str, str], *path: str) -> Any:
    """An item of DVC's with a wildcard in the place of each value; the value goes to ``values``.

    The wildcard has the name of the value's keys, such as ``network_depth``; that of a bare value, ``item``.
    """
    item = item.value if isinstance(item, Node) else item
    if isinstance(item, Mapping):
        return {key: _placeholders(value, values, *path, str(key)) for key, value in item.items()}
    if isinstance(item, list):
        return [_placeholders(value, values, *path, str(i)) for i, value in enumerate(item)]
    wildcard = re.sub(r"\W", "_", "_".join(path)) or "item"
    if wildcard == KEY or wildcard[0].isdigit():
        wildcard = f"item_{wildcard}"
    values[wildcard] = to_str(item)
    return f"{{{wildcard}}}"
