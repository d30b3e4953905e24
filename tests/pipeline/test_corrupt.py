"""What storage does to an artefact is seen before the artefact is used, named, and mended by a rerun."""

import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from npvae.cli import claims, explorer, export, figures, summary
from npvae.errors import NpvaeError

PARAMS, OUT = Path("params.yaml"), Path("out")
EMBEDDINGS, INTERPOLANTS = (
    "results/embeddings/{model}-z{z}.parquet",
    "results/samples/{model}-z{z}-interpolants.npz",
)
DATA = Path("results/figures/data")
DRAWN = [OUT / "f.png"]

COMMANDS: dict[str, Callable[[Path], None]] = {
    "embed": lambda mnist: export.embed(
        "npvae", 2, mnist, Path("results/checkpoints/npvae-z2.safetensors"), OUT / "e.parquet", PARAMS
    ),
    "figure_data": lambda _: figures.figure_data(
        EMBEDDINGS, INTERPOLANTS, "results/samples/{model}-generated.npz", OUT, PARAMS
    ),
    "figure2": lambda _: figures.figure2("npvae", DATA, DRAWN, PARAMS),
    "figure3": lambda _: figures.figure3("npvae", DATA, DRAWN, PARAMS),
    "figure4": lambda _: figures.figure4("npvae", DATA, DRAWN, PARAMS),
    "claims": lambda _: claims.claims(
        "results/measures/{model}-z{z}.csv",
        "results/items/{model}-z{z}.parquet",
        "results/metrics/{model}-z{z}.json",
        Path("results/metrics/real.json"),
        Path("results/metrics/classifier.json"),
        Path("results/comparators.csv"),
        OUT / "claims.md",
        OUT / "claims.json",
        PARAMS,
    ),
    "summary": lambda _: summary.summary(Path("results/metrics/vae-z2.json"), OUT / "s.json"),
    "evidence": lambda _: claims.evidence(Path("results/claims.json"), DRAWN),
    "explorer": lambda mnist: explorer.explorer(
        "results/explorer/{model}-z{z}.npz", mnist, OUT / "x.html", PARAMS
    ),
}
# of each command one artefact of each kind that it reads
READ = [
    ("embed", "results/checkpoints/npvae-z2.safetensors"),
    ("figure_data", "results/embeddings/npvae-z2.parquet"),
    ("figure_data", "results/samples/npvae-generated.npz"),
    ("figure_data", "results/samples/vae-z2-interpolants.npz"),
    ("figure2", "results/figures/data/figure2.parquet"),
    ("figure2", "results/figures/data/figure2.csv"),
    ("figure2", "results/figures/data/figure2.png"),
    ("figure3", "results/figures/data/figure3.parquet"),
    ("figure4", "results/figures/data/figure4.csv"),
    ("figure4", "results/figures/data/figure4.png"),
    ("claims", "results/measures/vae-z2.csv"),
    ("claims", "results/items/vae-z2.parquet"),
    ("claims", "results/metrics/vae-z2.json"),
    ("claims", "results/metrics/real.json"),
    ("claims", "results/metrics/classifier.json"),
    ("claims", "results/comparators.csv"),
    ("summary", "results/metrics/vae-z2.json"),
    ("evidence", "results/claims.json"),
    ("explorer", "results/explorer/npvae-z2.npz"),
]
DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "missing": lambda content: None,
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "nearly all": lambda content: content[:-3],
    "zeros": lambda content: bytes(len(content)),
    "another format": lambda content: b"\x80\x04N." * 100,
}


