"""What `auto` stands for: on this machine, on restricted ones, and on ones that are made up."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from npvae import machine
from npvae.machine import describe, multiplies_bfloat16, resolve, sentence, warning
from npvae.settings import Precision

CPU, GPU = torch.device("cpu"), torch.device("cuda")
LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "MKL_ENABLE_INSTRUCTIONS")
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}

TRAIN = """
import json, sys
import torch
torch.set_num_threads(1)
from npvae.machine import describe, resolve
from npvae.model.vae import build
from npvae.settings import Network, Training
from npvae.training.loop import fit
cpu = torch.device("cpu")
images = torch.rand(20, 784, generator=torch.Generator().manual_seed(9))
weights = {}
for precision in ("auto", *sys.argv[1:]):
    model = build("npvae", 2, Network(hidden_units=8), seed=0)
    fit(model, images, Training(epochs=2, batch_size=5, precision=precision), seed=0)
    weights[precision] = [tensor.tolist() for tensor in model.state_dict().values()]
same = [precision for precision in sys.argv[1:] if weights[precision] == weights["auto"]]
print(json.dumps({"resolved": resolve("auto", cpu), "same": same, "made": describe("auto", cpu)}))
"""


def trained(*compared: str, limits: dict[str, str]) -> dict[str, Any]:
    """What a process with its own limits says of a training in `auto`, and which others equal it."""
    unrestricted = {name: value for name, value in os.environ.items() if name not in LIMITS}
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, *compared],
        env=unrestricted | limits,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_auto_is_float32_where_the_cpu_is_restricted_to_avx2() -> None:
    found = trained("float32", limits=AVX2)
    assert found["resolved"] == "float32"
    assert found["same"] == ["float32"]
    assert found["made"]["precision"] == "float32"
    assert "bfloat16" not in found["made"]["capability"]


def test_auto_is_what_the_cpu_has_where_nothing_is_restricted() -> None:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    flags = next((set(line.split(":")[1].split()) for line in lines if line.startswith("flags")), None)
    if flags is None:
        pytest.skip("no list of the CPU's flags here")
    expected = "bfloat16" if flags & {"avx512_bf16", "amx_bf16"} else "float32"
    found = trained("float32", "bfloat16", limits={})
    assert found["resolved"] == expected
    assert found["same"] == [expected]
    assert found["made"]["precision"] == expected
    assert ("bfloat16" in found["made"]["capability"]) is (expected == "bfloat16")


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """What is found out about a made-up machine is not remembered."""
    multiplies_bfloat16.cache_clear()
    yield
    multiplies_bfloat16.cache_clear()


@pytest.fixture
def able(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A CPU that lists bfloat16, with nothing restricted."""
    for name in LIMITS:
        monkeypatch.delenv(name, raising=False)
    capabilities = {"avx512_f": True, "avx512_bf16": True, "amx_bf16": True}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    return monkeypatch


