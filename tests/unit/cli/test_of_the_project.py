"""What commands about the project's records say where the project is not as it should be."""

import subprocess
from pathlib import Path

import pytest

from npvae.cli import pipeline
from npvae.errors import NpvaeError

COMMANDS = {
    "check": pipeline.check,
    "trace": lambda: pipeline.trace(Path("results/figures/figure1.png")),
    "verify": pipeline.verify,
    "prune": pipeline.prune,
    "crate": lambda: pipeline.crate(Path("crate")),
}
LEDGER = """\
schema: '2.0'
stages:
  figure1:
    cmd: npvae figure1
    outs:
    - path: results/figures/figure1.png
      md5: 0123456789abcdef0123456789abcdef
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").touch()
    (tmp_path / "dvc.yaml").write_text("stages:\n  figure1: {cmd: npvae figure1}\n")
    (tmp_path / "dvc.lock").write_text(LEDGER)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(command: str) -> str:
    if command == "crate":
        pytest.importorskip("rocrate")
    with pytest.raises(NpvaeError) as raised:
        COMMANDS[command]()
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "ledger",
    [
        "",
        LEDGER[: LEDGER.index("results")],
        f"<<<<<<< HEAD\n{LEDGER}=======\n{LEDGER}>>>>>>> other\n",
        LEDGER.replace("md5: 0", "md4: 0"),
    ],
    ids=["empty", "cut off, and still YAML", "in conflict", "of another kind"],
)
def test_a_ledger_that_cannot_be_read_is_named(project: Path, command: str, ledger: str) -> None:
    (project / "dvc.lock").write_text(ledger)
    assert "dvc.lock" in refusal(command)


@pytest.mark.parametrize("command", ["trace", "verify", "crate"])
def test_a_file_without_its_sum_is_a_ledger_cut_off(project: Path, command: str) -> None:
    (project / "dvc.lock").write_text(LEDGER[: LEDGER.index("md5")])
    assert "dvc.lock: cut off at figure1" in refusal(command)


@pytest.mark.parametrize("command", ["check", "verify", "prune", "crate"])  # a trace is of ledgers alone
def test_a_definition_that_cannot_be_read_is_named(project: Path, command: str) -> None:
    (project / "dvc.yaml").write_text("stages: [\n")
    assert "dvc.yaml" in refusal(command)


@pytest.mark.parametrize("command", ["trace", "verify", "crate"])
def test_a_folder_that_is_no_project(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert "no DVC project here" in refusal(command)


@pytest.mark.parametrize("command", ["verify", "crate"])
def test_a_download_without_history(project: Path, command: str) -> None:
    (project / ".git").rename(project / "gone")
    assert "git" in refusal(command)


def test_a_trace_from_a_folder_of_the_project(project: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    (project / "docs").mkdir()
    (project / "docs/dvc.yaml").write_text("stages: {}\n")  # as in studies/
    monkeypatch.chdir(project / "docs")
    pipeline.trace(Path("../results/figures/figure1.png"))
    assert "made by figure1 of dvc.yaml" in capsys.readouterr().out


def test_a_document_that_is_missing_is_named(project: Path) -> None:
    with pytest.raises(NpvaeError, match=r"nosuch\.md: missing"):
        pipeline.docs([Path("nosuch.md")])


def test_a_revision_that_looks_like_an_option_reaches_no_git(project: Path) -> None:
    (project / "kept.md").write_text("mine")
    with pytest.raises(NpvaeError, match="neither a folder nor a revision"):
        pipeline.compare("--output=kept.md")
    assert (project / "kept.md").read_text() == "mine"


def test_folders_without_figures_are_not_the_same(project: Path) -> None:
    for name in ("one", "other"):
        (project / name).mkdir()
    with pytest.raises(NpvaeError, match="no figures in either"):
        pipeline.compare("one", "other", same=True)


@pytest.mark.parametrize("command", ["trace", "compare"])
def test_a_broken_result_is_named(project: Path, command: str) -> None:
    (project / "dvc.lock").write_text(
        LEDGER + LEDGER[LEDGER.index("    - path") :].replace("figures/figure1.png", "x.json")
    )
    for folder in ("results/figures", "other/figures"):
        (project / folder).mkdir(parents=True)
        (project / folder / "figure1.png").touch()
    (project / "results/x.json").write_bytes(b"\xff<<<")
    ask = {
        "trace": lambda: pipeline.trace(Path("results/x.json")),
        "compare": lambda: pipeline.compare("other"),
    }
    with pytest.raises(NpvaeError, match=r"x\.json: not JSON"):
        ask[command]()
