"""What figures are drawn from in a clone without DVC's cache."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from npvae.cli import app
from npvae.errors import NpvaeError
from npvae.figures.data import parquet, rounded, tiled, untiled
from npvae.provenance.artefacts import artefact_problems


def test_coordinates_move_by_less_than_a_thousandth_and_repeat() -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {"digit": 7, "x1": random.normal(0, 13, 20_000), "x2": random.uniform(-1e-3, 1e-3, 20_000)}
    )
    table = table.astype({"x1": "float32", "x2": "float32"})
    small = rounded(table)
    assert (small["digit"] == 7).all()
    for axis in ("x1", "x2"):
        extent = np.ptp(table[axis])
        assert np.abs(small[axis] - table[axis]).max() <= extent / 1000
        assert small[axis].nunique() < 20_000 / 2
    assert len(parquet(small)) < 0.7 * len(parquet(table))
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(parquet(small))), small)


def test_tiles_lie_where_their_images_stood(tmp_path) -> None:
    images = np.zeros((2, 3, 28, 20), np.float32)
    images[1, 2, 0, 19] = 1  # the upper right corner of the last image
    images[0, 0] = 0.5
    path = tmp_path / "tiles.png"
    path.write_bytes(tiled(images))
    with Image.open(path) as image:
        assert image.size == (60, 56)
        assert image.getpixel((59, 28)) == 255
        assert image.getpixel((19, 27)) == 128
        assert image.getpixel((20, 0)) == 0
    assert np.abs(untiled(path, (28, 20)) - images).max() <= 0.5 / 255 + 1e-7


def test_a_picture_that_is_no_tiles_is_named(tmp_path) -> None:
    path = tmp_path / "figure4.png"
    Image.new("L", (28, 30)).save(path)
    with pytest.raises(NpvaeError, match=r"figure4.png: 28 × 30 pixels"):
        untiled(path, (28, 28))


@pytest.mark.parametrize("figure", ["figure2", "figure3", "figure4"])
def test_missing_data_is_named_in_a_sentence(figure, tmp_path) -> None:
    command = [figure, "--model", "npvae", "--data", str(tmp_path), "--output", str(tmp_path / "out.png")]
    error = CliRunner().invoke(app, command).exception
    assert isinstance(error, NpvaeError)
    assert f"{tmp_path / figure}." in str(error)


@pytest.mark.parametrize("with_x", [("npvae", "advised"), ("npvae",)])
def test_what_is_gathered_is_enough_to_draw_every_model_with_an_x(tmp_path, root, with_x) -> None:
    random = np.random.default_rng(1)
    for z_dim in (2, 20, 500):
        digits = {"split": ["train", "test"] * 50, "digit": np.arange(100) % 10}
        for model, space in (("vae", "z"), *((model, "x") for model in with_x)):
            points = {f"{space}{axis}": random.normal(size=100).astype("float32") for axis in (1, 2)}
            columns = digits | (points if model in with_x or z_dim == 2 else {})
            pd.DataFrame(columns).assign(model=model, z_dim=z_dim).to_parquet(
                tmp_path / f"{model}-{z_dim}.parquet"
            )
            np.savez(tmp_path / f"{model}-{z_dim}-between.npz", images=random.random((5, 784)))
    for model in with_x:
        places, shown = random.normal(size=(3, 2)).astype("float32"), random.random((3, 784))
        np.savez(tmp_path / f"{model}-500-generated.npz", locations=places, images=shown, side=0.5)
    (tmp_path / "params.yaml").write_text(
        (root / "params.yaml")
        .read_text()
        .replace("[vae, npvae, advised]", f"[{', '.join(('vae', *with_x))}]")
    )

    def run(*command: str) -> None:
        result = CliRunner().invoke(app, command, catch_exceptions=False)
        assert result.exit_code == 0, result.output

    data, params = tmp_path / "data", ("--params", str(tmp_path / "params.yaml"))
    run(
        "figure-data",
        *("--embeddings", f"{tmp_path}/{{model}}-{{z}}.parquet"),
        *("--interpolants", f"{tmp_path}/{{model}}-{{z}}-between.npz"),
        *("--generated", f"{tmp_path}/{{model}}-{{z}}-generated.npz"),
        *("--output", str(data), *params),
    )
    assert len(pd.read_parquet(data / "figure2.parquet")) == 100 * len(with_x)
    assert pd.read_parquet(data / "figure3.parquet").groupby("model").size().to_dict() == {
        "vae": 50
    } | dict.fromkeys(with_x, 150)
    assert pd.read_csv(data / "figure4.csv").to_numpy().tolist() == [
        [model, z_dim] for model in ("vae", *with_x) for z_dim in (2, 500)
    ]
    for figure in ("figure2", "figure3", "figure4"):
        drawn = {}
        for model in ("npvae", "advised"):
            path = tmp_path / f"{figure}-{model}.png"
            run(figure, "--model", model, "--data", str(data), "--output", str(path), *params)
            with Image.open(path) as image:
                # of one that params.yaml leaves out, a line of the width of a column
                assert image.width == (2070 if model in with_x else 1005)
            drawn[model] = path.read_bytes()
            assert not list(artefact_problems(path, path.name))
        assert drawn["npvae"] != drawn["advised"]
