"""The conditions meet what the suite measures: each by its name, with seeds, classifiers and images."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from npvae.data.images import Split
from npvae.measures.classifier import Classifier
from npvae.measures.suite import measure
from npvae.measures.tables import items_table, values_table
from npvae.measures.yardstick import Yardstick
from npvae.model.vae import build
from npvae.settings import Measuring, ModelName, Network, Objective
from npvae.verdicts.claims import READINGS, Reading, judge_claims
from npvae.verdicts.first_rules import first_verdicts
from npvae.verdicts.tables import Measures, Term, read_items, read_measures

SIZES = Measuring(
    neighbours=3,
    samples=12,
    mixture_components=2,
    importance_samples=2,
    likelihood_images=4,
    subset=14,
    pairs=4,
    steps=3,
)
MODELS: tuple[ModelName, ...] = ("vae", "npvae", "advised")


def split(count: int, seed: int) -> Split:
    noise = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (count, 784), generator=noise, dtype=torch.uint8)
    return Split(images, torch.randint(10, (count,), generator=noise))


@pytest.fixture(scope="module")
def measures(tmp_path_factory: pytest.TempPathFactory) -> Measures:
    """Two untrained models of each kind at Z = 2 and 3, measured, written and read."""
    folder: Path = tmp_path_factory.mktemp("measures")
    yardstick = Yardstick([Classifier().eval(), Classifier().eval()], split(60, 0), split(30, 1), SIZES)
    tables: list[pd.DataFrame] = []
    items: dict[Term, pd.Series] = {}
    for model in MODELS:
        for z_dim in (2, 3):
            found = {}
            for seed in range(2):
                one = build(model, z_dim, Network(hidden_units=8), Objective(), seed=seed).eval()
                found[seed] = measure(one, yardstick, torch.arange(60), seed=seed)
            written = [
                values_table(each.values, model=model, z_dim=z_dim, seed=seed) for seed, each in found.items()
            ]
            pd.concat(written).to_csv(folder / "values.csv", index=False)
            by_image = items_table([each.items for each in found.values()])
            by_image.to_parquet(folder / "items.parquet", index=False)
            tables.append(read_measures(folder / "values.csv", seeds=2, classifiers=2))
            items |= read_items(folder / "items.parquet", model, z_dim)
    return Measures(pd.concat(tables, ignore_index=True), items, yardstick.real_images())


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.name)
def test_every_condition_finds_its_measures(measures: Measures, reading: Reading) -> None:
    for judged in judge_claims(measures, reading):
        assert judged.primary
        for found in judged.primary + judged.secondary:
            assert found.tested is not None
            sources = {part.source for part in found.components}
            seen = found.condition.first.measure.removesuffix("_loo")
            by_classifier = seen.startswith(("sample_mmd2", "sample_conf", "sample_label")) or "_mid" in seen
            assert ("classifiers" in sources) is (by_classifier and "pixels" not in seen)


def test_the_first_rules_find_their_measures(measures: Measures) -> None:
    assert len(first_verdicts(measures)) == 5
