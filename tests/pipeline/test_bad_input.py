"""Whatever is wrong ends in one sentence that names it, and leaves nothing half-written."""

import os
import shutil

import pytest
from ruamel.yaml import YAML

# root may read and write everything, unless it lets go of the right to
AS_ANYBODY = "setpriv --bounding-set -dac_override,-dac_read_search " if os.geteuid() == 0 else ""


@pytest.fixture
def project(new_project, tmp_path):
    return new_project(tmp_path / "project")


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"z_dims": [0, 2]}, "z_dims.0"),
        ({"train": {"batch_size": 1}}, "train.batch_size"),
        ({"train": {"epoch": 3}}, "train.epoch"),
        ({"network": {"dropout": "0.1"}}, "network.dropout"),
    ],
)
def test_a_wrong_parameter_stops_both_doors(project, changes, names):
    project.edit(changes)
    for command in ("npvae params", "snakemake --cores 1"):
        output = project.run(command, fails=True)
        assert f"params.yaml: {names}" in output
        assert "Traceback" not in output
    assert not (project.folder / "results/checkpoints").exists()


def test_a_folder_without_mnist(project, tmp_path):
    project.environment["NPVAE_MNIST_DIR"] = str(tmp_path)
    output = project.run("dvc repro data", fails=True)
    assert "train-images-idx3-ubyte: missing" in output
    assert "Traceback" not in output
    assert not list((project.folder / "data").rglob("*ubyte"))


def test_a_loss_that_is_not_finite(project):
    project.edit({"train": {"learning_rate": 1e30}})
    project.put_mnist()
    output = project.run("dvc repro --single-item train@vae-2", fails=True)
    assert "the loss is " in output
    assert "epoch 1, step " in output
    assert "Traceback" not in output
    assert not list((project.folder / "results").rglob("*.safetensors"))


def test_a_checkpoint_of_other_parameters(ran):
    ran.edit({"network": {"hidden_units": 8}})
    output = ran.run("dvc repro --single-item embed@vae-2 --force", fails=True)
    assert "vae-z2.safetensors: trained with other parameters" in output
    assert "network.hidden_units is 16, not 8" in output


def test_a_point_of_the_sweep_never_reaches_a_shell(ran):
    ran.edit({"sweep": {"points": ["z2-npvae.match_weight=1.0; touch pwned #"]}})
    output = ran.run("dvc repro --single-item --glob 'studies/dvc.yaml:sweep_point@*'", fails=True)
    assert "params.yaml: sweep.points" in output
    assert not (ran.folder / "pwned").exists()


@pytest.mark.parametrize("definition", ["dvc.yaml", "studies/dvc.yaml"])
def test_parameters_are_checked_before_a_command_that_they_are_filled_into(root, definition):
    stages = YAML(typ="safe").load(root / definition)["stages"]
    commands = {name: stage["cmd"] for name, stage in stages.items() if "${" in str(stage["cmd"])}
    assert commands
    for name, cmd in commands.items():
        assert isinstance(cmd, list), name
        assert cmd[0] == "npvae params", name


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"data": {"name": "mnist; touch pwned #"}}, "params.yaml: data.name"),
        (
            {"z_dims": ["2; touch pwned #"]},
            "2; touch pwned #.parquet' is ignored",
        ),  # by .dvcignore: no name of ours
        ({"models": ["vae; touch pwned #", "npvae"]}, "vae; touch pwned #-z2.parquet' is ignored"),
        ({"measured": ["vae\ntouch pwned\n"]}, "is ignored"),
    ],
    ids=["data.name", "z_dims", "models", "measured"],
)
def test_no_parameter_is_ever_shell(project, changes, says):
    project.edit(changes)
    output = project.run("dvc repro", fails=True)
    assert not (project.folder / "pwned").exists()
    assert says in output


def sentence(output: str) -> str:
    """The one line that a refused command ends in."""
    lines = [line for line in output.splitlines() if line]
    assert len(lines) == 1, output
    assert lines[0].startswith("npvae: ")
    return lines[0].removeprefix("npvae: ")


def test_a_folder_without_git(project):
    shutil.rmtree(project.folder / ".git")
    assert "no git repository" in sentence(project.run("npvae check", fails=True))
    project.run("git init -q")
    assert "train@vae-2: never run" in project.run("npvae check", fails=True)


def test_a_name_that_is_no_figures(project):
    output = project.run("npvae figure1 --output f.png --output f.svg", fails=True)
    assert "f.svg: figures are PNG or PDF" in sentence(output)
    assert not (project.folder / "f.png").exists()


def test_the_backend_of_a_notebook(project):
    project.environment["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    project.run("npvae figure1 --output f.pdf")
    assert (project.folder / "f.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.skipif(bool(AS_ANYBODY) and not shutil.which("setpriv"), reason="root may write everywhere")
def test_a_folder_and_a_file_of_someone_elses(project):
    (project.folder / "theirs").mkdir(mode=0o555)
    output = project.run(f"{AS_ANYBODY}npvae figure1 --output theirs/f.pdf", fails=True)
    assert sentence(output) == "theirs/f.pdf: permission denied"
    (project.folder / "data-of-theirs").mkdir()
    (project.folder / "data-of-theirs/figure3.parquet").touch(mode=0o000)
    command = "npvae figure3 --model npvae --data data-of-theirs --output f.pdf"
    refusal = sentence(project.run(f"{AS_ANYBODY}{command}", fails=True))
    assert "data-of-theirs/figure3.parquet" in refusal
    assert refusal.endswith("permission denied")


def test_a_full_disk(project):
    output = project.run("ulimit -f 1 && npvae figure1 --output f.pdf", fails=True)
    assert sentence(output) == "f.pdf: file too large"
    assert not list(project.folder.glob("*f.pdf*"))
