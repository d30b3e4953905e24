"""How fast this is, beside what a user would run instead and beside what the machine can do.

``make bench`` runs it all, training once for each class of CPU, and writes ``benchmarks/results/``.
"""

from pathlib import Path

ROOT = Path(__file__).parents[1]
