"""Whatever is wrong ends in one sentence that names it, and leaves nothing half-written."""

import pytest


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
    ran.edit({"sweep": {"points": ["npvae.match_weight=1.0; touch pwned #"]}})
    output = ran.run("dvc repro --single-item --glob 'studies/dvc.yaml:sweep_point@*'", fails=True)
    assert "params.yaml: sweep.points" in output
    assert not (ran.folder / "pwned").exists()
