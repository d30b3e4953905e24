"""The benchmark's arithmetic: floors, exponents, verdicts, and that its textbook computes what npvae does."""

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks import floor, goals, report, textbook
from benchmarks.cases import CASES
from benchmarks.measure import Timing, peak_memory, repeat
from npvae import objective
from npvae.model import Network, build

MACHINE = {
    "cpu": "a CPU",
    "flags": ["avx2"],
    "cores": 2,
    "threads": 2,
    "gpu": None,
    "system": "Linux",
    "python": "3.11",
    "versions": {"torch": "2", "pykeops": "not installed"},
}


def rows(*measured: tuple, run: str = "today") -> pd.DataFrame:
    """Of (round, case, what, at, median) or, for what is not measured, (round, case, note)."""
    lines = []
    for row in measured:
        line = dict.fromkeys(report.COLUMNS) | {"run": run, "round": row[0], "case": row[1]}
        if len(row) == 3:
            lines.append(line | {"what": "", "repetitions": 0, "note": row[2]})
        else:
            _, _, what, at, median = row
            values = {"median": median, "low": 0.9 * median, "high": 1.2 * median}
            lines.append(line | values | {"what": what, "at": at, "unit": "s", "repetitions": 3, "note": ""})
    return pd.DataFrame(lines).astype({"at": float, "median": float, "low": float, "high": float})


def verdict(table: pd.DataFrame, start: str) -> tuple[str, ...]:
    (goal,) = [goal for goal in goals.GOALS if goal.name.startswith(start)]
    return goal.row(table)[1:]


def test_operations_are_those_counted_by_hand():
    encoder = 2 * 784 * 500 + 3 * (500 * 500 + 500 * 40)
    decoder = 3 * (20 * 500 + 500 * 500 + 500 * 784)
    x_encoder = 2 * 784 * 500 + 3 * (500 * 500 + 500 * 2)
    kernel = 3 * 128 * 20
    assert floor.operations(build("vae", 20, seed=0), 128) == 2 * 128 * (encoder + decoder)
    assert floor.operations(build("npvae", 20, seed=0), 128) == 2 * 128 * (
        encoder + decoder + x_encoder + kernel
    )


def test_the_floor_adds_arithmetic_and_traffic_unless_they_overlap():
    model = build("vae", 2, Network(hidden_units=3), seed=0)
    weights = (784 * 3 + 3) + (3 * 3 + 3) + (3 * 4 + 4) + (2 * 3 + 3) + (3 * 3 + 3) + (3 * 784 + 784)
    assert floor.traffic(model) == 28 * weights
    operations = floor.operations(model, 5)
    limits = {"rate": operations / 2, "bandwidth": 28 * weights / 3}  # two seconds, and three
    assert floor.seconds(model, 5, **limits) == pytest.approx(5)
    assert floor.seconds(model, 5, **limits, overlapping=True) == pytest.approx(3)


