"""Measures as tables: what is written, and what the verdicts and the sweep read."""

from collections.abc import Mapping, Sequence

import pandas as pd
import torch
from torch import Tensor

from npvae.measures.yardstick import Values


def values_table(values: Values, **which: object) -> pd.DataFrame:
    """A row per measure and classifier: the columns of ``which``, ``classifier``, ``measure``, ``value``."""
    table = pd.DataFrame([{**which, "measure": eye.measure, "value": value} for eye, value in values.items()])
    # whole numbers, with nothing where no classifier looks
    eyes = pd.array([eye.classifier for eye in values], dtype="Int64")
    table.insert(len(which), "classifier", eyes)
    return table


def items_table(seeds: Sequence[Mapping[str, Tensor]]) -> pd.DataFrame:
    """Items ``[N]`` of each measure, averaged over the seeds: columns ``measure``, ``item``, ``value``."""
    tables = []
    for name in seeds[0]:
        mean = torch.stack([items[name] for items in seeds]).mean(0).cpu()
        tables.append(pd.DataFrame({"measure": name, "item": range(len(mean)), "value": mean.float()}))
    return pd.concat(tables, ignore_index=True)
