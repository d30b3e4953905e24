"""What only a GPU does: the captured step, its precision, and results that are the CPU's to rounding."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from npvae import NPVAE, machine
from npvae.cli import app
from npvae.data.images import Split, load_train_images, random_subset
from npvae.fitting.afterwards import fit_x
from npvae.latent.spaces import XSpace, space_of
from npvae.measures.classifier import Classifier
from npvae.measures.suite import measure
from npvae.measures.yardstick import Yardstick
from npvae.model.checkpoint import load_models, new_model, save_models
from npvae.model.vae import VAE, NonparametricVAE, build
from npvae.settings import (
    Divergence,
    Fitting,
    Measuring,
    ModelName,
    Network,
    Objective,
    Precision,
    Recipe,
    Training,
    TrainingData,
)
from npvae.training.history import Epoch
from npvae.training.loop import fit, run
from npvae.training.stacked import fit_stacked, stack, unstack
from tests.pipeline.project import SMALL, Project

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")

NETWORK = Network(hidden_units=64, dropout=0.1)
SIZES = Measuring(
    samples=60,
    mixture_components=2,
    importance_samples=4,
    likelihood_images=20,
    subset=200,
    pairs=20,
    steps=3,
)
Weights = list[dict[str, Tensor]]


def images_of(count: int, seed: int = 0) -> Tensor:
    """Noisy images of five kinds, uint8, on the GPU."""
    noise = torch.Generator().manual_seed(seed)
    kinds = torch.rand(5, 784, generator=torch.Generator().manual_seed(7))
    grey = kinds[torch.arange(count) % 5] + 0.2 * torch.rand(count, 784, generator=noise)
    return (255 * grey / 1.2).to(torch.uint8).cuda()


def models_of(
    name: ModelName, seeds: int, network: Network = NETWORK, objective: Objective | None = None
) -> dict[int, VAE]:
    return {seed: build(name, 8, network, objective, seed=seed).cuda() for seed in range(seeds)}


def weights(models: dict[int, VAE]) -> Weights:
    return [model.state_dict() for model in models.values()]


def assert_close(found: Weights, expected: Weights, *, rtol: float, atol: float) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        for name, weight in theirs.items():
            if name != "x_encoder.6.bias":  # only differences in X count: nothing but rounding moves it
                torch.testing.assert_close(
                    ours[name], weight, rtol=rtol, atol=atol, msg=lambda m, n=name: n + m
                )


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ["vae", "npvae"])
def test_a_captured_step_is_the_plain_loops(name: ModelName, precision: Precision) -> None:
    """Noise, drop-out and order included: a graph draws the numbers that its steps would have drawn."""
    images, training = images_of(320), Training(epochs=3, batch_size=32, precision=precision)
    captured, plain = models_of(name, 3), models_of(name, 3)
    history = fit_stacked(captured, images, training)
    together = stack(list(plain.values()))
    records = run(together, list(plain), images, training, stacked=True)
    unstack(together, list(plain.values()))
    assert_close(weights(captured), weights(plain), rtol=1e-4, atol=1e-5)
    for ours, theirs in zip(history, sorted(records, key=lambda one: one.seed), strict=True):
        assert ours[:2] == theirs[:2]
        assert ours.reconstruction == pytest.approx(theirs.reconstruction, rel=1e-5)


@pytest.mark.parametrize("divergence", ["predictive", "joint"])
def test_the_exact_objectives_are_captured_too(divergence: Divergence) -> None:
    objective = Objective(divergence=divergence)
    images, training = images_of(320), Training(epochs=3, batch_size=32, precision="float32")
    captured, plain = (models_of("npvae", 2, objective=objective) for _ in range(2))
    fit_stacked(captured, images, training, objective)
    together = stack(list(plain.values()))
    run(together, list(plain), images, training, objective, stacked=True)
    unstack(together, list(plain.values()))
    assert_close(weights(captured), weights(plain), rtol=1e-3, atol=1e-4)


def test_a_gpu_learns_what_a_cpu_learns(mnist: Path) -> None:
    """Their random numbers differ, so an epoch's averages are compared and not weights."""
    images, training = load_train_images(mnist, count=12_800), Training(epochs=3, precision="float32")
    ((_, model),) = models_of("npvae", 1, Network(hidden_units=200)).items()
    on_cpu = fit(build("npvae", 8, Network(hidden_units=200), seed=0), images, training, seed=0)
    on_gpu = fit(model, images.cuda(), training, seed=0)
    for ours, theirs in zip(on_gpu, on_cpu, strict=True):
        assert ours.reconstruction == pytest.approx(theirs.reconstruction, rel=0.02)
        assert ours.kl == pytest.approx(theirs.kl, rel=0.1)
        assert ours.length_scale == pytest.approx(theirs.length_scale, rel=0.05)


