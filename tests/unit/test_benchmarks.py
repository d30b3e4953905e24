"""The benchmark's arithmetic: floors, exponents, verdicts, and that its textbook computes what npvae does."""

import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks import __main__ as main
from benchmarks import classes, floor, goals, machine, report, shifted, textbook
from benchmarks.cases import CASES, training
from benchmarks.cases.million import COMMANDS, SIZES
from benchmarks.measure import Timing, repeat
from npvae.data.images import load_train_images, read_idx
from npvae.model import objective
from npvae.model.vae import build
from npvae.settings import Network

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


def rows(*measured: tuple, run: str = "today", kind: str = "bfloat16") -> pd.DataFrame:
    """Of (round, case, what, at, median) or, for what is not measured, (round, case, note)."""
    lines = []
    for row in measured:
        line = dict.fromkeys(report.COLUMNS) | {"run": run, "round": row[0], "case": row[1], "class": kind}
        if len(row) == 3:
            lines.append(line | {"what": "", "repetitions": 0, "note": row[2]})
        else:
            _, _, what, at, median = row
            values = {"median": median, "low": 0.9 * median, "high": 1.2 * median}
            lines.append(line | values | {"what": what, "at": at, "unit": "s", "repetitions": 3, "note": ""})
    return pd.DataFrame(lines).astype({"at": float, "median": float, "low": float, "high": float})


def verdict(table: pd.DataFrame, start: str, kind: str = "bfloat16") -> str:
    (goal,) = [goal for goal in goals.GOALS + goals.GPU_GOALS if goal.name.startswith(start)]
    return goal.cell(table, kind)


def be(monkeypatch, capability: str, *, bfloat16: bool = False, machine: str = "x86_64") -> None:
    monkeypatch.setattr(classes, "multiplies_bfloat16", lambda device: bfloat16)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(classes.platform, "machine", lambda: machine)


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
    theirs.load_state_dict({key.removeprefix("kernel."): value for key, value in ours.state_dict().items()})
    y, noise = torch.rand(16, 784), torch.randn(16, 20)
    expected = objective.loss(objective.terms(ours, y, noise))
    torch.testing.assert_close(theirs.loss(y, noise), expected)
    expected.backward()
    theirs.loss(y, noise).backward()
    gradients = {key: weight.grad for key, weight in theirs.named_parameters()}
    for key, weight in ours.named_parameters():
        other = gradients.pop(key.removeprefix("kernel."))
        torch.testing.assert_close(other, weight.grad, rtol=1e-3, atol=1e-4, msg=key)
    assert not gradients


def test_the_textbook_drops_as_many_units():
    layers = [layer for layer in textbook.VAE(2).modules() if isinstance(layer, torch.nn.Dropout)]
    assert [layer.p for layer in layers] == [Network().dropout] * 4


def test_batches_in_memory_are_all_images_once_but_the_ragged_ones():
    batches = textbook.InMemory(torch.arange(10.0)[:, None], 4)
    seen = [batch for batch, _ in batches]
    assert [batch.shape for batch in seen] == [(4, 1), (4, 1)]
    assert len(set(torch.cat(seen).flatten().tolist())) == 8


def test_the_data_loader_gives_the_same_images_as_npvae(mnist):
    (batch,) = textbook.loader(mnist, images=8, batch_size=8, workers=0)
    ours = load_train_images(mnist, count=8).float() / 255
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
def test_peak_memory_is_what_was_added(root):
    # in a process of its own: here, memory that other tests freed may be used again
    program = "import torch; from benchmarks.measure import peak_memory as peak; "
    program += "torch.ones(9); print(peak(lambda: torch.ones(100, 2**18)))"
    command = [sys.executable, "-c", program]
    added = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    assert 95 < float(added) < 130


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
    assert verdict(table, "An epoch of the nonparametric") == "5 × (4 to 6): met"
    assert verdict(table, "the same, against the textbook") == "2 ×: missed by 25 %"
    assert verdict(table, "the same, time over its floor") == "not measured: `limits` was not run"