@pytest.fixture
def tree(done, tmp_path, monkeypatch):
    """The parameters and results of a small project in which everything has run, to be damaged."""
    shutil.copy(done.folder / PARAMS, tmp_path)
    shutil.copytree(
        done.folder / "results",
        tmp_path / "results",
        ignore=shutil.ignore_patterns("logs", "benchmarks", "*.pdf", "*.html", "*replicates*"),
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("command", "artefact"), READ)
def test_a_damaged_artefact_is_named_and_nothing_is_made_of_it(command, artefact, tree, mnist):
    path = Path(artefact)
    whole = path.read_bytes()
    for damage, change in DAMAGES.items():
        content = change(whole)
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(NpvaeError) as error:
            COMMANDS[command](mnist)
        assert str(path) in str(error.value), damage
        assert "\n" not in str(error.value)
        assert not OUT.exists() or not [one for one in OUT.rglob("*") if path.stem in one.name]
        path.write_bytes(whole)


def made(command, mnist):
    """What a command writes."""
    shutil.rmtree(OUT, ignore_errors=True)
    COMMANDS[command](mnist)
    # Bokeh numbers what it draws on from page to page
    return {path.name: re.sub(rb'"p\d{4,}"', b"", path.read_bytes()) for path in OUT.iterdir()}


# The others have no sums of their own: below
PROVEN = [
    one
    for one in READ
    if Path(one[1]).suffix in (".safetensors", ".npz", ".png")
    or one[1].endswith(("figure2.parquet", "figure3.parquet"))
]


@pytest.mark.faults
@pytest.mark.parametrize(("command", "artefact"), PROVEN)
def test_a_flipped_bit_is_refused_or_changes_nothing(command, artefact, tree, mnist):
    path = Path(artefact)
    whole, dice, expected, refused = path.read_bytes(), random.Random(0), made(command, mnist), 0
    for _ in range(100):
        content = bytearray(whole)
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
        path.write_bytes(content)
        try:
            assert made(command, mnist) == expected
        except NpvaeError as error:
            refused += str(path) in str(error)
    assert refused > 50


@pytest.mark.faults
def test_a_digit_that_changed_in_a_table_of_measures_never_changes_a_verdict(tree, mnist):
    path, dice = Path("results/measures/npvae-z2.csv"), random.Random(0)
    expected, lines, refused = made("claims", mnist), path.read_text().splitlines(keepends=True), 0
    for _ in range(100):
        number = dice.randrange(1, len(lines))
        start = lines[number].rindex(",") + 1
        digits = [at for at, one in enumerate(lines[number]) if at >= start and one.isdigit()]
        at = dice.choice(digits[:9])  # the last of them are below what a sum is told by
        changed = lines[number][:at] + str((int(lines[number][at]) + 1) % 10) + lines[number][at + 1 :]
        path.write_text("".join([*lines[:number], changed, *lines[number + 1 :]]))
        try:
            assert made("claims", mnist)["claims.json"] == expected["claims.json"]
        except NpvaeError as error:
            refused += str(path) in str(error)
    assert refused > 90


@pytest.mark.faults
def test_what_has_no_sum_of_its_own_is_held_to_the_ledger_and_made_again(ran):
    damaged = [
        "results/checkpoints/npvae-z2.safetensors",
        "results/embeddings/npvae-z2.parquet",
        "results/samples/npvae-generated.npz",
        "results/items/vae-z2.parquet",
        "results/measures/vae-z2.csv",
        "results/metrics/vae-z2.json",
        "results/claims.json",
        "results/figures/data/figure2.csv",
        "results/figures/data/figure4.png",
    ]
    before = {name: (ran.folder / name).read_bytes() for name in damaged}
    gone = ["results/explorer/npvae-z2.npz", "results/embeddings/vae-z2.parquet"]  # half of a pull
    before |= {name: (ran.folder / name).read_bytes() for name in gone}
    for name, content in before.items():
        (ran.folder / name).unlink()  # it may be a link to what the cache holds
        if name in damaged:
            place = len(content) // 2
            (ran.folder / name).write_bytes(
                content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
            )
    found = ran.run("npvae check", fails=True)
    for name in damaged:
        assert f"{name}: " in found
    ran.run("dvc repro")
    assert {name: (ran.folder / name).read_bytes() for name in before} == before
    ran.run("npvae check")