@pytest.fixture
def unable(able: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A CPU without bfloat16."""
    able.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    return able


@pytest.mark.parametrize("instructions", ["avx512_bf16", "amx_bf16"])
def test_a_cpu_that_lists_either_instructions_multiplies(able: pytest.MonkeyPatch, instructions: str) -> None:
    able.setattr(torch.cpu, "get_capabilities", lambda: {instructions: True})
    assert multiplies_bfloat16("cpu")
    assert resolve("auto", CPU) == "bfloat16"


@pytest.mark.parametrize(
    "capabilities",
    [{}, {"avx512_f": True, "avx512_vnni": True}, {"avx512_bf16": False, "amx_bf16": False}, {"bf16": True}],
    ids=["none", "others", "not these", "of another architecture"],
)
def test_a_cpu_that_lists_neither_does_not(able: pytest.MonkeyPatch, capabilities: dict[str, bool]) -> None:
    able.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert not multiplies_bfloat16("cpu")
    assert resolve("auto", CPU) == "float32"


def test_a_torch_that_lists_nothing_is_taken_to_have_none(able: pytest.MonkeyPatch) -> None:
    able.delattr(torch.cpu, "get_capabilities")
    assert resolve("auto", CPU) == "float32"


@pytest.mark.parametrize("name", ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"])
@pytest.mark.parametrize(
    "limit",
    [
        "SSE41",
        "AVX",
        "AVX2",
        "AVX2_VNNI",
        "AVX2_VNNI_2",
        "AVX512_CORE",
        "AVX512_CORE_VNNI",
        "avx2",
        "avx512_core_vnni",
    ],
)
def test_a_limit_below_bfloat16_is_honoured(able: pytest.MonkeyPatch, name: str, limit: str) -> None:
    able.setenv(name, limit)
    assert not multiplies_bfloat16("cpu")
    assert resolve("auto", CPU) == "float32"


@pytest.mark.parametrize("name", ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"])
@pytest.mark.parametrize(
    "limit", ["", "DEFAULT", "default", "ALL", "AVX512_CORE_BF16", "AVX512_CORE_AMX", "avx512_core_fp16"]
)
def test_a_limit_that_leaves_bfloat16_is_none(able: pytest.MonkeyPatch, name: str, limit: str) -> None:
    able.setenv(name, limit)
    assert multiplies_bfloat16("cpu")


def test_of_two_limits_the_newer_name_counts_as_in_onednn(able: pytest.MonkeyPatch) -> None:
    able.setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_AMX")
    able.setenv("DNNL_MAX_CPU_ISA", "AVX2")
    assert multiplies_bfloat16("cpu")


@pytest.mark.parametrize("capability", ["DEFAULT", "NO AVX", "AVX2"])
def test_torchs_own_limit_is_honoured(able: pytest.MonkeyPatch, capability: str) -> None:
    able.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert not multiplies_bfloat16("cpu")
    assert resolve("auto", CPU) == "float32"


def test_torch_tells_of_its_limit() -> None:
    code = "import torch; print(torch.backends.cpu.get_cpu_capability())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"ATEN_CPU_CAPABILITY": "default"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.strip() in {"DEFAULT", "NO AVX"}


@pytest.mark.parametrize("layer", ["linear", "conv2d"])
def test_a_trial_that_fails_means_float32(able: pytest.MonkeyPatch, layer: str) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("could not create a primitive descriptor")

    able.setattr(F, layer, refuse)
    assert not multiplies_bfloat16("cpu")
    assert resolve("auto", CPU) == "float32"


@pytest.mark.parametrize(
    ("capability", "expected"), [((7, 0), False), ((7, 5), False), ((8, 0), True), ((9, 0), True)]
)
def test_a_gpu_multiplies_from_sm_80(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], expected: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: capability)
    monkeypatch.setattr(machine, "_trial_succeeds", lambda _: True)
    assert multiplies_bfloat16("cuda") is expected
    assert resolve("auto", GPU) == ("bfloat16" if expected else "float32")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_explicit_precision_stays_whatever_the_machine_has(
    able: pytest.MonkeyPatch, precision: Precision
) -> None:
    assert resolve(precision, CPU) == precision
    able.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    multiplies_bfloat16.cache_clear()
    assert resolve(precision, CPU) == precision


def test_bfloat16_without_hardware_is_warned_of_in_one_sentence_with_a_factor(
    unable: pytest.MonkeyPatch,
) -> None:
    text = warning("bfloat16", CPU)
    assert text is not None
    assert "\n" not in text
    assert not re.search(r"[.!?] ", text)
    assert "bfloat16" in text
    assert "CPU" in text
    factor = re.search(r" (\d+\.\d) times", text)
    assert factor is not None
    assert 0 < float(factor[1]) < 1000


@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_nothing_else_is_warned_of(unable: pytest.MonkeyPatch, precision: Precision) -> None:
    assert warning(precision, CPU) is None


def test_bfloat16_with_hardware_is_not_warned_of(able: pytest.MonkeyPatch) -> None:
    assert warning("bfloat16", CPU) is None


def test_a_warning_leaves_torchs_random_state(unable: pytest.MonkeyPatch) -> None:
    before = torch.get_rng_state()
    warning("bfloat16", CPU)
    resolve("auto", CPU)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_description_says_what_a_run_was_made_with(able: pytest.MonkeyPatch) -> None:
    made = describe("auto", CPU)
    assert made.keys() == {"device", "capability", "threads", "precision", "torch"}
    assert made["device"].startswith("CPU")
    assert made["capability"] == "AVX512 with bfloat16"
    assert made["threads"] == 1
    assert made["precision"] == "bfloat16"
    assert made["torch"] == torch.__version__
    assert json.loads(json.dumps(made)) == made


def test_a_description_of_a_cpu_without_bfloat16(unable: pytest.MonkeyPatch) -> None:
    assert describe("auto", CPU)["precision"] == "float32"
    assert describe("auto", CPU)["capability"] == "AVX512"
    assert describe("bfloat16", CPU)["precision"] == "bfloat16"


def test_a_description_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (9, 0))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "NVIDIA H100")
    monkeypatch.setattr(machine, "_trial_succeeds", lambda _: True)
    made = describe("auto", GPU)
    assert (made["device"], made["capability"], made["precision"]) == ("NVIDIA H100", "sm_90", "bfloat16")


@pytest.mark.parametrize(("threads", "words"), [(1, "1 thread,"), (2, "2 threads,")])
def test_a_description_is_said_in_a_line(threads: int, words: str) -> None:
    text = sentence(
        {"device": "CPU", "capability": "AVX2", "threads": threads, "precision": "float32", "torch": "2.9"}
    )
    assert text == f"float32 on CPU (AVX2), {words} torch 2.9"
