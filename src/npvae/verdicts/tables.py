"""The measures' tables, read as what they must be."""

from pathlib import Path

import pandas as pd

from npvae.errors import NpvaeError
from npvae.verdicts.claims import Measures

COLUMNS = ["model", "z_dim", "seed", "measure", "value"]


def read_measures(path: Path, *, seeds: int) -> pd.DataFrame:
    """The table of one model at one Z; every measure must have all ``seeds``, from 0 on, and finite values.

    Raises:
        NpvaeError: it does not; the message names the file, the measure and the seed.
    """
    try:
        table = pd.read_csv(path)
        Measures(table[COLUMNS], {})
    except (ValueError, KeyError, TypeError) as error:
        raise NpvaeError(f"{path}: not a table of measures ({' '.join(str(error).split())})") from None
    except NpvaeError as error:
        raise NpvaeError(f"{path}: {error}") from None
    for measure, rows in table.groupby("measure", sort=False):
        if missing := sorted(set(range(seeds)) - set(rows["seed"])):
            raise NpvaeError(f"{path}: {measure}: no value of seed {missing[0]}")
    return table
