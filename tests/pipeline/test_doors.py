"""The whole DAG for real, small, through both front doors.

It runs from nothing once; each test has a copy of that.
"""

import json
import os
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

ADVISED = {f"figure{n}_advised" for n in (2, 3, 4)}
FIGURES = {"figure1", "figure2", "figure3", "figure4"} | ADVISED


def stages_run(output: str) -> set[str]:
    """The stages that DVC ran, not those that it restored."""
    return set(re.findall(r"^Running stage '(?:studies/dvc.yaml:)?(\w+)", output, flags=re.MULTILINE))


def planned(project) -> set[str]:
    """The rules that Snakemake would run."""
    output = project.run("snakemake --dry-run")
    return set(re.findall(r"^(?:local)?rule (\w+):$", output, flags=re.MULTILINE)) - {"all"}


def append(project, name: str, text: str) -> None:
    path = project.folder / name
    path.write_text(path.read_text() + text)


@pytest.fixture
def project(ran):
    return ran


def nothing_to_do(project) -> None:
    assert "Nothing to be done" in project.run("snakemake --cores 2")
    assert "Data and pipelines are up to date." in project.run("dvc repro")


FOR_FIGURES = {"data", "train", "advise", "embed", "interpolate", "generate", "figure_data"}


def test_figures_need_one_seed_only(smallest, tmp_path):
    project = smallest(tmp_path / "project")
    assert stages_run(project.run("snakemake figures --cores 2")) == FOR_FIGURES | FIGURES
    assert {path.name for path in project.folder.glob("results/figures/*.*")} == {
        f"{name.replace('_', '-')}.{kind}" for name in FIGURES for kind in ("pdf", "png")
    }


@pytest.mark.faults
def test_the_rest_redoes_none_of_it_and_leaves_the_ledger_of_one_process(done, smallest, tmp_path):
    project = smallest(tmp_path / "project")
    project.run("snakemake figures --cores 2")
    assert stages_run(project.run("snakemake --cores 2")) == {
        "replicate",
        "advise_replicates",
        "classifier",
        "real",
        "measure",
        "summary",
        "claims",
        "claims_page",
        "evidence",
        "explorer_part",
        "explorer",
    }
    assert project.ledger() == done.ledger()
    nothing_to_do(project)


def test_then_there_is_nothing_to_do(project):
    nothing_to_do(project)
    assert "check: every figure and metric is up to date" in project.run("npvae check")
    assert not project.run("git status --porcelain")


def test_what_dvc_puts_back_sets_off_no_job(project):
    project.run("git clean -dfXq data results")
    project.run("dvc checkout")
    nothing_to_do(project)


def test_dvc_shows_a_few_means_of_each_model_on_one_screen(project):
    shown = project.run("dvc metrics show")
    assert max(map(len, shown.splitlines())) < 130
    [data] = json.loads(project.run("dvc metrics show --json")).values()
    files = data["data"]
    assert set(files) == {f"results/summary/{model}-z2.json" for model in ("vae", "npvae", "advised")}
    for name, file in files.items():
        table = pd.read_csv(project.folder / name.replace("summary", "measures").replace("json", "csv"))
        means = table.groupby("measure")["value"].mean()
        assert len(file["data"]) >= 4
        for measure, value in file["data"].items():
            assert value == pytest.approx(means.get(measure, means.get(f"{measure}_loo")), rel=1e-12)


def test_all_that_is_measured_is_a_plot_to_dvc_which_warns_of_none(project):
    assert "failed" not in project.run("dvc plots show results/metrics results/measures")


def test_what_another_ledger_knew_is_not_recorded_with_the_folder_that_it_lies_in(project):
    """As after `git checkout` of a state with fewer dimensions of Z."""
    explorer, measures = project.folder / "results/explorer", project.folder / "results/measures"
    shutil.copy(explorer / "npvae-z2.npz", explorer / "npvae-z5.npz")  # whose bytes DVC's cache has
    project.run("dvc repro")
    assert not (explorer / "npvae-z5.npz").exists()
    # somebody's, for git does not ignore it
    shutil.copy(measures / "npvae-z2.csv", measures / "npvae-z5.csv")
    for door in ("dvc repro", "snakemake --cores 2"):
        assert "results/measures/npvae-z5.csv: no stage makes this" in project.run(door, fails=True)
        assert (measures / "npvae-z5.csv").exists()
    (measures / "npvae-z5.csv").unlink()
    project.run("snakemake --cores 2")  # looks once more at what failed
    nothing_to_do(project)
    project.run("npvae check")


def test_what_matters_to_nothing_sets_off_nothing(project):
    for name in ("README.md", "params.yaml", "dvc.yaml", "tests/conftest.py"):
        append(project, name, "\n# a comment\n")
    for name in (
        "data/mnist/.DS_Store",
        "data/mnist/train-images-idx3-ubyte.gz",
        "src/npvae/model/.vae.py.swp",
    ):
        (project.folder / name).write_text("")
    nothing_to_do(project)


@pytest.mark.faults
def test_snakemake_sees_what_the_other_door_did_in_between(project):
    project.edit({"npvae": {"match_weight": 0.5}})
    project.run("dvc repro train@npvae-2")
    project.run("git checkout -q params.yaml dvc.lock")
    named = json.loads(project.run("dvc status --json dvc.yaml 2>/dev/null"))
    stale = {name.partition("@")[0] for name in named}
    assert {"train", "embed", "measure"} <= stale <= planned(project)
    assert not stages_run(project.run("snakemake --cores 2"))  # all of it comes from the cache
    nothing_to_do(project)


