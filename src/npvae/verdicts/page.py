"""The claims and their verdicts as a page for people (Markdown) and as data (JSON)."""

from typing import Any

import pandas as pd

from npvae.verdicts.claims import CLAIMS, Claim, Measures, verdict
from npvae.verdicts.statistics import Interval, interval

NAMES = {"vae": "plain VAE", "npvae": "nonparametric VAE"}


def claims_data(measures: Measures, origin: list[str]) -> dict[str, Any]:
    """Every claim with its verdict, its conditions and its headline measures, and on what all of it ran."""
    claims = []
    for claim in CLAIMS:
        conditions = claim.conditions(measures)
        claims.append(
            {
                "claim": claim.name,
                "words": claim.words,
                "measure": claim.measure,
                "verdict": verdict(conditions),
                "conditions": [condition._asdict() for condition in conditions],
                "values": [
                    {
                        "model": model,
                        "z_dim": z_dim,
                        "measure": measure,
                        "mean": mean,
                        "interval": _bounds(value),
                    }
                    for model, z_dim, measure, value in _headline(claim, measures)
                    for mean in [value.mean]
                ],
            }
        )
    return {"origin": origin, "claims": claims}


def claims_page(measures: Measures, comparators: pd.DataFrame, origin: list[str]) -> str:
    """One row per claim, then each claim's conditions and numbers.

    Args:
        measures: of all models.
        comparators: other embeddings; columns ``method``, ``measure``, ``value``.
        origin: on what the models were trained and measured, a sentence each.
    """
    seeds = sorted(measures.table["seed"].unique().tolist())
    lines = [
        "# The paper's claims, measured",
        "",
        f"Means over {len(seeds)} seeds with 95 % intervals (Student's t, paired by seed where models are "
        "compared), on MNIST's test images. A claim is supported if all its conditions hold, in part if some "
        "do. The conditions were fixed before the run: `src/npvae/verdicts/claims.py`. Every number comes "
        f"from the tables in `measures/`, those of other methods from `comparators.csv`. {' '.join(origin)}",
        "",
        "| claim, in the paper's words | measure | plain VAE | nonparametric VAE | verdict | why |",
        "|---|---|---|---|---|---|",
    ]
    details = []
    for claim in CLAIMS:
        conditions = claim.conditions(measures)
        headline = _headline(claim, measures)
        cells = [
            "<br>".join(
                f"{label}: {value}" for name, label, value in _labelled(claim, headline) if name == model
            )
            or "n/a"
            for model in NAMES
        ]
        failed = [condition.rule for condition in conditions if not condition.holds]
        why = f"{len(conditions) - len(failed)} of {len(conditions)} conditions hold"
        if failed:
            why += f"; not: {failed[0]}" + (f", and {len(failed) - 1} more" if len(failed) > 1 else "")
        lines.append(
            f"| **{claim.name}.** *{claim.words}* | {claim.measure} | {' | '.join(cells)} | "
            f"**{verdict(conditions)}** | {why} |"
        )
        details += [
            "",
            f"## {claim.name}: {verdict(conditions)}",
            "",
            "| condition | holds | evidence |",
            "|---|---|---|",
        ]
        details += [f"| {c.rule} | {'yes' if c.holds else 'no'} | {c.evidence} |" for c in conditions]
    return "\n".join([*lines, *details, *_tables(measures, comparators), ""])


def _headline(claim: Claim, measures: Measures) -> list[tuple[str, int, str, Interval]]:
    table = measures.table
    return [
        (model, z_dim, measure, interval(measures.of(model, z_dim, measure).to_numpy()))
        for model in NAMES
        for z_dim in measures.z_dims
        for measure in claim.headline
        if ((table["model"] == model) & (table["z_dim"] == z_dim) & (table["measure"] == measure)).any()
    ]


def _labelled(
    claim: Claim, headline: list[tuple[str, int, str, Interval]]
) -> list[tuple[str, str, Interval]]:
    paths = {"linear_z": "line in Z", "slerp_z": "arc in Z", "linear_x": "line in X"}
    labelled = []
    for model, z_dim, measure, value in headline:
        path = next((words for prefix, words in paths.items() if measure.startswith(prefix)), "")
        labelled.append((model, f"Z = {z_dim}" + (f", {path}" if path else ""), value))
    return labelled


def _tables(measures: Measures, comparators: pd.DataFrame) -> list[str]:
    lines = ["", "## All measures", "", "Mean ± half of the 95 % interval over seeds.", ""]
    columns = [(model, z_dim) for model in NAMES for z_dim in measures.z_dims]
    lines.append("| measure | " + " | ".join(f"{NAMES[m]}, Z = {z}" for m, z in columns) + " | real images |")
    lines.append("|---" * (len(columns) + 2) + "|")
    for measure in dict.fromkeys(measures.table["measure"]):
        cells = []
        for model, z_dim in columns:
            try:
                cells.append(str(interval(measures.of(model, z_dim, measure).to_numpy())))
            except KeyError:
                cells.append("n/a")
        real = f"{measures.real[measure]:.4g}" if measure in measures.real else "n/a"
        lines.append(f"| {measure} | " + " | ".join(cells) + f" | {real} |")
    wide = comparators.pivot(index="method", columns="measure", values="value")
    lines += ["", "## Other embeddings of the same images", ""]
    lines.append("| method | " + " | ".join(wide.columns) + " |")
    lines.append("|---" * (len(wide.columns) + 1) + "|")
    lines += [
        f"| {method} | " + " | ".join(f"{v:.3f}" for v in row) + " |" for method, row in wide.iterrows()
    ]
    return lines


def _bounds(value: Interval) -> list[float] | None:
    return [value.low, value.high] if value.high < float("inf") else None