def test_no_ratio_across_runs():
    table = pd.concat(
        [rows((1, "ours", "npvae", None, 1.0)), rows((1, "in-memory", "npvae", None, 3.0), run="yesterday")]
    )
    assert verdict(table, "the same, against the textbook") == "not measured: not all of it in one run"


def test_no_ratio_across_classes():
    strong = rows((1, "ours", "npvae", None, 1.0), (1, "in-memory", "npvae", None, 3.0))
    weak = rows((1, "ours", "npvae", None, 2.0), (1, "in-memory", "npvae", None, 4.0), kind="avx2")
    both = pd.concat([strong, weak])
    assert verdict(both, "the same, against the textbook") == "3 ×: met"
    assert verdict(both, "the same, against the textbook", "avx2") == "2 ×"  # no goal of this class

    mixed = pd.concat([strong[strong["case"] == "ours"], weak[weak["case"] == "in-memory"]])
    for kind, missing in (("bfloat16", "in-memory"), ("avx2", "ours")):
        reason = f"not measured: `{missing}` was not run"
        assert verdict(mixed, "the same, against the textbook", kind) == reason


def test_each_class_has_its_own_target():
    steps = (1, "side-by-side", "npvae", None, 1.0), (1, "dataloader", "npvae", 0, 1.5)
    for kind, expected in (("avx2", "1.5 ×: missed by 20 %"), ("bfloat16", "1.5 ×"), ("avx512", "1.5 ×")):
        assert verdict(rows(*steps, kind=kind), "Trainings side by side", kind) == expected
    targets = {goal.target for goal in goals.GOALS}
    assert {
        "at least 1.8 × (avx2)",
        "at most 720 s (avx2), 360 s (bfloat16)",
        "at most 1.1",
        "none",
    } < targets


@pytest.mark.parametrize(("kind", "rate"), [("avx2", 9e11), ("avx512", 9e11), ("bfloat16", 2e11)])
def test_the_floor_of_a_round_is_that_of_its_own_limits_and_precision(kind, rate):
    model = build("npvae", 500, seed=0)
    table = rows(
        (1, "limits", "bfloat16 128x784x500", 1, 1e11),
        (1, "limits", "bfloat16 128x784x500", 2, 2e11),
        (1, "limits", "float32 128x784x500", 2, 9e11),
        (1, "limits", "copy", 2, 1e10),
        (1, "ours", "npvae", None, 0.5),
        kind=kind,
    )
    least = floor.operations(model, 128) / rate + floor.traffic(model) / 1e10
    measured = verdict(table, "the same, time over its floor", kind)
    assert measured.split(":")[0] == f"{0.5 / least:.3g} ×"


def test_a_gpu_step_of_eight_seeds_counts_eight_times():
    table = rows(
        (1, "gpu-ours", "npvae", 1, 0.5e-3),
        (1, "gpu-ours", "npvae", 8, 0.8e-3),
        (1, "gpu-dataloader", "npvae", 1, 4e-3),
        kind="gpu",
    )
    assert verdict(table, "8 seeds: epochs", "gpu") == "40 ×: missed by 25 %"


def test_auto_may_be_nowhere_slower_than_float32():
    table = rows((1, "ours", "npvae", None, 1.0), (1, "ours", "npvae float32", None, 0.96))
    assert verdict(table, "the same, against ours with `float32`") == "0.96 ×: met"


