"""DVC's ledger, dvc.lock, which a killed DVC or a merge can leave unreadable."""

from pathlib import Path
from typing import Any

from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from voluptuous import Invalid

from dvcrules.errors import unreadable_ledger

LEDGER = "dvc.lock"


def read_ledger(path: Path, yaml: YAML | None = None) -> dict[str, Any]:
    """What a ledger holds; nothing, where there is none.

    Raises:
        BridgeError: it is no ledger.
    """
    if not path.exists():
        return {}
    try:
        content = (yaml or YAML(typ="safe")).load(path)
    except YAMLError as error:
        raise unreadable_ledger(path, "not valid YAML") from error
    if not isinstance(content, dict):
        raise unreadable_ledger(path, "empty")
    try:
        COMPILED_LOCKFILE_SCHEMA(content)
    except Invalid as error:  # what is cut off may still be YAML
        raise unreadable_ledger(path, "cut off, or none of DVC's") from error
    return content


def records(root: Path) -> dict[str, Any]:
    """The jobs that ``root/dvc.lock`` records, by name."""
    return read_ledger(root / LEDGER).get("stages", {})
