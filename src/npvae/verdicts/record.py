"""The verdicts as data: every number behind them, and the file and measure that it comes from."""

import math
from typing import Any

from npvae.verdicts.claims import Judged, Reading
from npvae.verdicts.conditions import EQUIVALENCE, Finding, why_no_verdict
from npvae.verdicts.tables import Measures, Term


def claims_data(
    measures: Measures, judged: dict[Reading, list[Judged]], origin: list[str], pattern: str
) -> dict[str, Any]:
    """Every claim in every reading, and on what all of it ran; finite numbers or None throughout.

    Args:
        measures: that were judged.
        judged: the claims, by reading, each in the same order.
        origin: on what the models were trained and measured, a sentence each.
        pattern: the measures' tables, with ``{model}`` and ``{z}``.
    """
    return {
        "origin": origin,
        "seeds": measures.seeds,
        "z_dims": measures.z_dims,
        "no_verdict": why_no_verdict(measures),
        "unlabelled": measures.unlabelled,
        "claims": [
            {
                "claim": first.claim.name,
                "words": first.claim.words,
                "measure": first.claim.measure,
                "unit": first.claim.unit,
                "verdict": first.verdict,
                "readings": {one.reading.name: _reading(one, pattern) for one in claim},
            }
            for claim in zip(*judged.values(), strict=True)
            for first in [claim[0]]
        ],
    }


def _reading(judged: Judged, pattern: str) -> dict[str, Any]:
    corrected = zip(judged.secondary, judged.holm, strict=True)
    return {
        "model": judged.reading.model,
        "verdict": judged.verdict,
        "primary": [_finding(found, pattern) | {"outcome": found.outcome} for found in judged.primary],
        "secondary": [_finding(found, pattern) | {"p_holm": p} for found, p in corrected],
    }


def _finding(found: Finding, pattern: str) -> dict[str, Any]:
    condition, tested = found.condition, found.tested
    terms = [term for term in (condition.first, condition.second) if term]
    return {
        "rule": condition.rule,
        "label": condition.label,
        "side": condition.side,
        "bound": found.bound,
        "relative_bound": condition.bound if condition.relative else None,
        "margin": condition.margin,
        "within_margin": found.negligible,
        "compared": [_term(term, mean, pattern) for term, mean in zip(terms, found.means, strict=True)],
        "difference": found.difference,
        "se": tested and tested.se,
        "df": tested.df if tested and math.isfinite(tested.df) else None,
        "components": [component._asdict() for component in found.components],
        "interval_95": found.interval(),
        "interval_90": found.interval(EQUIVALENCE),
        "p": tested and tested.p(),
    }


def _term(term: Term, mean: float, pattern: str) -> dict[str, Any]:
    file = pattern.replace("{model}", term.model).replace("{z}", str(term.z_dim))
    return {**term._asdict(), "mean": mean, "file": file}