def test_snakemake_sees_what_the_other_door_drew_in_between(project):
    figure = project.folder / "results/figures/figure1.png"
    before = figure.read_bytes()
    source = project.folder / "src/npvae/figures/style.py"
    source.write_text(source.read_text().replace('"#222222"', '"#ff0000"'))
    project.run("dvc repro --single-item figure1")
    project.run("git checkout -q src dvc.lock")
    assert figure.read_bytes() != before
    assert planned(project) == {"figure1"}
    project.run("snakemake --cores 2")
    assert figure.read_bytes() == before
    nothing_to_do(project)


@pytest.mark.parametrize(
    "door", ["dvc repro --single-item figure1", "snakemake --cores 1 results/figures/figure1.png"]
)
def test_a_second_tree_runs_its_own_code(project, tmp_path, door):
    second = tmp_path / "second"
    project.run(f"git worktree add -q --detach {second}")
    other = type(project)(second, project.environment)
    other.environment["PYTHONPATH"] = str(project.folder / "src")  # as with the first tree's environment
    append(other, "src/npvae/figures/figure1.py", '\nraise SystemExit("the code of the second tree")\n')
    assert "the code of the second tree" in other.run(door, fails=True)


@pytest.mark.faults
def test_a_queued_experiment_records_the_code_that_ran(project):
    append(project, "src/npvae/figures/figure1.py", '\nprint("the queued code")\n')
    project.run("dvc exp run --queue --name queued figure1")
    project.run("git checkout -q src")
    project.run("dvc exp run --run-all")
    assert "the queued code" in project.run("dvc queue logs queued")
    project.run("dvc exp apply queued")
    assert "the queued code" in (project.folder / "src/npvae/figures/figure1.py").read_text()
    assert "Data and pipelines are up to date." in project.run("dvc repro figure1")
    assert planned(project) == {"figure_data", "claims_page", "evidence"} | FIGURES - {"figure1"}


def test_files_of_someone_elses_are_neither_read_nor_recorded_nor_removed(project):
    table = (project.folder / "results/measures/npvae-z2.csv").read_text()
    foreign = {
        "results/measures/keep.csv": table,
        "results/measures/.npvae-z2.csv-killed": table[:100],
        "results/embeddings/notes.txt": "mine",
        "results/checkpoints/npvae-z7-mybest.safetensors": "mine",
    }
    for name, text in foreign.items():
        (project.folder / name).write_text(text)
    nothing_to_do(project)
    before, ledger = (project.folder / "results/claims.json").read_bytes(), project.ledger()
    project.run("dvc repro --force --single-item claims")
    assert (project.folder / "results/claims.json").read_bytes() == before
    assert project.ledger() == ledger
    for name, text in foreign.items():
        assert (project.folder / name).read_text() == text


def test_removed_figures_come_back_without_training(project):
    project.run("rm results/figures/figure1.png results/figures/figure3-advised.pdf")
    assert stages_run(project.run("snakemake --cores 2")) == {"figure1", "figure3_advised"}
    assert not project.run("git status --porcelain")


def test_one_parameter_reruns_what_depends_on_it_and_nothing_when_it_is_set_back(project):
    project.edit({"figures": {"thumbnails": 6}})
    drawn = {"figure_data", "figure2"}
    assert stages_run(project.run("dvc repro figure2")) == {"generate", *drawn}
    assert "Data and pipelines are up to date." in project.run("dvc repro figure2")
    project.run("git checkout -q params.yaml")
    assert stages_run(project.run("dvc repro figure2")) <= drawn
    assert not project.run("git status --porcelain")


def other_z(project, fresh, z_dims: list[int], gone: int) -> None:
    """Other dimensions of Z leave the ledger of a fresh clone, through the other door; then back again."""
    for one in (project, fresh):
        one.edit({"z_dims": z_dims})
    project.run("snakemake --cores 2")
    fresh.run("dvc repro")
    nothing_to_do(project)
    assert project.ledger() == fresh.ledger()
    found = [path.relative_to(project.folder) for path in project.folder.glob(f"results/**/*z{gone}*")]
    # Snakemake's own, and what studies made, which only their own run removes
    left = {path.parts[1] for path in found if not path.name.startswith(f"advised-z{gone}-replicates")}
    assert left <= {"logs", "benchmarks", "sweep"}
    project.run("git checkout -q params.yaml")
    assert not stages_run(project.run("dvc repro")) & {"train", "replicate", "advise", "advise_replicates"}
    assert not project.run("git status --porcelain --untracked-files=no -- results")


@pytest.mark.faults
def test_fewer_z_leave_the_ledger_of_a_fresh_clone(project, new_project, tmp_path):
    fresh = new_project(tmp_path / "fresh")
    project.edit({"z_dims": [2, 5]})
    project.run_at_once()
    project.commit()
    # what both have trained alike; without it, see the test after this one
    cache = Path(".dvc/cache")
    shutil.copytree(project.folder / cache, fresh.folder / cache, copy_function=os.link, dirs_exist_ok=True)
    other_z(project, fresh, [2], gone=5)


@pytest.mark.faults
def test_other_z_leave_the_ledger_of_a_fresh_clone(project, new_project, tmp_path):
    other_z(project, new_project(tmp_path / "fresh"), [3], gone=2)


@pytest.mark.faults
def test_after_a_pull_an_edit_rebuilds_what_depends_on_it(project, tmp_path):
    remote, clone = tmp_path / "remote", tmp_path / "clone"
    project.run(f"dvc remote add --default storage {remote}")
    project.run("dvc push")
    project.commit()
    project.run(f"git clone -q . {clone}")
    pulled = type(project)(clone, project.environment)
    pulled.run("dvc pull")
    nothing_to_do(pulled)
    append(pulled, "src/npvae/cli/claims.py", "\n# an edit\n")
    assert stages_run(pulled.run("snakemake --cores 2")) == {"claims", "claims_page", "evidence"}
    nothing_to_do(pulled)
