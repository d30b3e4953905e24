"""The claims and their verdicts as a page for people: a table to read in a minute, then the rest."""

import math
from collections.abc import Iterable, Sequence

import pandas as pd

from npvae.verdicts.claims import LEARNED, LEAVE_ONE_OUT, Judged, Reading
from npvae.verdicts.conditions import EQUIVALENCE, Finding, why_no_verdict
from npvae.verdicts.first_rules import first_verdicts
from npvae.verdicts.statistics import interval
from npvae.verdicts.tables import Measures, Term

NAMES = {"vae": "plain VAE", "npvae": "nonparametric VAE", "advised": "advised setting"}
# blue and orange rather than green and red: told apart by everyone, and text that every viewer shows
MARKS = {
    "supported": "🔵",
    "contradicted": "🟠",
    "equivalent": "🟣",
    "undecided": "⚪",
    "mixed": "🟡",
    "no verdict": "⚫",
    None: "⚫",
}
_Z95 = 1.959964


def claims_page(
    measures: Measures,
    judged: dict[Reading, list[Judged]],
    comparators: pd.DataFrame,
    origin: Sequence[str],
    picture: str,
) -> str:
    """A row per claim and the picture; below them every condition and every measure.

    Args:
        measures: that were judged.
        judged: the claims, by reading, each in the same order; the learned length scale among them.
        comparators: other embeddings; columns ``method``, ``measure``, ``value``.
        origin: on what the models were trained and measured, a sentence each.
        picture: address of the forest plot.
    """
    claims = judged[LEARNED]
    lines = [
        "# The paper's claims, measured",
        "",
        *_summary(measures, judged),
        "",
        f"![The evidence: each primary condition with its intervals and bound]({picture})",
        "",
        f"Means over {measures.seeds} seeds on test images. ± is half of the 95 % interval, which covers "
        "seeds, test images and classifiers. Rules, bounds and margins were fixed before the run: "
        f"[docs/preregistration.md](../docs/preregistration.md). {' '.join(origin)}",
        "",
        "# The conditions behind the verdicts",
        "",
        "SE is the standard error of the difference; beside it stand the parts whose squares add up to its "
        "square: seeds, images (or pairs of images), classifiers. df: Satterthwaite's degrees of freedom.",
    ]
    for index, claim in enumerate(claims):
        if measures.unlabelled and not claim.primary:
            continue
        lines += _primary(claim, [rest[index] for rest in judged.values()])
    lines += [*_secondary(judged), *_diagnostics(measures, judged), *_measures(measures)]
    lines += _others(comparators)
    if not measures.unlabelled:
        lines += _first(measures)
    return "\n".join([*lines, ""])


def _summary(measures: Measures, judged: dict[Reading, list[Judged]]) -> list[str]:
    reason = why_no_verdict(measures)
    others = [reading for reading in judged if reading not in (LEARNED, LEAVE_ONE_OUT)]
    header = ["the paper says", "plain VAE", "nonparametric VAE", "difference", "verdict"]
    header += [*(NAMES[reading.model] for reading in others), "what would change it"]
    lines = [f"**No verdict: {reason}.**", ""] if reason else []
    if measures.unlabelled:
        lines += [f"**Without what needs labels: {measures.unlabelled}.**", ""]
    lines += [_row(header), "|---" * len(header) + "|"]
    for index, claim in enumerate(judged[LEARNED]):
        worst = _worst(claim.primary)
        cells = [f"**{claim.claim.name}.** “{claim.claim.words}”"]
        cells += _compared(claim, worst, measures)
        verdict = _verdict(claim)
        second = judged[LEAVE_ONE_OUT][index] if LEAVE_ONE_OUT in judged else None
        if second and second.primary and _differs(second, claim):
            verdict += f"<br>leave-one-out l: {MARKS[second.verdict]} {_solid(second.verdict)}"
        cells.append(verdict)
        for reading in others:
            other = judged[reading][index]
            against = _worst(other.primary)
            shown = [f"{against.condition.label}:", _with_interval(against)] if against else ["n/a"]
            cells.append("<br>".join([_verdict(other), *map(_solid, shown)]))
        lines.append(_row([*cells, _change(worst, claim, measures)]))
    legend = ", ".join(f"{mark} {word}" for word, mark in MARKS.items() if word)
    return [
        *lines,
        "",
        f"{legend}. Of a claim with several conditions the row shows the one that speaks most against it.",
    ]


def _differs(one: Judged, other: Judged) -> bool:
    return [found.condition for found in one.primary] != [found.condition for found in other.primary]


def _worst(findings: Sequence[Finding]) -> Finding | None:
    """The condition that speaks most against the claim: in standard errors from its bound."""

    def favour(found: Finding) -> float:
        beyond = found.difference - found.bound
        beyond = beyond if found.condition.side == "above" else -beyond
        if found.tested is None:
            return beyond
        return beyond / found.tested.se if found.tested.se else math.copysign(math.inf, beyond)

    return min(findings, key=favour, default=None)


