"""The measures' tables, read as what they must be."""

import io
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from npvae.errors import NpvaeError
from npvae.files import reading
from npvae.verdicts.statistics import Sample

KEYS = ["model", "z_dim", "seed", "classifier", "measure"]
COLUMNS = [*KEYS, "value"]
# along whole paths the first classifier looks alone: their intervals don't cover the choice of it
ALONG = re.compile(r"(linear|slerp)_[xz]_(confidence|entropy|digit_changes)(_loo)?")
# what is told by labels, or by classifiers that learned from them
BY_LABEL = re.compile(
    r"(digit_accuracy|silhouette|sample_(mmd2(?!_pixels)|confidence|entropy|label_distance)"
    r"|(linear|slerp)_[xz]_(confidence|entropy|digit_changes|midpoint)).*"
)
ITEMS = ["measure", "item", "value"]


class Term(NamedTuple):
    """One measure of one model at one Z."""

    model: str
    z_dim: int
    measure: str

    def __str__(self) -> str:
        return f"{self.measure} of {self.model} at Z = {self.z_dim}"


class Measures:
    """All that was measured; nothing in it is missing, double or no number.

    Args:
        table: tidy: ``model``, ``z_dim``, ``seed``, ``classifier`` (empty where none was used), ``measure``,
            ``value``. Every measure of every model and Z must have the same seeds.
        items: a measure's value for each test image or pair of images, averaged over seeds and classifiers,
            by the image's index.
        real: the same measures of real images.
        unlabelled: why no measure is told by labels; None where some are.

    Raises:
        NpvaeError: a value stands twice, is missing or is not finite, or the values by image are not those of
            the table; it is named.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        items: Mapping[Term, pd.Series],
        real: Mapping[str, float],
        unlabelled: str | None = None,
    ) -> None:
        _refuse(table, KEYS, lambda row: f"{Term(row.model, row.z_dim, row.measure)}{_place(row)}")
        self.real, self.unlabelled = real, unlabelled
        self.seeds = int(table["seed"].nunique())
        self.z_dims: list[int] = sorted(table["z_dim"].unique().tolist())
        self.models: list[str] = table["model"].unique().tolist()
        self._table, self._items = table, items

    @cached_property
    def terms(self) -> dict[Term, Sample]:
        """Every measure of every model at every Z, in the order of the tables."""
        seeds = sorted(self._table["seed"].unique().tolist())
        return {
            Term(*key): _sample(Term(*key), rows, seeds, self._items.get(Term(*key)))
            for key, rows in self._table.groupby(["model", "z_dim", "measure"], sort=False)
        }

    def of(self, term: Term) -> Sample:
        """One measure of one model at one Z.

        Raises:
            NpvaeError: there is none.
        """
        if term not in self.terms:
            raise NpvaeError(f"{term}: missing")
        return self.terms[term]

    def images(self, term: Term) -> list[int]:
        """Of which images or pairs the values by image are."""
        return list(self._items[term].index)


def read_measures(path: Path, *, seeds: int, classifiers: int) -> pd.DataFrame:
    """The table of one model at one Z: each measure of all seeds, and classifiers where any, from 0 on.

    Raises:
        NpvaeError: it does not have them, or others; the message names the file, the measure and the seed.
    """
    with reading(path, "a table of measures"):
        text = path.read_text()
        if not text.endswith("\n"):  # what is left of its last number may be a number, too
            raise ValueError("cut off in its last line")
        table = pd.read_csv(io.StringIO(text))[COLUMNS]
        if table.empty:
            raise ValueError("it has no rows")
        table = table.astype({"seed": int, "classifier": "Int64", "value": float})
    _refuse(table, KEYS, lambda row: f"{path}: {Term(row.model, row.z_dim, row.measure)}{_place(row)}")
    for measure, rows in table.groupby("measure", sort=False):
        eyes = range(1 if ALONG.fullmatch(str(measure)) else classifiers)
        expected = pd.MultiIndex.from_product(
            [range(seeds), eyes if rows["classifier"].notna().any() else [-1]], names=["seed", "classifier"]
        )
        found = pd.MultiIndex.from_frame(rows[["seed", "classifier"]].fillna(-1).astype(int))
        missing, foreign = expected.difference(found), found.difference(expected)
        for wrong, what in ((missing, "no value"), (foreign, "a value")):
            for seed, classifier in wrong:
                through = f", classifier {classifier}" if classifier >= 0 else ""
                raise NpvaeError(f"{path}: {measure}: {what} of seed {seed}{through}")
    return table


def require_means(path: Path, table: pd.DataFrame, written: Path, means: Mapping[str, float]) -> None:
    """Check a table against the means that were written beside it: a digit that has changed shows there.

    Raises:
        NpvaeError: they are not its means; the message names both files and the measure.
    """
    found = table.groupby("measure", sort=False)["value"].mean()
    for measure in dict.fromkeys((*found.index, *means)):
        stated = means.get(measure, np.nan)
        if not np.isclose(found.get(measure, np.nan), stated, rtol=1e-9, atol=1e-12):
            raise NpvaeError(
                f"{path}: {measure}: its mean is {found.get(measure, np.nan):.6g}, and {written} says "
                f"{stated:.6g}; one of the two was changed: `npvae check` says which"
            )


def read_items(path: Path, model: str, z_dim: int) -> dict[Term, pd.Series]:
    """A model's measures by test image or pair of images, each a series over their indices.

    Raises:
        NpvaeError: not such a table, or a value is double or not finite; the message names the file.
    """
    with reading(path, "a table of measures by image"):
        table = pd.read_parquet(path)[ITEMS].astype({"value": float})
    _refuse(table, ITEMS[:2], lambda row: f"{path}: {row.measure} of item {row.item}")
    return {
        Term(model, z_dim, str(measure)): rows.set_index("item")["value"].astype(float).sort_index()
        for measure, rows in table.groupby("measure", sort=False, observed=True)
    }


def _refuse(table: pd.DataFrame, keys: list[str], name: Callable[[Any], str]) -> None:
    for wrong, what in (
        (table.duplicated(keys), "stands twice"),
        (~np.isfinite(table["value"].astype(float)), "is not a finite number"),
    ):
        for row in table[wrong].itertuples():
            raise NpvaeError(f"{name(row)}: {what}")


def _place(row: Any) -> str:
    through = "" if pd.isna(row.classifier) else f", classifier {int(row.classifier)}"
    return f", seed {row.seed}{through}"


def _sample(term: Term, rows: pd.DataFrame, seeds: list[int], items: pd.Series | None) -> Sample:
    crossed = bool(rows["classifier"].notna().any())
    values = (
        rows.assign(classifier=rows["classifier"].fillna(-1).astype(int))
        .pivot(index="seed", columns="classifier", values="value")
        .sort_index()
        .reindex(seeds)
    )
    for seed, classifier in values.isna().stack()[lambda missing: missing].index:
        through = f", classifier {classifier}" if crossed else ""
        raise NpvaeError(f"{term}, seed {seed}{through}: missing")
    if items is not None and not np.isclose(items.mean(), values.to_numpy().mean(), rtol=1e-3, atol=1e-6):
        raise NpvaeError(
            f"{term}: its values by image average to {items.mean():.6g}, those by seed to "
            f"{values.to_numpy().mean():.6g}; they are not of the same run"
        )
    crossed = crossed and not ALONG.fullmatch(term.measure)
    return Sample(values.to_numpy(float), crossed, None if items is None else items.to_numpy(float))
