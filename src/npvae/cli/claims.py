"""``npvae claims`` and ``npvae evidence``: the measures of all models, gathered."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from npvae.cli.options import DEFAULT_PARAMS, Drawings, ParamsFile, one_of_each

if TYPE_CHECKING:
    from npvae.params import Params
    from npvae.verdicts.claims import Measures

Tables = Annotated[str, typer.Option(help="The measures' tables (CSV), as a pattern of {model} and {z}.")]
Means = Annotated[str, typer.Option(help="What else `npvae measure` wrote (JSON), as a pattern, too.")]
Real = Annotated[Path, typer.Option(help="The same measures of real images (JSON).")]
Comparators = Annotated[Path, typer.Option(help="Measures of other embeddings (CSV).")]


def claims(
    measures: Tables,
    means: Means,
    real: Real,
    comparators: Comparators,
    page: Annotated[Path, typer.Option(help="Markdown file to write.")],
    output: Annotated[Path, typer.Option(help="JSON file to write.")],
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Give a verdict on each of the paper's claims."""
    import json

    import pandas as pd

    from npvae.files import write_atomically
    from npvae.params import load_params
    from npvae.verdicts.page import claims_data, claims_page

    loaded = load_params(params)
    gathered, origin = _gather(loaded, measures, real), _origin(loaded, means)
    write_atomically(page, claims_page(gathered, pd.read_csv(comparators), origin))
    write_atomically(output, json.dumps(claims_data(gathered, origin), indent=2) + "\n")


def claims_page(
    page: Annotated[Path, typer.Option(help="The claims (Markdown).")],
    output: Annotated[Path, typer.Option(help="HTML file to write.")],
) -> None:
    """Make the page of the claims one for a browser."""
    from npvae.files import write_atomically
    from npvae.verdicts.html import as_html

    write_atomically(output, as_html(page.read_text()))


def evidence(
    measures: Tables,
    real: Real,
    comparators: Comparators,
    output: Drawings,
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Draw the evidence for each of the paper's claims."""
    import pandas as pd

    from npvae.figures import evidence, style
    from npvae.params import load_params

    gathered = _gather(load_params(params), measures, real)
    style.save(evidence.draw(gathered.table, pd.read_csv(comparators), gathered.real), *output)


def _gather(params: "Params", pattern: str, real: Path) -> "Measures":
    import json

    import pandas as pd

    from npvae.verdicts.claims import Measures
    from npvae.verdicts.tables import read_measures

    paths = [one_of_each(pattern, model, z_dim) for model in params.models for z_dim in params.z_dims]
    tables = [read_measures(path, seeds=params.seeds) for path in paths]
    return Measures(pd.concat(tables, ignore_index=True), json.loads(real.read_text()))


def _origin(params: "Params", pattern: str) -> list[str]:
    """On what the models were trained and measured: a sentence each, naming all that differ."""
    import json

    origins = [
        json.loads(one_of_each(pattern, model, z_dim).read_text())["origin"]
        for model in params.models
        for z_dim in params.z_dims
    ]
    trained = dict.fromkeys(sentence for origin in origins for sentence in origin["trained"])
    measured = dict.fromkeys(origin["measured"] for origin in origins)
    return [f"Trained in {'; '.join(trained)}.", f"Measured in {'; '.join(measured)}."]
