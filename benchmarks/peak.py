"""``python -m benchmarks.peak COMMAND ...``: a command of npvae; its memory at its highest goes to ``peak``.

What the system says of a process that has ended counts that of the one that started it, too.
"""

import atexit
import re
import sys
from pathlib import Path

from npvae.cli import main


def _leave() -> None:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    Path("peak").write_text(found[1])


if __name__ == "__main__":
    if sys.platform == "linux":
        atexit.register(_leave)
    main()
