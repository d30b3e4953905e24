"""The whole DAG for real, small, through both front doors.

The tests of this module share one project and run in order: each starts where the one before ended.
"""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zipfile import ZipFile

import pytest

FIGURES = {"figure1", "figure2", "figure3", "figure4"}


def ran(output: str) -> set[str]:
    """The stages that DVC ran, not those that it restored."""
    return set(re.findall(r"^Running stage '(?:studies/dvc.yaml:)?(\w+)", output, flags=re.MULTILINE))


def planned(project) -> set[str]:
    """The rules that Snakemake would run."""
    output = project.run("snakemake --dry-run")
    return set(re.findall(r"^(?:local)?rule (\w+):$", output, flags=re.MULTILINE)) - {"all"}


def append(project, name: str, text: str) -> None:
    path = project.folder / name
    path.write_text(path.read_text() + text)


@pytest.fixture(scope="module")
def project(new_project, tmp_path_factory):
    return new_project(tmp_path_factory.mktemp("doors") / "project")


def nothing_to_do(project) -> None:
    assert "Nothing to be done" in project.run("snakemake --cores 2")
    assert "Data and pipelines are up to date." in project.run("dvc repro")


def test_figures_need_one_seed_only(project):
    output = project.run("snakemake figures --cores 2")
    assert ran(output) == {"data", "train", "embed", "interpolate", "generate", "figure_data", *FIGURES}
    figures = sorted(path.name for path in (project.folder / "results/figures").glob("*.*"))
    assert figures == [f"figure{n}.{kind}" for n in (1, 2, 3, 4) for kind in ("pdf", "png")]


def test_the_rest_redoes_none_of_it(project):
    assert ran(project.run("snakemake --cores 2")) == {
        "replicate",
        "classifier",
        "real",
        "measure",
        "claims",
        "claims_page",
        "evidence",
        "explorer_part",
        "explorer",
    }
    nothing_to_do(project)
    assert "check: every figure and metric is up to date" in project.run("npvae check")


def test_the_report_holds_every_figure_the_claims_and_the_explorer_after_a_checkout(project, tmp_path):
    project.run("rm -r .snakemake && git clean -dfXq results && dvc checkout")
    project.run(f"snakemake --report {tmp_path / 'report.zip'}")
    with ZipFile(tmp_path / "report.zip") as report:
        names = {Path(name).name for name in report.namelist()}
        page = report.read("report/report.html").decode()
    assert names >= {f"{name}.png" for name in {*FIGURES, "evidence"}} | {"claims.html", "explorer.html"}
    assert "Z of 2, 5 dimensions, 2 trainings of each" in " ".join(page.split())
    assert "the 900 training images" in " ".join(page.replace("\\n", " ").split())
    nothing_to_do(project)


def test_what_dvc_puts_back_sets_off_no_job(project):
    project.run("git clean -dfXq data results")
    project.run("dvc checkout")
    nothing_to_do(project)


def test_metrics_are_readable_by_dvc(project):
    shown = project.run("dvc metrics show --json")
    assert shown.count("negative_elbo") == 4  # models and Z: the means


def test_what_matters_to_nothing_sets_off_nothing(project):
    project.commit()
    for name in ("README.md", "params.yaml", "dvc.yaml", "tests/conftest.py"):
        append(project, name, "\n# a comment\n")
    for name in (
        "data/mnist/.DS_Store",
        "data/mnist/train-images-idx3-ubyte.gz",
        "src/npvae/model/.vae.py.swp",
    ):
        (project.folder / name).write_text("")
    nothing_to_do(project)
    project.run("git checkout -q . && rm data/mnist/.DS_Store data/mnist/*.gz src/npvae/model/.vae.py.swp")


