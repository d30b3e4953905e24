"""Made-up measures of three models, with noise over seeds, images and classifiers."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from npvae.verdicts.tables import Measures, Term

Level = Callable[[int], float]
REAL = {"sample_nearest": 6.0, "sample_mmd2": 0.0, "sample_confidence": 0.99}
SEEN = ("sample_mmd2", "sample_confidence", "sample_label_distance", "midpoint", "_confidence")
OF_X = {
    "match_r2": 0.8,
    "reconstruction_from_x": 75.0,
    "negative_log_likelihood_x": 100.0,
    "length_scale": 2.0,
    "sample_mmd2": 0.01,
    "sample_mmd2_pixels": 0.01,
    "sample_confidence": 0.95,
    "sample_label_distance": 0.05,
    "sample_nearest": 5.0,
    "linear_x_confidence": 0.95,
    "linear_x_nearest": 3.0,
    "linear_x_midpoint_confidence": 0.95,
    "linear_x_midpoint_third": 0.1,
    "linear_x_midpoint_mmd2": 0.01,
}


def _constant(value: float) -> Level:
    return lambda z: value


def _levels() -> dict[tuple[str, str], Level]:
    """Measures for which every condition holds, as functions of the dimension of Z."""
    levels: dict[tuple[str, str], Level] = {}
    for model in ("vae", "npvae", "advised"):
        levels[model, "reconstruction"] = lambda z: 140.0 - 10 * math.log(z)
        levels[model, "negative_log_likelihood"] = _constant(100.0)
        levels[model, "digit_accuracy"] = _constant(0.7 if model == "vae" else 0.9)
    for measure, value in OF_X.items():
        for model in ("npvae", "advised"):
            for suffix in ("", "_loo"):
                levels[model, measure + suffix] = _constant(value)
    for density in ("", "_mixture", "_kde"):
        for features in ("", "_pixels"):
            levels["vae", f"sample_mmd2{features}{density}"] = _constant(0.05)
    levels["vae", "sample_confidence"] = _constant(0.8)
    levels["vae", "sample_label_distance"] = _constant(0.1)
    for path in ("linear_z", "slerp_z"):
        for measure, value in {
            "confidence": 0.85,
            "nearest": 4.0,
            "midpoint_confidence": 0.85,
            "midpoint_third": 0.3,
            "midpoint_mmd2": 0.05,
        }.items():
            levels["vae", f"{path}_{measure}"] = _constant(value)
    return levels


def _by_image(measure: str) -> bool:
    plain = measure.removesuffix("_loo")
    return plain in (
        "digit_accuracy",
        "reconstruction",
        "reconstruction_from_x",
        "negative_log_likelihood",
        "negative_log_likelihood_x",
    ) or plain.endswith("midpoint_confidence")


def _made_up(
    changes: Mapping[tuple[str, str], Level] | None = None,
    *,
    noise: float = 1e-3,
    z_dims: Sequence[int] = (2, 20, 500),
    seeds: int = 8,
    classifiers: int = 5,
    models: Sequence[str] = ("vae", "npvae", "advised"),
) -> tuple[pd.DataFrame, dict[Term, pd.Series]]:
    random = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    items: dict[Term, pd.Series] = {}
    for (model, measure), level in {**_levels(), **(changes or {})}.items():
        if model not in models:
            continue
        for z_dim in z_dims:
            value = level(z_dim)
            seen = any(word in measure for word in SEEN) and "pixels" not in measure
            alone = measure.startswith(("linear", "slerp")) and "_midpoint" not in measure
            shape = (seeds, classifiers if seen and not alone else 1)
            relative = random.normal(0, noise, (shape[0], 1)) + random.normal(0, noise / 2, (1, shape[1]))
            values = value + max(abs(value), 0.1) * (relative + random.normal(0, noise / 4, shape))
            rows += [
                {
                    "model": model,
                    "z_dim": z_dim,
                    "seed": seed,
                    "classifier": classifier if seen else pd.NA,
                    "measure": measure,
                    "value": values[seed, classifier],
                }
                for seed in range(seeds)
                for classifier in range(shape[1])
            ]
            if _by_image(measure):
                spread = random.normal(0, noise, 50)
                spread -= spread.mean()
                items[Term(model, z_dim, measure)] = pd.Series(values.mean() * (1 + spread))
    table = pd.DataFrame(rows).astype({"classifier": "Int64"})
    return table, items


@pytest.fixture
def tables() -> Callable[..., tuple[pd.DataFrame, dict[Term, pd.Series]]]:
    """Tables on which all claims are supported, with some levels, given by (model, measure), replaced."""
    return _made_up


@pytest.fixture
def made_up() -> Callable[..., Measures]:
    """The same as measures."""

    def measures(*args: Any, **kwargs: Any) -> Measures:
        return Measures(*_made_up(*args, **kwargs), REAL)

    return measures
