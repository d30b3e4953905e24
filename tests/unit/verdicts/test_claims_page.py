"""The page says in its first table what the data say in full."""

import json
import math
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from npvae.figures.evidence import draw
from npvae.verdicts.claims import CLAIMS, READINGS, Judged, Reading, judge_claims
from npvae.verdicts.page import MARKS, claims_page
from npvae.verdicts.record import claims_data
from npvae.verdicts.tables import BY_LABEL, Measures, Term

MadeUp = Callable[..., Measures]
ORIGIN = ["Trained in bfloat16 on A, 2 threads.", "Measured in float32 on B, 1 thread."]
OTHERS = pd.DataFrame(
    [
        {"method": "UMAP", "measure": "digit_accuracy", "value": 0.9555},
        {"method": "UMAP", "measure": "silhouette", "value": 0.5},
        {"method": "PCA", "measure": "silhouette", "value": 0.0256},
        {"method": "PCA", "measure": "digit_accuracy", "value": 0.42},
    ]
)
# contradicted at Z = 500 alone; contradicted; equivalent to the mixture
CHANGES = {
    ("npvae", "reconstruction"): lambda z: 140.0 - (z < 500) * 10 * math.log(z),
    ("npvae", "reconstruction_from_x"): lambda z: 90.0,
    ("vae", "sample_mmd2_mixture"): lambda z: 0.01,
}
PATTERN = "results/measures/{model}-z{z}.csv"


def judged(measures: Measures) -> dict[Reading, list[Judged]]:
    return {
        reading: judge_claims(measures, reading) for reading in READINGS if reading.model in measures.models
    }


def page_of(measures: Measures) -> str:
    return claims_page(measures, judged(measures), OTHERS, ORIGIN, "figures/evidence.png")


def data_of(measures: Measures) -> dict[str, Any]:
    return claims_data(measures, judged(measures), ORIGIN, PATTERN)


def table(page: str, start: str) -> list[dict[str, str]]:
    """The first table after a line that begins with ``start``, as its header names the cells."""
    lines = page.splitlines()
    index = next(i for i, line in enumerate(lines) if line.startswith(start))
    index = next(i for i in range(index, len(lines)) if lines[i].startswith("|"))
    rows = []
    for line in lines[index:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.split("|")[1:-1]])
    return [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]


def test_a_row_for_each_sentence_shows_what_speaks_most_against_it(made_up: MadeUp) -> None:
    rows = table(page_of(made_up(CHANGES)), "# The paper's claims")
    assert list(rows[0]) == [
        "the paper says",
        "plain VAE",
        "nonparametric VAE",
        "difference",
        "verdict",
        "advised setting",
        "what would change it",
    ]
    assert [claim.words in row["the paper says"] for claim, row in zip(CLAIMS, rows, strict=True)] == [
        True
    ] * 5
    words = ["supported", "mixed", "contradicted", "mixed", "supported"]
    found = [row["verdict"].split("<br>")[0] for row in rows]
    assert found == [f"{MARKS[word]} **{word}**" for word in words]
    plain = [{key: cell.replace("\N{NO-BREAK SPACE}", " ") for key, cell in row.items()} for row in rows]
    assert (plain[1]["plain VAE"], plain[1]["nonparametric VAE"]) == ("77.9", "140")
    assert "Z = 2 🔵, Z = 20 🔵, Z = 500 🟠" in plain[1]["verdict"]
    assert plain[1]["difference"].startswith("Z = 500, nats:<br>+61.96 ± 0.15<br>")
    assert plain[1]["difference"].endswith("must be below +1.6")
    assert plain[1]["what would change it"].startswith(
        "Z = 500: a difference below +1.6 nats; the interval ends"
    )
    assert "prior 🔵, mixture 🟣, kernel density 🔵<br>leave-one-out l: 🟡 mixed" in plain[3]["verdict"]
    assert plain[3]["what would change it"] == "mixture: a difference not within ±0.005"
    assert plain[2]["advised setting"].startswith("🔵 **supported**")


def test_numbers_of_the_summary_are_not_broken_over_lines(made_up: MadeUp) -> None:
    for row in table(page_of(made_up(CHANGES)), "# The paper's claims"):
        for name in ("plain VAE", "nonparametric VAE", "difference"):
            assert " " not in row[name].replace(" (", "(")
            assert "-" not in row[name]  # viewers break lines after a hyphen


def test_the_picture_and_where_the_rules_stand_are_on_the_page(made_up: MadeUp) -> None:
    page = page_of(made_up())
    assert "](figures/evidence.png)" in page
    assert "docs/preregistration.md" in page
    assert all(sentence in page for sentence in ORIGIN)
    assert page.index("figures/evidence.png") < page.index("# The conditions behind the verdicts")


def test_every_condition_in_every_reading_has_its_row(made_up: MadeUp) -> None:
    page = page_of(made_up(CHANGES))
    rows = table(page, "## Samples through X are of high fidelity: mixed")
    assert [row["reading"] for row in rows] == [reading.name for reading in READINGS] * 3
    assert [row["condition"] != "" for row in rows] == [True, False, False] * 3
    assert [row["by images"] for row in rows] == ["n/a"] * 9
    rows = table(page, "## Reconstruction is not sacrificed: mixed")
    assert [row["reading"] for row in rows] == ["learned length scale", "advised setting"] * 3
    found = judge_claims(made_up(CHANGES), READINGS[0])[1].primary[2]
    [row] = [row for row in rows if "Z = 500" in row["condition"]]
    assert found.tested
    assert (row["df"], row["SE"]) == (f"{found.tested.df:.3g}", f"{found.tested.se:#.3g}")
    parts = sum(float(row[name]) ** 2 for name in ("SE by seeds", "by images"))
    assert math.sqrt(parts) == pytest.approx(found.tested.se, rel=0.01)


