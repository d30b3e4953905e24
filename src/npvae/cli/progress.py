"""What a command that takes long says while it runs."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Report = Callable[..., None]  # of one more unit; keywords stand at the end of the bar


@contextmanager
def progress(what: str, total: int, unit: str) -> Iterator[Report]:
    """A bar with the time left on a terminal; in a log, which jobs may share, a line for each unit.

    Args:
        what: stands in front.
        total: how many units there are.
        unit: of the work, in the singular.
    """
    from tqdm import tqdm

    terminal = sys.stderr.isatty()
    with (
        Path(os.devnull).open("w") as nowhere,
        tqdm(total=total, desc=what, unit=unit, file=sys.stderr if terminal else nowhere) as bar,
    ):

        def report(**details: object) -> None:
            bar.set_postfix(details)
            bar.update()
            if not terminal:
                print(bar, file=sys.stderr, flush=True)

        yield report