def _verdict(judged: Judged) -> str:
    """Mark and word and, where there are several conditions, each of them."""
    text = f"{MARKS[judged.verdict]} **{_solid(judged.verdict)}**"
    if len(judged.primary) > 1 and judged.verdict != "no verdict":
        each = (f"{_solid(found.condition.label)} {MARKS[found.outcome]}" for found in judged.primary)
        text += "<br>" + ", ".join(each)
    return text


def _compared(judged: Judged, worst: Finding | None, measures: Measures) -> list[str]:
    """The plain VAE, the nonparametric VAE, and their difference, of the condition that is shown."""
    if worst is None or worst.condition.second is None:
        return ["n/a", "n/a", "n/a"]
    first, second = worst.condition.first, worst.condition.second
    ours, other = (_level(mean) for mean in worst.means)
    if second.model == "vae":
        cells = [other, ours]
    else:  # the model is compared with itself; the plain VAE's own value tells where both stand
        plain = second._replace(model="vae")
        cells = [_level(float(measures.of(plain).values.mean())) if plain in measures.terms else "n/a"]
        at_first, at_second = (_solid(f"Z = {term.z_dim}") for term in (first, second))
        cells = [f"{cells[0]}<br>({at_second})", f"{ours} ({at_first})<br>{other} ({at_second})"]
    return [*cells, _difference(worst, judged.claim.unit)]


def _difference(found: Finding, unit: str) -> str:
    """Of which condition, with its interval, and the bound: short lines, as columns are narrow."""
    label = f"{found.condition.label}, {unit}:"
    bound = f"must be {found.condition.side} {_signed(found.bound, 2)}"
    return "<br>".join(map(_solid, [label, _with_interval(found), bound]))


def _with_interval(found: Finding, level: float = 0.95) -> str:
    bounds = found.interval(level)
    if bounds is None:
        return _signed(found.difference, 3)
    half = (bounds[1] - bounds[0]) / 2
    if not half:
        return f"{_signed(found.difference, 3)} ± 0"
    digits = max(0, 1 - math.floor(math.log10(half)))
    return f"{found.difference:+.{digits}f} ± {half:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _change(found: Finding | None, judged: Judged, measures: Measures) -> str:
    """In words: what would have to be seen for another verdict."""
    if not found and measures.unlabelled:
        return "labels"
    interval = found and found.interval()
    if not found or not found.outcome or not interval:
        return "two trainings of each model, two Z and two classifiers at least"
    label = _solid(found.condition.label)
    if found.outcome == "undecided":
        return f"{label}: {_seeds_needed(found, measures)}"
    if found.outcome == "equivalent":
        return f"{label}: a difference not within ±{found.condition.margin}"
    turned = "above" if interval[1] < found.bound else "below"
    bound, end = _signed(found.bound, 2), interval[0] if turned == "below" else interval[1]
    words = f"a difference {turned} {_solid(f'{bound} {judged.claim.unit}')}"
    return f"{label}: {words}; the interval ends at {_signed(end, 2)}"


def _seeds_needed(found: Finding, measures: Measures) -> str:
    needed = ((found.difference - found.bound) / _Z95) ** 2
    seeds = sum(part.variance for part in found.components if part.source == "seeds")
    room = needed - sum(part.variance for part in found.components if part.source != "seeds")
    count = math.ceil(seeds * measures.seeds / room) if room > 0 else math.inf
    if count > 1000:
        return "a larger difference; no number of seeds would tell this one from its bound"
    return f"about {max(count, measures.seeds + 1)} seeds, if the difference stays as it is"


def _primary(claim: Judged, readings: Sequence[Judged]) -> list[str]:
    header = ["condition", "reading", "compared", "difference, 95 %", "90 %", "bound", "margin", "outcome"]
    header += ["SE", "df", "SE by seeds", "by images", "by classifiers"]
    lines = ["", f"## {claim.claim.name}: {claim.verdict}", "", f"{_capital(claim.claim.measure)}."]
    lines += ["", _row(header), "|---" * len(header) + "|"]
    for index, first in enumerate(claim.primary):
        for judged in readings:
            found = judged.primary[index]
            if judged is not claim and found.condition == first.condition:
                continue  # does not depend on l
            rule = first.condition.rule if judged is claim else ""
            lines.append(_row([rule, judged.reading.name, *_evidence(found)]))
    return lines


def _evidence(found: Finding) -> list[str]:
    condition, tested = found.condition, found.tested
    margin = condition.margin
    cells = [" and ".join(_level(mean) for mean in found.means)]
    cells += [_with_interval(found), _with_interval(found, EQUIVALENCE)]
    cells += [f"{condition.side} {_signed(found.bound, 3)}"]
    cells += ["n/a" if margin is None else _share(margin) if condition.relative else f"{margin:g}"]
    cells += [f"{MARKS[found.outcome]} {found.outcome or 'no verdict'}{_by_little(found)}"]
    cells += [_level(tested.se), f"{tested.df:.3g}"] if tested else ["n/a", "n/a"]
    for source in ("seeds", "images", "classifiers"):
        parts = [part.variance for part in found.components if part.source == source]
        cells.append(_level(math.sqrt(sum(parts))) if parts else "n/a")
    return [_solid(cell) for cell in cells]


