"""``npvae claims`` and ``npvae evidence``: the measures of all models, gathered."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import pandas as pd

    from npvae.claims import Measures

Folder = Annotated[Path, typer.Option(help="Folder of the measures' tables (CSV).")]
Real = Annotated[Path, typer.Option(help="The same measures of real images (JSON).")]
Comparators = Annotated[Path, typer.Option(help="Measures of other embeddings (CSV).")]


def claims(
    measures: Folder,
    real: Real,
    comparators: Comparators,
    page: Annotated[Path, typer.Option(help="Markdown file to write.")],
    output: Annotated[Path, typer.Option(help="JSON file to write.")],
) -> None:
    """Give a verdict on each of the paper's claims."""
    import json

    from npvae.files import write_atomically
    from npvae.report import claims_data, claims_page

    gathered, others, origin = _read(measures, real, comparators)
    write_atomically(page, claims_page(gathered, others, origin))
    write_atomically(output, json.dumps(claims_data(gathered, origin), indent=2) + "\n")


def evidence(
    measures: Folder,
    real: Real,
    comparators: Comparators,
    output: Annotated[list[Path], typer.Option(help="PNG or PDF to write; give the option once for each.")],
) -> None:
    """Draw the evidence for each of the paper's claims."""
    from npvae.figures import evidence, style

    gathered, others, _ = _read(measures, real, comparators)
    style.save(evidence.draw(gathered.table, others, gathered.real), *output)


def _read(folder: Path, real: Path, comparators: Path) -> "tuple[Measures, pd.DataFrame, dict[str, str]]":
    import json

    import pandas as pd

    from npvae.claims import Measures

    table = pd.concat([pd.read_csv(path) for path in sorted(folder.glob("*.csv"))], ignore_index=True)
    floor = json.loads(real.read_text())
    return Measures(table, floor["real"]), pd.read_csv(comparators), floor["origin"]
