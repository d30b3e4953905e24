"""What can happen to a file, and how often it is tried."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from npvae.errors import NpvaeError

FEW, MANY = 8, 2_000

# a few cases in every run, the same ones; thousands, others each time, where faults are asked for
cases = pytest.mark.parametrize("cases", [FEW, pytest.param(MANY, marks=pytest.mark.faults)])


def tried(cases: int, **strategies: SearchStrategy) -> Callable[[Callable[..., None]], None]:
    """Runs the function at once, for as many cases."""

    def run(test: Callable[..., None]) -> None:
        chosen = settings(
            max_examples=cases,
            deadline=None,
            database=None,
            derandomize=cases == FEW,
            suppress_health_check=list(HealthCheck),
        )
        chosen(given(**strategies)(test))()

    return run


def damaged(content: bytes, *, start: int = 0) -> SearchStrategy[bytes]:
    """The content of a file with bits flipped, cut off, with bytes put in, left out or written over.

    Args:
        content: the file's.
        start: how many bytes at its beginning are hit as often as all the rest; 0 for no preference.
    """
    # Hypothesis's own integers prefer the ends; here every bit should have its turn
    return st.randoms(use_true_random=True).map(lambda random: _damaged(content, start, random))


def _damaged(content: bytes, start: int, random: Random) -> bytes:
    result = bytearray(content)
    for _ in range(random.choice([1, 1, 1, 2, 4])):
        end = min(start, len(result)) if start and random.random() < 0.5 else len(result)
        place = random.randrange(end) if end else 0
        some = random.randbytes(random.randint(1, 16))
        match random.choice(["flip"] * 5 + ["cut", "put in", "leave out", "write over", "twice"]):
            case "flip" if result:
                result[place] ^= 1 << random.randrange(8)
            case "cut":
                del result[place:]
            case "put in":
                result[place:place] = some
            case "leave out":
                del result[place : place + len(some)]
            case "write over":
                result[place : place + len(some)] = some
            case "twice":
                result += result[place:]
    return bytes(result)


def outcome(reader: Callable[[], Any], name: object) -> Any:
    """What a reader gives; None where it refuses, which must be in one line that has the name in it."""
    try:
        return reader()
    except NpvaeError as error:
        refusal = str(error)
    assert str(name) in refusal
    assert "\n" not in refusal
    return None
