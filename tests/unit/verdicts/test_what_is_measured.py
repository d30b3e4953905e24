"""The conditions meet what the suite measures: each by its name, with seeds, classifiers and images."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from npvae.data.images import Split
from npvae.errors import NpvaeError
from npvae.measures.classifier import Classifier
from npvae.measures.suite import measure
from npvae.measures.tables import items_table, values_table
from npvae.measures.yardstick import Yardstick
from npvae.model.vae import build
from npvae.settings import Measuring, ModelName, Network, Objective
from npvae.verdicts.claims import READINGS, Reading, judge_claims
from npvae.verdicts.first_rules import first_verdicts
from npvae.verdicts.tables import BY_LABEL, Measures, Term, read_items, read_measures

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


def without_labels(split: Split) -> Split:
    return Split(split.images, torch.zeros_like(split.labels))


@pytest.fixture(scope="module")
def measures(tmp_path_factory: pytest.TempPathFactory) -> Measures:
    classifiers = [Classifier().eval(), Classifier().eval()]
    yardstick = Yardstick(classifiers, split(60, 0), split(30, 1), SIZES)
    return measured(yardstick, tmp_path_factory.mktemp("measures"))


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory: pytest.TempPathFactory) -> Measures:
    yardstick = Yardstick([], *map(without_labels, (split(60, 0), split(30, 1))), SIZES)
    return measured(yardstick, tmp_path_factory.mktemp("unlabelled"), "no labels")


def measured(yardstick: Yardstick, folder: Path, why: str | None = None) -> Measures:
    """Two untrained models of each kind at Z = 2 and 3, measured, written and read."""
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
    return Measures(pd.concat(tables, ignore_index=True), items, yardstick.real_images(), why)


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


def test_without_labels_exactly_the_measures_that_need_them_are_missing(
    measures: Measures, unlabelled: Measures
) -> None:
    told = {term for term in measures.terms if BY_LABEL.fullmatch(term.measure)}
    assert unlabelled.terms.keys() == measures.terms.keys() - told
    assert unlabelled.real.keys() == {name for name in measures.real if not BY_LABEL.fullmatch(name)}


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.name)
def test_without_labels_the_conditions_that_need_none_are_judged(
    measures: Measures, unlabelled: Measures, reading: Reading
) -> None:
    judged = judge_claims(unlabelled, reading)
    names = [[found.condition.first.measure.removesuffix("_loo") for found in one.primary] for one in judged]
    assert names == [[], ["reconstruction"] * 2, ["reconstruction_from_x"], [], []]
    assert [one.verdict for one in judged if not one.primary] == ["no verdict"] * 3
    secondary = {
        found.condition.first.measure.removesuffix("_loo") for one in judged for found in one.secondary
    }
    assert secondary == {
        "reconstruction",
        "reconstruction_from_x",
        "negative_log_likelihood",
        "negative_log_likelihood_x",
        "sample_mmd2_pixels",
        "sample_nearest",
        "linear_x_nearest",
    }
    whole = judge_claims(measures, reading)
    kept = [
        [f.condition for f in one.secondary if not BY_LABEL.fullmatch(f.condition.first.measure)]
        for one in whole
    ]
    assert [[found.condition for found in one.secondary] for one in judged] == kept


def test_measures_that_no_labels_excuse_are_missed(unlabelled: Measures) -> None:
    rows = unlabelled._table
    cut = Measures(
        rows[rows["measure"] != "reconstruction_from_x"], unlabelled._items, unlabelled.real, "none"
    )
    with pytest.raises(NpvaeError, match="reconstruction_from_x of npvae at Z = 3: missing"):
        judge_claims(cut, READINGS[0])


def test_the_first_rules_find_their_measures(measures: Measures) -> None:
    assert len(first_verdicts(measures)) == 5