def test_a_single_seed_keeps_a_state(tmp_path: Path) -> None:
    """As ``npvae train`` does, whose seed is a stack of one here."""
    state = tmp_path / "seeds.safetensors"
    fit_stacked(models_of("npvae", 1), images_of(64), Training(epochs=1, batch_size=32), state=state)
    assert state.is_file()


def test_eight_seeds_in_one_call_are_eight_models() -> None:
    models = models_of("npvae", 8)
    history = fit_stacked(models, images_of(320), Training(epochs=4, batch_size=32))
    assert [(one.seed, one.epoch) for one in history] == [(s, e) for s in range(8) for e in range(1, 5)]
    for seed in range(8):
        first, *_, last = [one.reconstruction for one in history if one.seed == seed]
        assert last < first
    decoder = torch.stack([state["decoder.0.weight"] for state in weights(models)])
    assert (decoder[1:] != decoder[:-1]).any((1, 2)).all()


def test_a_killed_training_goes_on_where_it_was(tmp_path: Path) -> None:
    images, training = images_of(320), Training(epochs=4, batch_size=32, precision="float32")

    class Stopped(Exception):
        pass

    def stop(record: Epoch) -> None:
        if record.epoch == 2:
            raise Stopped

    undisturbed, stopped, resumed = (models_of("npvae", 2) for _ in range(3))
    fit_stacked(undisturbed, images, training)
    state = tmp_path / "seeds.safetensors"
    with pytest.raises(Stopped):
        fit_stacked(stopped, images, training, on_epoch=stop, state=state)
    seen: list[Epoch] = []
    history = fit_stacked(resumed, images, training, on_epoch=seen.append, state=state)
    assert {one.epoch for one in seen} == {3, 4}
    assert {one.epoch for one in history} == {1, 2, 3, 4}
    assert_close(weights(resumed), weights(undisturbed), rtol=1e-3, atol=1e-4)


def test_x_fitted_afterwards_is_the_cpus() -> None:
    images, fitting = images_of(512), Fitting(epochs=3, batch_size=128, x_dropout=0.0)
    recipe = Recipe(
        model="advised",
        z_dim=8,
        data=TrainingData(name="toy", validation_images=0, train_images=512),
        network=Network(hidden_units=64, dropout=0.0),
        train=Training(precision="float32"),
        advised=fitting,
    )
    found = []
    for device in ("cpu", "cuda"):
        model = new_model(recipe, 0).to(device)
        assert isinstance(model, NonparametricVAE)
        found.append(fit_x(model, images.to(device), fitting, seed=0, precision="float32"))
    for ours, theirs in zip(*found, strict=True):
        assert ours.match == pytest.approx(theirs.match, rel=0.01)
        assert ours.length_scale == pytest.approx(theirs.length_scale, rel=0.01)


@pytest.mark.parametrize("name", ["vae", "npvae"])
def test_measures_are_the_cpus(name: ModelName) -> None:
    """Those without a draw to rounding; the others at least are there and finite."""
    found = []
    trained = models_of(name, 1)[0]
    fit(trained, images_of(640), Training(epochs=3, batch_size=32), seed=0)
    for device in ("cpu", "cuda"):
        torch.manual_seed(0)
        splits = (
            Split(images_of(count, seed).to(device), (torch.arange(count) % 5).to(device))
            for count, seed in ((640, 0), (320, 1))
        )
        yardstick = Yardstick([Classifier().eval().to(device)], *splits, SIZES)
        reference = random_subset(640, 500, seed=0).to(device)
        found.append(measure(trained.to(device), yardstick, reference, seed=0).values)
    on_cpu, on_gpu = found
    assert on_gpu.keys() == on_cpu.keys()
    assert all(value == value for value in on_gpu.values())
    still = {"digit_accuracy", "kl", "active_units", "length_scale", "match_r2", "reconstruction_from_x"}
    for eye, value in on_cpu.items():
        if eye.measure.removesuffix("_loo") in still:
            assert on_gpu[eye] == pytest.approx(value, rel=2e-3, abs=2e-3), eye


