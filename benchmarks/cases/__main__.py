"""One case, in this process: ``python -m benchmarks.cases NAME FILE [--quick]`` writes JSON lines."""

import argparse
import json
from pathlib import Path

from benchmarks.cases import CASES
from benchmarks.measure import NotMeasured, Timing


def main() -> None:
    """Run it; what can't be measured here is one line that says why."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=CASES)
    parser.add_argument("file", type=Path)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    try:
        timings = CASES[arguments.name].run(arguments.quick)
    except NotMeasured as reason:
        timings = [Timing("", [], note=str(reason))]
    arguments.file.write_text("".join(json.dumps(timing.record()) + "\n" for timing in timings))


if __name__ == "__main__":
    main()
