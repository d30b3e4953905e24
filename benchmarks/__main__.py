"""``python -m benchmarks``: measure, and write the table and the picture."""

import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from benchmarks import ROOT, classes, machine, report
from benchmarks.cases import CASES
from benchmarks.measure import Timing, cores
from npvae.files import write_atomically

RESULTS = ROOT / "benchmarks" / "results"


def _run(name: str, kind: str, quick: bool) -> list[dict[str, object]]:
    """The lines of a case in a class, from a process of its own; of one that fails, its last words."""
    if kind != classes.GPU and kind not in classes.here():
        return [Timing("", [], note=f"no {kind} here: this CPU is {classes.native()}").record()]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "timings.jsonl"
        command = [sys.executable, "-m", "benchmarks.cases", name, str(file), *["--quick"] * quick]
        environment = {"OMP_NUM_THREADS": str(cores())} | os.environ | classes.environment(kind)
        done = subprocess.run(
            command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        if done.returncode:
            last = (done.stdout.strip().splitlines() or [""])[-1]
            return [{"what": "", "repetitions": 0, "note": f"failed: {last}"}]
        return [json.loads(line) for line in file.read_text().splitlines()]


def _merge(folder: Path, run: str, rows: list[dict[str, object]]) -> None:
    """Write ``rows`` and this machine, and what is left of earlier runs."""
    table = pd.DataFrame(rows, columns=report.COLUMNS)
    if (folder / "timings.csv").exists():
        table = report.merge(report.load(folder), table)
    write_atomically(folder / "timings.csv", table.to_csv(index=False, float_format="%.6g"))
    machines = machine.read(folder) | {run: machine.describe()}
    machine.write(folder, {date: machines[date] for date in sorted(set(table["run"]))})


def main(
    only: Annotated[list[str] | None, typer.Option(help="A case; may be repeated.")] = None,
    rounds: Annotated[int, typer.Option(help="Of the cases that a ratio compares; 0 only reports.")] = 5,
    quick: Annotated[bool, typer.Option("--quick", help="A smoke test: tiny data, one round.")] = False,
    output: Annotated[Path | None, typer.Option(help="A folder. [default: benchmarks/results]")] = None,
) -> None:
    """Measure each case in a process of its own, round by round, and report.

    The cases of a round follow each other closely, class by class, so that a ratio compares what ran at
    nearly the same time.
    """
    for name in only or []:
        if name not in CASES:
            raise typer.BadParameter(f"no case {name}; there are {', '.join(CASES)}", param_hint="--only")
    folder = output or (Path(tempfile.mkdtemp(prefix="benchmarks-")) if quick else RESULTS)
    folder.mkdir(parents=True, exist_ok=True)
    chosen = only or [name for name, case in CASES.items() if case.default]
    rounds = min(rounds, 1) if quick else rounds
    plan = [
        (n, kind, name)
        for n in range(1, rounds + 1)
        for kind in [*classes.wanted(), classes.GPU]
        for name in chosen
        if kind in CASES[name].classes and (n == 1 or CASES[name].repeated)
    ]
    run = datetime.now(UTC).isoformat(timespec="seconds")
    rows: list[dict[str, object]] = []
    for number, (turn, kind, name) in enumerate(plan, start=1):
        print(f"[{number}/{len(plan)}] round {turn}: {name}, {kind}", end=" ", file=sys.stderr, flush=True)
        start = time.perf_counter()
        lines = _run(name, kind, quick)
        rows += [{"run": run, "round": turn, "case": name, "class": kind} | line for line in lines]
        notes = {str(line["note"]) for line in lines if line["note"]}
        print(f"{time.perf_counter() - start:.0f} s", *notes, sep="  ", file=sys.stderr)
        _merge(folder, run, rows)
    report.write(folder)
    print(folder / "table.md")
    if any(str(row["note"]).startswith("failed") for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    typer.run(main)