@pytest.mark.parametrize(
    ("capability", "machine", "bfloat16", "native", "here"),
    [
        ("AVX512", "x86_64", True, "bfloat16", {"bfloat16", "avx2"}),
        ("AVX512", "x86_64", False, "avx512", {"avx512", "avx2"}),
        ("AVX2", "x86_64", False, "avx2", {"avx2"}),
        ("DEFAULT", "arm64", False, "arm64", {"arm64"}),
        ("SVE256", "aarch64", False, "sve256", {"sve256"}),
    ],
)
def test_a_cpu_is_what_it_is_and_avx2_if_it_can(monkeypatch, capability, machine, bfloat16, native, here):
    be(monkeypatch, capability, bfloat16=bfloat16, machine=machine)
    assert classes.native() == native
    assert classes.here() == here
    assert classes.wanted() == list(dict.fromkeys(["avx2", "bfloat16", native]))
    assert CASES["ours"].classes == classes.wanted()
    assert CASES["prediction"].classes == [native]
    assert CASES["gpu-ours"].classes == ["gpu"]


def test_a_class_is_set_up_before_python_starts(monkeypatch):
    seen = []

    def run(command, *, env, **_):
        seen.append(env)
        return SimpleNamespace(returncode=1, stdout="last words")

    be(monkeypatch, "AVX512", bfloat16=True)
    for name in classes.AVX2:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(main.subprocess, "run", run)
    for kind in ("avx2", "bfloat16", "gpu"):
        assert main._run("ours", kind, True)[0]["note"] == "failed: last words"
    weak, strong, gpu = seen
    assert weak.items() >= classes.AVX2.items()
    assert not strong.keys() & classes.AVX2.keys()
    assert not gpu.keys() & classes.AVX2.keys()


@pytest.mark.skipif("avx2" not in classes.here(), reason="no AVX2")
def test_any_machine_with_avx2_can_play_the_weak_one(root):
    code = "from benchmarks import classes; print(*classes.here())"
    environment = os.environ | classes.environment("avx2")
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert done.stdout == "avx2\n", done.stderr


def test_a_class_that_is_not_there_says_so(monkeypatch):
    monkeypatch.setattr(main.subprocess, "run", lambda *_, **__: pytest.fail("it ran"))
    be(monkeypatch, "AVX2")
    (line,) = main._run("ours", "bfloat16", True)
    assert line["note"] == "no bfloat16 here: this CPU is avx2"
    be(monkeypatch, "DEFAULT", machine="arm64")
    (line,) = main._run("ours", "avx2", True)
    assert line["note"] == "no avx2 here: this CPU is arm64"
    table = rows((1, "ours", line["note"]), kind="avx2")
    expected = "not measured: `ours`: no avx2 here: this CPU is arm64"
    assert verdict(table, "An epoch of the nonparametric", "avx2") == expected


def test_what_is_not_here_does_not_replace_what_was_measured_elsewhere():
    old = rows(
        (1, "ours", "npvae", None, 1.0),
        (1, "in-memory", "npvae", None, 3.0),
        (1, "pythae", "not installed"),
        run="yesterday",
    )
    new = pd.concat(
        [
            rows((1, "ours", "npvae", None, 2.0), kind="avx2"),
            rows((1, "ours", "no bfloat16 here"), (1, "in-memory", "failed: it"), (1, "pythae", "no such")),
        ]
    )
    kept = report.merge(old, new)
    assert sorted(zip(kept["run"], kept["case"], kept["class"], kept["note"], strict=True)) == [
        ("today", "in-memory", "bfloat16", "failed: it"),
        ("today", "ours", "avx2", ""),
        ("today", "pythae", "bfloat16", "no such"),
        ("yesterday", "ours", "bfloat16", ""),
    ]
    again = report.merge(kept, rows((2, "ours", "npvae", None, 5.0)))
    assert again.loc[again["case"] == "ours", "median"].tolist() == [2.0, 5.0]


def test_the_committed_table_is_that_of_the_committed_timings():
    table = report.load(main.RESULTS)
    assert table["class"].notna().all()
    assert (main.RESULTS / "table.md").read_text() == report.page(table, machine.read(main.RESULTS))


def test_the_machine_is_described_in_torchs_words(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"neon": True, "bf16": False}, raising=False)
    assert machine.describe()["flags"] == ["neon"]
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "SVE256")
    assert "(SVE256)" in machine.sentence(machine.describe())