def test_snakemake_sees_what_the_other_door_did_in_between(project):
    project.edit({"npvae": {"match_weight": 0.5}})
    project.run("dvc repro train@npvae-2")
    project.run("git checkout -q params.yaml dvc.lock")
    named = json.loads(project.run("dvc status --json dvc.yaml 2>/dev/null"))
    stale = {name.partition("@")[0] for name in named}
    assert {"train", "embed", "measure"} <= stale <= planned(project)
    assert not ran(project.run("snakemake --cores 2"))  # all of it comes from the cache
    nothing_to_do(project)


def test_a_second_tree_runs_its_own_code(project, tmp_path):
    second = tmp_path / "second"
    project.run(f"git worktree add -q --detach {second}")
    other = type(project)(second, project.environment["NPVAE_MNIST_DIR"])
    other.environment["PYTHONPATH"] = project.environment[
        "PYTHONPATH"
    ]  # as with the first tree's environment
    other.run("dvc repro data")
    append(other, "src/npvae/model/objective.py", '\nraise SystemExit("the code of the second tree")\n')
    for door in ("dvc repro --single-item train@vae-2", "snakemake --cores 1 results/history/vae-z2.csv"):
        assert "the code of the second tree" in other.run(door, fails=True)
    project.run(f"git worktree remove --force {second}")


def test_files_of_someone_elses_are_neither_read_nor_recorded_nor_removed(project):
    table = (project.folder / "results/measures/npvae-z5.csv").read_text()
    foreign = {
        "results/measures/keep.csv": table,
        "results/measures/.npvae-z5.csv-killed": table[:100],
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
        (project.folder / name).unlink()


def test_removed_figures_come_back_without_training(project):
    project.run("rm -r results/figures")
    assert ran(project.run("snakemake --cores 2")) == FIGURES | {"figure_data", "evidence"}
    assert not project.run("git status --porcelain")


def test_one_parameter_reruns_what_depends_on_it(project):
    project.edit({"figures": {"interpolation_steps": 4}})
    assert ran(project.run("dvc repro")) == {"interpolate", "figure_data", "figure4"}
    assert "Data and pipelines are up to date." in project.run("dvc repro")


def test_setting_it_back_restores_the_old_results(project):
    project.run("git checkout -q params.yaml")
    assert ran(project.run("dvc repro")) <= {"figure_data", "figure4"}
    assert not project.run("git status --porcelain")


def test_other_z_leave_the_ledger_of_a_fresh_clone(project, new_project, tmp_path):
    fresh = new_project(tmp_path / "fresh")
    for one in (project, fresh):
        one.edit({"z_dims": [3]})
    with ThreadPoolExecutor() as pool:
        other_door = pool.submit(fresh.run, "dvc repro")
        project.run("snakemake --cores 2")
        other_door.result()
    nothing_to_do(project)
    assert project.ledger() == fresh.ledger()
    left = {path.relative_to(project.folder).parts[1] for path in project.folder.glob("results/**/*z5*")}
    assert left <= {"logs", "benchmarks"}  # Snakemake's own


def test_old_z_come_back_without_training(project):
    project.run("git checkout -q params.yaml")
    assert not ran(project.run("dvc repro")) & {"train", "replicate"}
    assert not project.run("git status --porcelain --untracked-files=no -- results")


def test_after_a_pull_an_edit_rebuilds_what_depends_on_it(project, tmp_path):
    remote, clone = tmp_path / "remote", tmp_path / "clone"
    project.run(f"dvc remote add --default storage {remote}")
    project.run("dvc push")
    project.commit()
    project.run(f"git clone -q . {clone}")
    pulled = type(project)(clone, project.environment["NPVAE_MNIST_DIR"])
    pulled.run("dvc pull")
    nothing_to_do(pulled)
    pulled.edit({"figures": {"thumbnails": 6}})
    source = clone / "src/npvae/figures/figure1.py"
    source.write_text(source.read_text() + "\n# an edit\n")
    assert ran(pulled.run("snakemake --cores 2")) == {
        "generate",
        "figure_data",
        *FIGURES,
        "evidence",
        "explorer",
    }
    nothing_to_do(pulled)