def _by_little(found: Finding) -> str:
    """Of a difference from 0 that is there, but too small to matter."""
    decided = found.condition.bound == 0 and found.outcome in ("supported", "contradicted")
    return ", by less than the margin" if decided and found.negligible else ""


def _secondary(judged: dict[Reading, list[Judged]]) -> list[str]:
    header = ["condition", "bound"]
    for reading in judged:
        header += [reading.name, "p"]
    lines = ["", "# Secondary conditions", ""]
    lines += [
        "No verdicts: differences, and two-sided p-values against the bound after Holm's correction over all "
        "of a column. A small p speaks for the condition or against it; the difference says which.",
        "",
        _row(header),
        "|---" * len(header) + "|",
    ]
    for claims in zip(*judged.values(), strict=True):
        for index, first in enumerate(claims[0].secondary):
            condition = first.condition
            bound = _share(condition.bound) if condition.relative else _signed(condition.bound, 3)
            cells = [condition.rule, _solid(f"{condition.side} {bound}")]
            for one in claims:
                p = one.holm[index]
                cells += [_solid(_with_interval(one.secondary[index])), "n/a" if p is None else _p(p)]
            lines.append(_row(cells))
    return lines


def _diagnostics(measures: Measures, judged: dict[Reading, list[Judged]]) -> list[str]:
    lines = [
        "",
        "# How well z is predicted from X",
        "",
        "R² of E[z] by z~ on test images; a diagnostic, without a verdict.",
        "",
    ]
    lines += [_row(["reading", *(f"Z = {z_dim}" for z_dim in measures.z_dims)])]
    lines += ["|---" * (len(measures.z_dims) + 1) + "|"]
    for reading in judged:
        terms = [reading.x(z_dim, "match_r2") for z_dim in measures.z_dims]
        lines.append(_row([reading.name, *_means(measures, terms)]))
    return lines


def _measures(measures: Measures) -> list[str]:
    lines = [
        "",
        "# All measures",
        "",
        "Mean ± half of the 95 % interval over seeds alone; `_loo`: l by leave-one-out.",
        "",
    ]
    columns = [(model, z_dim) for model in measures.models for z_dim in measures.z_dims]
    header = [
        "measure",
        *(f"{NAMES.get(model, model)}, Z = {z_dim}" for model, z_dim in columns),
        "real images",
    ]
    lines += [_row(header), "|---" * len(header) + "|"]
    for measure in dict.fromkeys(term.measure for term in measures.terms):
        terms = [Term(model, z_dim, measure) for model, z_dim in columns]
        real = f"{measures.real[measure]:.4g}" if measure in measures.real else "n/a"
        lines.append(_row([measure, *_means(measures, terms), real]))
    return lines


def _means(measures: Measures, terms: Iterable[Term]) -> list[str]:
    return [
        _solid(str(interval(measures.of(term).values.mean(1)))) if term in measures.terms else "n/a"
        for term in terms
    ]


def _others(comparators: pd.DataFrame) -> list[str]:
    wide = comparators.pivot(index="method", columns="measure", values="value")
    lines = ["", "# Other embeddings of the same images", "", _row(["method", *wide.columns])]
    lines.append("|---" * (len(wide.columns) + 1) + "|")
    return [*lines, *(_row([str(method), *(f"{v:.3f}" for v in row)]) for method, row in wide.iterrows())]


def _first(measures: Measures) -> list[str]:
    lines = ["", "# Appendix: the first rules", ""]
    lines += [
        "The verdicts that were committed before this scheme (3 seeds), and what their rules say of today's "
        "measures: intervals paired by seed, over seeds alone; what is undecided counts as not holding.",
        "",
        _row(["claim as it stood then", "verdict then", "the same rules today"]),
        "|---|---|---|",
    ]
    none = why_no_verdict(measures) is not None
    for one in first_verdicts(measures):
        now = "no verdict" if none else f"{one.now} ({one.held} of {one.conditions} conditions hold)"
        lines.append(_row([one.claim, one.committed, now]))
    return lines


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _solid(text: str) -> str:
    """Text that no viewer breaks over lines."""
    return text.replace(" ", "\N{NO-BREAK SPACE}").replace("-", "\N{MINUS SIGN}")


def _signed(value: float, digits: int) -> str:
    return "0" if value == 0 else f"{value:+.{digits}g}".replace("-", "\N{MINUS SIGN}")


def _level(value: float) -> str:
    return f"{value:#.3g}".removesuffix(".").replace("-", "\N{MINUS SIGN}")


def _share(value: float) -> str:
    return f"{100 * value:g} %"


def _p(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
