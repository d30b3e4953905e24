"""Measures as tables, written and read again."""

import io

import pandas as pd
import torch

from npvae.measures.tables import items_table, values_table
from npvae.measures.yardstick import Eye


def test_a_row_names_model_seed_classifier_and_measure() -> None:
    table = values_table({Eye("a", 1): 2.0, Eye("b"): 3.5}, model="vae", z_dim=2, seed=4)
    text = table.to_csv(index=False)
    header, *rows = text.splitlines()
    assert header == "model,z_dim,seed,classifier,measure,value"
    assert rows == ["vae,2,4,1,a,2.0", "vae,2,4,,b,3.5"]
    assert pd.read_csv(io.StringIO(text))["classifier"].isna().tolist() == [False, True]


def test_items_are_averaged_over_the_seeds() -> None:
    table = items_table([{"a": torch.tensor([1.0, 2.0])}, {"a": torch.tensor([3.0, 6.0])}])
    assert table.to_dict("list") == {"measure": ["a", "a"], "item": [0, 1], "value": [2.0, 4.0]}
