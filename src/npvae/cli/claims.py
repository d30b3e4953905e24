"""``npvae claims`` and ``npvae evidence``: the measures of all models, gathered and judged."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from npvae.cli.options import DEFAULT_PARAMS, Drawings, ParamsFile, one_of_each

if TYPE_CHECKING:
    import pandas as pd

    from npvae.params import Params
    from npvae.verdicts.tables import Measures


def claims(
    measures: Annotated[
        str, typer.Option(help="The measures' tables (CSV), as a pattern of {model} and {z}.")
    ],
    items: Annotated[str, typer.Option(help="The measures by image (parquet), as a pattern, too.")],
    means: Annotated[str, typer.Option(help="What else `npvae measure` wrote (JSON), as a pattern, too.")],
    real: Annotated[Path, typer.Option(help="The same measures of real images (JSON).")],
    classifier: Annotated[
        Path, typer.Option(help="What `npvae classifier` wrote (JSON): it says whether there are labels.")
    ],
    comparators: Annotated[Path, typer.Option(help="Measures of other embeddings (CSV).")],
    page: Annotated[Path, typer.Option(help="Markdown file to write; shows figures/evidence.png beside it.")],
    output: Annotated[Path, typer.Option(help="JSON file to write.")],
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Give a verdict on each of the paper's claims."""
    import json

    from npvae.files import write_atomically
    from npvae.params import load_params
    from npvae.verdicts.claims import READINGS, judge_claims
    from npvae.verdicts.page import claims_page
    from npvae.verdicts.record import claims_data

    loaded = load_params(params)
    unlabelled, of_real, compared = _json(classifier).get("why"), _json(real), _csv(comparators)
    origin = _origin(loaded, means)
    gathered = _gather(loaded, measures, items, means, of_real, unlabelled)
    judged = {
        reading: judge_claims(gathered, reading) for reading in READINGS if reading.model in gathered.models
    }
    text = claims_page(gathered, judged, compared, origin, "figures/evidence.png")
    data = claims_data(gathered, judged, origin, measures)
    write_atomically(page, text)
    write_atomically(output, json.dumps(data, indent=2, allow_nan=False) + "\n")


def claims_page(
    page: Annotated[Path, typer.Option(help="The claims (Markdown).")],
    output: Annotated[Path, typer.Option(help="HTML file to write.")],
) -> None:
    """Make the page of the claims one for a browser."""
    from npvae.files import CURE, reading, write_atomically
    from npvae.verdicts.html import as_html

    with reading(page, "a page that can be shown", CURE):
        shown = as_html(page.read_text(), page.parent)
    write_atomically(output, shown)


def evidence(
    claims: Annotated[Path, typer.Option(help="The verdicts as data (JSON).")], output: Drawings
) -> None:
    """Draw the evidence for each of the paper's claims."""
    from npvae.figures import evidence, style
    from npvae.files import CURE, reading

    with reading(claims, "the verdicts as data", CURE):
        figure = evidence.draw(_json(claims))
    style.save(figure, *output)


def _json(path: Path) -> dict[str, Any]:
    """A file of numbers and words by name, the numbers finite."""
    import json

    from npvae.files import CURE, reading

    def refuse(number: str) -> None:
        raise ValueError(f"{number} in it")

    with reading(path, "JSON with names", CURE):
        return dict(json.loads(path.read_text(), parse_constant=refuse))


def _csv(path: Path) -> "pd.DataFrame":
    import pandas as pd

    from npvae.files import CURE, reading

    with reading(path, "a table", CURE):
        if not path.read_text().endswith("\n"):
            raise ValueError("cut off in its last line")
        return pd.read_csv(path)


def _gather(
    params: "Params", measures: str, items: str, means: str, real: dict[str, Any], unlabelled: str | None
) -> "Measures":
    import pandas as pd

    from npvae.verdicts.tables import Measures, Term, read_items, read_measures, require_means

    tables: list[pd.DataFrame] = []
    by_image: dict[Term, pd.Series] = {}
    for model in params.measured:
        for z_dim in params.z_dims:
            path = one_of_each(measures, model, z_dim)
            tables.append(read_measures(path, seeds=params.seeds, classifiers=params.classifier.seeds))
            written = one_of_each(means, model, z_dim)
            require_means(path, tables[-1], written, _of(written, "mean"))
            by_image |= read_items(one_of_each(items, model, z_dim), model, z_dim)
    table = pd.concat(tables, ignore_index=True)
    return Measures(table, by_image, real, unlabelled)


def _origin(params: "Params", pattern: str) -> list[str]:
    """On what the models were trained and measured: a sentence each, naming all that differ."""
    origins = [
        _of(one_of_each(pattern, model, z_dim), "origin")
        for model in params.measured
        for z_dim in params.z_dims
    ]
    trained = dict.fromkeys(sentence for origin in origins for sentence in origin["trained"])
    measured = dict.fromkeys(origin["measured"] for origin in origins)
    return [f"Trained in {'; '.join(trained)}.", f"Measured in {'; '.join(measured)}."]


def _of(path: Path, name: str) -> Any:
    from npvae.errors import NpvaeError
    from npvae.files import CURE

    content = _json(path)
    if name not in content:
        raise NpvaeError(f"{path}: says nothing of {name}; {CURE}")
    return content[name]