@pytest.mark.parametrize(("available", "tried"), [(1, [0, 1, 2]), (2, [0, 1, 2]), (6, [0, 1, 2, 4])])
def test_the_data_loader_may_have_a_process_for_each_core(monkeypatch, available, tried):
    monkeypatch.setattr(training, "cores", lambda: available)
    assert training.loaders() == tried


def test_the_page_has_every_goal_and_says_what_is_missing(tmp_path):
    table = pd.concat(
        [
            rows(
                *((1, "scaling-z", "z", z, 0.01 * z**0.5) for z in (2, 8, 32, 128)),
                (1, "pythae", "not installed"),
                (1, "ours", "vae", None, 0.0123),
                kind="avx512",
            ),
            rows((1, "gpu-scaling", "no GPU here"), kind="gpu"),
        ]
    )
    page = report.page(table, {"today": MACHINE})
    lines = page.splitlines()
    assert "| what | goal | avx2 | bfloat16 | avx512 |" in lines
    for goal in goals.GOALS + goals.GPU_GOALS:
        assert sum(line.startswith(f"| {goal.name} |") for line in lines) == 1
    missing = "not measured: `limits` was not run"
    assert f"| floor | {missing} | {missing} | {missing} |" in lines
    assert "| pythae | avx512 |  |  | not measured | not installed |  |" in lines
    assert "| ours | avx512 | vae |  | 12.3 ms | 11.1 ms to 14.8 ms | 3 |" in lines
    assert verdict(table, "Exponent of a step's time in Z, 2 to", "avx512") == "0.5"
    assert "today, avx512 `scaling-z`, `pythae`, `ours`; gpu `gpu-scaling`: a CPU" in page

    z, batch, _ = report.draw(table).axes
    assert z.get_legend().get_texts()[0].get_text() == "avx512"
    assert batch.texts[0].get_text() == "not measured"


def test_every_goal_names_cases_that_there_are():
    everything = goals.GOALS + goals.GPU_GOALS + goals.STEPS
    assert {case for goal in everything for case in goal.cases} <= CASES.keys()


def test_shifted_images_are_mnists_turned_and_shifted_a_little(mnist, tmp_path):
    shifted.write(tmp_path, mnist, 60_007, rows=7_000)
    images, digits = (
        read_idx(tmp_path / "train-images-idx3-ubyte"),
        read_idx(tmp_path / "train-labels-idx1-ubyte"),
    )
    before, told = read_idx(mnist / "train-images-idx3-ubyte"), read_idx(mnist / "train-labels-idx1-ubyte")
    assert images.shape == (60_007, 28, 28)
    assert (digits[:60_000] == told).all()
    assert (digits[60_000:] == told[:7]).all()
    assert (images[60_000:] != images[:7]).any(axis=(1, 2)).all()  # another turn and shift
    ink = images[:60_000].sum(axis=(1, 2), dtype=float) / before.sum(axis=(1, 2), dtype=float)
    assert abs(np.median(ink) - 1) < 0.01
    rows = np.arange(28)
    middles = [(one.sum(axis=2) @ rows) / one.sum(axis=(1, 2)) for one in (images[:60_000], before)]
    moved = middles[0] - middles[1]
    assert moved.std() == pytest.approx(2 / 3**0.5, abs=0.1)  # even between two pixels up and two down


def test_time_and_memory_of_a_million_are_drawn():
    measured = [
        (1, "million", f"{command}{kind}", size, size / 1e4)
        for command in COMMANDS
        for kind in ("", " memory")
        for size in SIZES
    ]
    seconds, memory = report.draw_million(rows(*measured)).axes
    assert len(seconds.lines) == len(memory.lines) == len(COMMANDS)
    assert seconds.lines[0].get_ydata().tolist() == [size / 1e4 for size in SIZES]
