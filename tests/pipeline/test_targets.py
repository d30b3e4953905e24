"""What one asks of Snakemake by name."""


def test_what_another_z_would_make_points_to_z_dims(new_project, tmp_path):
    target = "results/checkpoints/npvae-z51.safetensors"
    said = new_project(tmp_path / "project").run(f"snakemake --dry-run {target}", fails=True)
    assert f"{target}: add 51 to z_dims in params.yaml, which are [2, 5]" in said
    assert "Traceback" not in said