def test_a_checkpoint_made_here_is_read_anywhere(tmp_path: Path) -> None:
    recipe = Recipe(
        model="npvae", z_dim=8, data=TrainingData(), network=NETWORK, train=Training(), npvae=Objective()
    )
    models = {seed: new_model(recipe, seed).cuda() for seed in (0, 1)}
    made = machine.describe("auto", torch.device("cuda"))
    able = torch.cuda.get_device_capability() >= (8, 0)
    assert made["precision"] == ("bfloat16" if able else "float32")
    assert torch.cuda.get_device_name() in machine.sentence(made)
    save_models(tmp_path / "two.safetensors", models, recipe, made)
    loaded = load_models(tmp_path / "two.safetensors", recipe)
    images = images_of(5)
    for seed, model in loaded.items():
        assert next(model.parameters()).device.type == "cpu"
        expected = models[seed].eval().encode(images)[0].cpu()
        torch.testing.assert_close(model.encode(images.cpu())[0], expected, rtol=1e-3, atol=1e-3)


def test_prediction_through_x_is_the_cpus() -> None:
    images = images_of(3_000)
    model, found = models_of("npvae", 1)[0].eval(), []
    for device in ("cpu", "cuda"):
        space = space_of(model.to(device), images.to(device), random_subset(3_000, 2_000, seed=0).to(device))
        assert isinstance(space, XSpace)
        with torch.no_grad():
            found.append(space.decode(space.train_points[:100]).cpu())
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-3)


def test_every_command_of_the_pipeline_runs(
    mnist: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the stages call them, on a subset."""
    shutil.copy(root / "params.yaml", tmp_path)
    Project(tmp_path, {}).edit(SMALL)
    monkeypatch.chdir(tmp_path)

    def npvae(command: str) -> None:
        done = CliRunner().invoke(app, [*command.split(), "--data", str(mnist)], catch_exceptions=False)
        assert done.exit_code == 0, done.output

    npvae("classifier --checkpoint classifier --output classifier.json")
    npvae("real --classifier classifier --output real.json")
    for model in ("vae", "npvae"):
        of = f"--model {model} --z-dim 5"
        npvae(f"train {of} --checkpoint {model} --history h.csv --state s")
        npvae(f"replicate {of} --checkpoint {model}-rest --history h.csv --state s")
        checkpoints = f"--checkpoint {model} --checkpoint {model}-rest --classifier classifier"
        npvae(f"measure {of} {checkpoints} --output m.csv --items m.parquet --means m.json")
    npvae("advise --z-dim 5 --plain vae --checkpoint advised --history h.csv")
    for model in ("vae", "npvae", "advised"):
        of = f"--model {model} --z-dim 5 --checkpoint {model}"
        npvae(f"embed {of} --output e.parquet")
        npvae(f"interpolate {of} --output i.npz")
        npvae(f"explorer-part {of} --output x.npz")
    npvae("generate --model npvae --z-dim 5 --checkpoint npvae --output g.npz")
    for change in ("default", "npvae.divergence=joint"):
        npvae(f"sweep-point --point z5-{change} --classifier classifier --output p.csv --state s")
    assert torch.cuda.get_device_name() in Path("m.json").read_text()


def test_the_estimator_runs(tmp_path: Path) -> None:
    images = images_of(200).cpu().numpy().reshape(-1, 28, 28)
    model = NPVAE(z_dim=4, hidden_units=16, epochs=2, batch_size=50).fit(images)
    x = model.transform(images)
    model.save(tmp_path / "model.safetensors")
    again = NPVAE.load(tmp_path / "model.safetensors")
    np.testing.assert_allclose(again.transform(images), x, rtol=1e-3, atol=1e-3)
    assert model.inverse_transform(x[:3]).shape == model.sample(3).shape == (3, 28, 28)


def test_a_gpu_out_of_memory_ends_in_a_sentence(mnist: Path, root: Path, tmp_path: Path) -> None:
    """In a process of its own that may use a thousandth of the memory."""
    program = (
        "import sys, torch; torch.cuda.set_per_process_memory_fraction(0.001); "
        f"sys.argv = ['npvae', 'train', '--model', 'npvae', '--z-dim', '20', '--data', {str(mnist)!r}, "
        f"'--checkpoint', {str(tmp_path / 'c.safetensors')!r}, '--history', {str(tmp_path / 'h.csv')!r}, "
        f"'--state', {str(tmp_path / 'state')!r}]; from npvae.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=root, text=True, capture_output=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "out of memory" in done.stderr.splitlines()[-1]
    assert "CUDA_VISIBLE_DEVICES" in done.stderr.splitlines()[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) in ([], ["state"])