def test_data_and_page_give_the_same_verdicts_and_all_is_traceable(made_up: MadeUp) -> None:
    measures = made_up(CHANGES)
    data, page = data_of(measures), page_of(measures)
    assert json.loads(json.dumps(data, allow_nan=False)) is not None
    assert data["origin"] == ORIGIN
    for claim in data["claims"]:
        assert f"## {claim['claim']}: {claim['verdict']}" in page.splitlines()
        assert claim["verdict"] == claim["readings"]["learned length scale"]["verdict"]
        for reading in claim["readings"].values():
            for one in reading["primary"] + reading["secondary"]:
                for term in one["compared"]:
                    assert term["file"] == f"results/measures/{term['model']}-z{term['z_dim']}.csv"
                    sample = measures.of(Term(term["model"], term["z_dim"], term["measure"]))
                    assert term["mean"] == pytest.approx(sample.values.mean())
                assert one["se"] ** 2 == pytest.approx(sum(part["variance"] for part in one["components"]))
                low, high = one["interval_95"]
                assert low < one["difference"] < high
    [last] = [claim for claim in data["claims"] if claim["claim"].startswith("Reconstruction")]
    condition = last["readings"]["learned length scale"]["primary"][2]
    assert (condition["outcome"], condition["relative_bound"], condition["side"]) == (
        "contradicted",
        0.02,
        "below",
    )
    assert condition["interval_95"][0] > condition["bound"]


@pytest.mark.parametrize(
    ("few", "reason"),
    [({"seeds": 1}, "one training of each model"), ({"z_dims": (20,)}, "one Z cannot show")],
)
def test_without_verdicts_the_page_says_why(made_up: MadeUp, few: dict[str, Any], reason: str) -> None:
    measures = made_up(**few)
    page, data = page_of(measures), data_of(measures)
    assert f"**No verdict: {reason}" in page
    rows = table(page, "# The paper's claims")
    assert {row["verdict"].split("<br>")[0].replace("\N{NO-BREAK SPACE}", " ") for row in rows} == {
        "⚫ **no verdict**"
    }
    assert {row["the same rules today"] for row in table(page, "# Appendix")} == {"no verdict"}
    assert reason in data["no_verdict"]
    assert {claim["verdict"] for claim in data["claims"]} == {"no verdict"}
    json.dumps(data, allow_nan=False)
    for word in ("supported", "contradicted", "undecided"):
        assert f"**{word}**" not in page


def test_without_labels_the_page_says_what_is_left_out_and_why(
    tables: Callable[..., tuple[pd.DataFrame, dict[Term, pd.Series]]],
) -> None:
    table_, items = tables(CHANGES)
    told = table_["measure"].map(lambda name: BY_LABEL.fullmatch(name) is not None)
    items = {term: values for term, values in items.items() if not BY_LABEL.fullmatch(term.measure)}
    measures = Measures(table_[~told], items, {"sample_nearest": 6.0}, "the images of cells have no labels")
    page, data = page_of(measures), data_of(measures)
    assert "**Without what needs labels: the images of cells have no labels.**" in page
    rows = table(page, "# The paper's claims")
    assert [row["verdict"].split("<br>")[0].replace("\N{NO-BREAK SPACE}", " ") for row in rows] == [
        "⚫ **no verdict**",
        f"{MARKS['mixed']} **mixed**",
        f"{MARKS['contradicted']} **contradicted**",
        "⚫ **no verdict**",
        "⚫ **no verdict**",
    ]
    assert [row["what would change it"] == "labels" for row in rows] == [True, False, False, True, True]
    assert "# Appendix" not in page
    assert "digit_accuracy" not in page.partition("# Other embeddings")[0]
    assert data["unlabelled"] == "the images of cells have no labels"
    # the evidence is drawn of what there is
    draw(json.loads(json.dumps(data, allow_nan=False)))


def test_without_the_advised_setting_its_columns_are_left_out(made_up: MadeUp) -> None:
    measures = made_up(models=("vae", "npvae"))
    page = page_of(measures)
    assert "advised" not in page
    assert {name for claim in data_of(measures)["claims"] for name in claim["readings"]} == {
        "learned length scale",
        "leave-one-out length scale",
    }


def test_undecided_says_how_many_seeds_would_decide(made_up: MadeUp) -> None:
    changes = {("npvae", "linear_x_midpoint_confidence"): lambda z: 0.86}
    rows = table(page_of(made_up(changes, noise=0.05)), "# The paper's claims")
    assert "undecided" in rows[4]["verdict"]
    assert "seeds" in rows[4]["what would change it"]


def test_the_appendix_sets_old_verdicts_beside_the_same_rules_today(made_up: MadeUp) -> None:
    rows = table(page_of(made_up()), "# Appendix")
    assert [row["verdict then"] for row in rows] == [
        "supported in part",
        "supported in part",
        "supported",
        "supported in part",
        "supported in part",
    ]
    assert all("conditions hold" in row["the same rules today"] for row in rows)


def test_the_page_shows_every_measure_and_every_other_method(made_up: MadeUp) -> None:
    measures = made_up()
    page = page_of(measures)
    assert {row["measure"] for row in table(page, "# All measures")} == {
        term.measure for term in measures.terms
    }
    assert table(page, "# Other embeddings") == [
        {"method": "PCA", "digit_accuracy": "0.420", "silhouette": "0.026"},
        {"method": "UMAP", "digit_accuracy": f"{0.9555:.3f}", "silhouette": "0.500"},
    ]
    secondary = table(page, "# Secondary conditions")
    assert len(secondary) == sum(len(one.secondary) for one in judge_claims(measures, READINGS[0]))