@pytest.mark.parametrize("sizes", [[1, 2, 4, 8, 16, 32], [1, 3, 10, 30, 100]])
def test_the_exponent_is_that_of_the_upper_half(sizes):
    sizes = np.array(sizes, float)
    seconds = 7 * sizes**1.5
    assert goals.exponent(sizes, seconds) == pytest.approx(1.5)
    seconds[: len(sizes) // 2] = 100
    assert goals.exponent(sizes, seconds) == pytest.approx(1.5)


@pytest.mark.parametrize(("name", "model"), [("vae", textbook.VAE), ("npvae", textbook.NonparametricVAE)])
def test_the_textbook_computes_our_objective(name, model):
    ours, theirs = build(name, 20, seed=0).eval(), model(20).eval()
    theirs.load_state_dict(ours.state_dict())
    y, noise = torch.rand(16, 784), torch.randn(16, 20)
    expected = objective.loss(objective.terms(ours, y, noise))
    torch.testing.assert_close(theirs.loss(y, noise), expected)
    expected.backward()
    theirs.loss(y, noise).backward()
    for (key, one), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(other.grad, one.grad, rtol=1e-3, atol=1e-4, msg=key)


def test_the_textbook_drops_as_many_units():
    layers = [layer for layer in textbook.VAE(2).modules() if isinstance(layer, torch.nn.Dropout)]
    assert [layer.p for layer in layers] == [Network().dropout] * 4


def test_batches_in_memory_are_all_images_once_but_the_ragged_ones():
    batches = textbook.InMemory(torch.arange(10.0)[:, None], 4)
    seen = [batch for batch, _ in batches]
    assert [batch.shape for batch in seen] == [(4, 1), (4, 1)]
    assert len(set(torch.cat(seen).flatten().tolist())) == 8


def test_the_data_loader_gives_the_same_images_as_npvae(mnist):
    from npvae.data import load_train

    (batch,) = textbook.loader(mnist, images=8, batch_size=8, workers=0)
    ours = load_train(mnist, count=8).images
    torch.testing.assert_close(batch[0].view(8, 784).sum(1).sort().values, ours.sum(1).sort().values)


def test_a_timing_keeps_median_quartiles_and_count():
    record = Timing("step", [1, 2, 3, 4, 5], at=128).record()
    assert [record[key] for key in ("low", "median", "high", "repetitions", "at")] == [2, 3, 4, 5, 128]
    assert Timing("step", [], note="not installed").record()["median"] is None


def test_short_calls_are_timed_in_groups():
    calls = []
    assert len(repeat(lambda: calls.append(1), values=2, least=1e-3)) == 2
    assert len(calls) > 20


@pytest.mark.skipif(not hasattr(__import__("os"), "sched_getaffinity"), reason="Linux tells")
def test_peak_memory_is_what_was_added():
    assert 95 < peak_memory(lambda: torch.ones(100, 2**18)) < 130


def test_ratios_are_of_one_round_and_of_the_fastest_loader():
    table = rows(
        (1, "ours", "npvae", None, 1.0),
        (1, "dataloader", "npvae", 0, 4.0),
        (1, "dataloader", "npvae", 2, 9.0),
        (2, "ours", "npvae", None, 2.0),
        (2, "dataloader", "npvae", 0, 12.0),
        (3, "ours", "npvae", None, 2.0),
        (2, "in-memory", "npvae", None, 4.0),
    )
    assert verdict(table, "CPU, an epoch of the nonparametric") == ("at least 3.5 ×", "5 × (4 to 6)", "met")
    assert verdict(table, "the same, against the textbook") == ("at least 2.5 ×", "2 ×", "missed by 25 %")
    assert verdict(table, "the same, time over its floor")[1:] == ("not measured", "`limits` was not run")


def test_no_ratio_across_runs():
    table = pd.concat(
        [rows((1, "ours", "npvae", None, 1.0)), rows((1, "in-memory", "npvae", None, 3.0), run="yesterday")]
    )
    assert verdict(table, "the same, against the textbook")[1:] == ("not measured", "not in one run")


def test_the_floor_of_a_round_is_that_of_its_own_limits():
    model = build("npvae", 500, seed=0)
    table = rows(
        (1, "limits", "bfloat16 128x784x500", 1, 1e11),
        (1, "limits", "bfloat16 128x784x500", 2, 2e11),
        (1, "limits", "float32 128x784x500", 2, 9e11),
        (1, "limits", "copy", 2, 1e10),
        (1, "ours", "npvae", None, 0.5),
    )
    least = floor.operations(model, 128) / 2e11 + floor.traffic(model) / 1e10
    assert verdict(table, "the same, time over its floor")[1] == f"{0.5 / least:.3g} ×"


def test_a_gpu_step_of_eight_seeds_counts_eight_times():
    table = rows(
        (1, "gpu-ours", "npvae", 1, 0.5e-3),
        (1, "gpu-ours", "npvae", 8, 0.8e-3),
        (1, "gpu-dataloader", "npvae", 1, 4e-3),
    )
    assert verdict(table, "GPU, 8 seeds: epochs")[1:] == ("40 ×", "missed by 25 %")


def test_the_page_has_every_goal_and_says_what_is_missing(tmp_path):
    table = rows(
        *((1, "scaling-z", "z", z, 0.01 * z**0.5) for z in (2, 8, 32, 128)),
        (1, "pythae", "not installed"),
        (1, "ours", "vae", None, 0.0123),
        (1, "gpu-scaling", "no GPU here"),
    )
    page = report.page(table, {"today": MACHINE})
    lines = page.splitlines()
    for goal in goals.GOALS:
        assert sum(line.startswith(f"| {goal.name} |") for line in lines) == 1
    assert "| pythae |  |  | not measured | not installed |  |" in lines
    assert "| ours | vae |  | 12.3 ms | 11.1 ms to 14.8 ms | 3 |" in lines
    assert verdict(table, "CPU, exponent of a step's time in Z")[1] == "0.5"
    assert "today, `scaling-z`, `pythae`, `ours`, `gpu-scaling`: a CPU" in page

    z, batch, _ = report.draw(table).axes
    assert z.get_legend().get_texts()[0].get_text() == "CPU: $Z^{0.50}$"
    assert batch.texts[0].get_text() == "not measured"


def test_every_goal_names_cases_that_there_are():
    assert {case for goal in goals.GOALS for case in goal.cases} <= CASES.keys()
