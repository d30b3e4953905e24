"""A training that was stopped goes on to the same end, or starts anew and says why."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook

from npvae.errors import NpvaeError
from npvae.model.checkpoint import save_models
from npvae.model.vae import VAE, build
from npvae.settings import ModelName, Network, Objective, Precision, Recipe, Training, TrainingData
from npvae.training import resume
from npvae.training.history import Epoch
from npvae.training.loop import fit
from npvae.training.resume import forget
from npvae.training.stacked import fit_stacked

Listing = Callable[[Path], list[str]]
Weights = list[dict[str, Tensor]]
IMAGES = torch.randint(256, (40, 784), dtype=torch.uint8, generator=torch.Generator().manual_seed(5))
EPOCHS = 4
NETWORK = Network(hidden_units=8, dropout=0.2)
TRAINING = Training(epochs=EPOCHS, batch_size=10, learning_rate=0.01, precision="float32")
OBJECTIVE = Objective()


class Stopped(Exception):
    """Comes out of a training in place of its end."""


def stop_after(epoch: int) -> Callable[[Epoch], None]:
    def stop(record: Epoch) -> None:
        if record.epoch == epoch:
            raise Stopped

    return stop


@dataclass(frozen=True)
class Setup:
    """A small training, of one seed or of two side by side; the seeds of its start are its own."""

    seeds: Sequence[int] = (3,)
    starts: Sequence[int] = (0, 1)
    name: ModelName = "npvae"
    network: Network = NETWORK
    images: Tensor = IMAGES
    training: Training = TRAINING
    objective: Objective = OBJECTIVE

    def run(
        self, state: Path | None = None, on_epoch: Callable[[Epoch], None] | None = None
    ) -> tuple[Weights, list[Epoch]]:
        models = self.models()
        if len(models) > 1:
            history = fit_stacked(
                models, self.images, self.training, self.objective, on_epoch=on_epoch, state=state
            )
        else:
            ((seed, model),) = models.items()
            history = fit(
                model,
                self.images,
                self.training,
                self.objective,
                seed=seed,
                on_epoch=on_epoch,
                state=state,
            )
        assert not any(module.training for model in models.values() for module in model.modules())
        return [model.state_dict() for model in models.values()], history

    def models(self) -> dict[int, VAE]:
        starts = zip(self.seeds, self.starts, strict=False)
        return {seed: build(self.name, 3, self.network, seed=start) for seed, start in starts}

    def stopped(self, state: Path, epoch: int = 1) -> None:
        with pytest.raises(Stopped):
            self.run(state, stop_after(epoch))
        assert state.is_file()


def training(**changes: object) -> Training:
    return Training.model_validate(TRAINING.model_dump() | changes)


def assert_same(found: tuple[Weights, list[Epoch]], expected: tuple[Weights, list[Epoch]]) -> None:
    assert found[1] == expected[1]
    for a, b in zip(found[0], expected[0], strict=True):
        assert a.keys() == b.keys()
        for name in a:
            assert torch.equal(a[name], b[name]), name


@pytest.fixture
def steps() -> Iterator[Callable[[], int]]:
    """Counts the optimiser's steps."""
    count = 0

    def add(*_: object) -> None:
        nonlocal count
        count += 1

    hook = register_optimizer_step_post_hook(add)
    yield lambda: count
    hook.remove()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("seeds", [(3,), (3, 8)], ids=["single", "stacked"])
@pytest.mark.parametrize("name", ["vae", "npvae"])
@pytest.mark.parametrize("epoch", [1, 3])
def test_a_training_that_was_stopped_goes_on_to_the_same_bits_and_history(
    precision: Precision,
    seeds: tuple[int, ...],
    name: ModelName,
    epoch: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    steps: Callable[[], int],
) -> None:
    setup = replace(Setup(seeds=seeds, name=name), training=training(precision=precision))
    expected, state = setup.run(), tmp_path / "new folder" / "seed.safetensors"
    setup.stopped(state, epoch)
    done, seen = steps(), []
    assert capsys.readouterr().err == ""
    torch.rand(17)  # the state of torch when it goes on does not matter
    assert_same(setup.run(state, seen.append), expected)
    assert [(one.epoch, one.seed) for one in seen] == [
        (number, seed) for number in range(epoch + 1, EPOCHS + 1) for seed in seeds
    ]
    assert sorted(seen) == sorted(one for one in expected[1] if one.epoch > epoch)
    assert steps() - done == 4 * (EPOCHS - epoch)
    assert capsys.readouterr().err == f"{state}: the training goes on after epoch {epoch}\n"


@pytest.mark.parametrize("seeds", [(3,), (3, 8)], ids=["single", "stacked"])
def test_it_may_be_stopped_again_and_again(seeds: tuple[int, ...], tmp_path: Path) -> None:
    setup, state = Setup(seeds=seeds), tmp_path / "seed.safetensors"
    for epoch in range(1, EPOCHS + 1):
        setup.stopped(state, epoch)
    assert_same(setup.run(state), setup.run())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("seeds", [(3,), (3, 8)], ids=["single", "stacked"])
def test_the_state_of_a_finished_training_gives_the_finished_model_without_a_step(
    precision: Precision, seeds: tuple[int, ...], tmp_path: Path, steps: Callable[[], int]
) -> None:
    setup = replace(Setup(seeds=seeds), training=training(precision=precision))
    state = tmp_path / "seed.safetensors"
    finished, done, seen = setup.run(state), steps(), []
    content = state.read_bytes()
    assert_same(setup.run(state, seen.append), finished)
    assert steps() == done
    assert seen == []
    assert state.read_bytes() == content


def test_keeping_a_state_changes_nothing(tmp_path: Path, listing: Listing) -> None:
    assert_same(Setup().run(tmp_path / "seed.safetensors"), Setup().run())
    assert listing(tmp_path) == ["seed.safetensors"]


def test_going_on_leaves_torchs_random_state(tmp_path: Path) -> None:
    Setup().stopped(tmp_path / "state", 2)
    before = torch.get_rng_state()
    Setup().run(tmp_path / "state")
    assert torch.equal(torch.get_rng_state(), before)


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[1])
from test_resume import Setup, training
steps = 0
def kill(*_):
    global steps
    steps += 1
    if steps == 10:
        os.kill(os.getpid(), signal.SIGKILL)
register_optimizer_step_post_hook(kill)
Setup(seeds=eval(sys.argv[2]), training=training(precision=sys.argv[3])).run(Path(sys.argv[4]))
"""


@pytest.mark.parametrize(
    ("seeds", "precision"), [((3,), "float32"), ((3, 8), "bfloat16")], ids=["single", "stacked"]
)
def test_a_process_that_is_killed_in_an_epoch_loses_that_epoch_alone(
    seeds: tuple[int, ...],
    precision: Precision,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    steps: Callable[[], int],
) -> None:
    setup = Setup(seeds=seeds, training=training(precision=precision))
    expected, state = setup.run(), tmp_path / "seed.safetensors"
    here = str(Path(__file__).parent)
    arguments = [here, repr(seeds), precision, str(state)]
    process = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments], capture_output=True, text=True, timeout=300
    )
    assert process.returncode == -signal.SIGKILL, process.stderr
    done = steps()
    assert_same(setup.run(state), expected)  # killed at the tenth step: the third epoch's second
    assert steps() - done == 8
    assert capsys.readouterr().err == f"{state}: the training goes on after epoch 2\n"


BITS = (IMAGES > 200).to(torch.uint8)
OTHER_PIXEL = IMAGES.clone()
OTHER_PIXEL[-1, -1] ^= 1
BASE = Setup()
OTHERS = {
    "seed": (BASE, replace(BASE, seeds=(4,))),
    "start": (BASE, replace(BASE, starts=(1,))),
    "model": (BASE, replace(BASE, name="vae")),
    "dropout": (BASE, replace(BASE, network=Network(hidden_units=8, dropout=0.5))),
    "activations": (BASE, replace(BASE, network=Network(hidden_units=8, dropout=0.2, activations="relu"))),
    "epochs": (BASE, replace(BASE, training=training(epochs=3))),
    "batch size": (BASE, replace(BASE, training=training(batch_size=20))),
    "learning rate": (BASE, replace(BASE, training=training(learning_rate=0.02))),
    "ragged batch": (BASE, replace(BASE, training=training(drop_last=False))),
    "precision": (BASE, replace(BASE, training=training(precision="bfloat16"))),
    "weight of the match": (BASE, replace(BASE, objective=Objective(match_weight=0.5))),
    "gradient of the match": (BASE, replace(BASE, objective=Objective(match_gradient="own"))),
    "a pixel": (BASE, replace(BASE, images=OTHER_PIXEL)),
    "order of the images": (BASE, replace(BASE, images=IMAGES.flip(0))),
    "fewer images": (BASE, replace(BASE, images=IMAGES[:30])),
    "scale of the same bytes": (replace(BASE, images=BITS), replace(BASE, images=BITS.bool())),
    "seeds side by side": (replace(BASE, seeds=(3, 4)), replace(BASE, seeds=(3, 5))),
    "order of the seeds": (replace(BASE, seeds=(3, 4)), replace(BASE, seeds=(4, 3))),
}


def assert_ignored(setup: Setup, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The training ends as if there were no state, and says in one sentence that there was another."""
    expected, seen = setup.run(), []
    capsys.readouterr()
    assert_same(setup.run(state, seen.append), expected)
    assert len(seen) == len(expected[1])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{state}: ")
    assert "ignored" in line
    assert not re.search(r"[.!?] ", line.removeprefix(f"{state}: "))
    # from then on, the state is this training's
    assert_same(setup.run(state), expected)
    assert capsys.readouterr().err == f"{state}: the training goes on after epoch {expected[1][-1].epoch}\n"


@pytest.mark.parametrize("what", OTHERS)
def test_the_state_of_another_training_is_ignored(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = OTHERS[what]
    first.stopped(tmp_path / "state")
    assert_ignored(second, tmp_path / "state", capsys)


def test_the_state_of_another_source_is_ignored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    BASE.stopped(tmp_path / "state")
    source = list(resume._source())
    monkeypatch.setattr(resume, "_source", lambda: iter([*source[:-1], source[-1] + "\n"]))
    assert_ignored(BASE, tmp_path / "state", capsys)


@pytest.mark.parametrize(
    "module",
    [
        "data/images.py",  # grey values
        "model/coupling.py",
        "model/dropout.py",
        "model/kernel.py",
        "model/objective.py",
        "model/vae.py",
        "training/loop.py",
        "training/optimiser.py",
        "training/stacked.py",
        "settings.py",
        "machine.py",
    ],
)
def test_the_source_is_every_module_that_decides_what_a_step_computes(module: str, root: Path) -> None:
    assert (root / "src" / "npvae" / module).read_text() in set(resume._source())


def test_the_state_of_another_number_of_threads_is_ignored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    BASE.stopped(tmp_path / "state")
    torch.set_num_threads(2)
    assert_ignored(BASE, tmp_path / "state", capsys)


@pytest.mark.parametrize("length", [0, 4, 8, 100, -1, -5_000])
def test_a_truncated_state_is_ignored(
    length: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    BASE.stopped(state)
    state.write_bytes(state.read_bytes()[:length])
    assert_ignored(BASE, state, capsys)


@pytest.mark.parametrize("content", [b"garbage" * 100, bytes(4096), b"\x89PNG\r\n", b"\xff" * 64])
def test_garbage_is_ignored(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "state").write_bytes(content)
    assert_ignored(BASE, tmp_path / "state", capsys)


@pytest.mark.parametrize("position", [0, 3, 20, 60])
def test_a_state_whose_header_is_damaged_is_ignored(
    position: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    BASE.stopped(state)
    content = bytearray(state.read_bytes())
    content[position] ^= 0x55
    state.write_bytes(content)
    assert_ignored(BASE, state, capsys)


def test_a_checkpoint_in_its_place_is_ignored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = Recipe(model="vae", z_dim=2, data=TrainingData(), network=BASE.network, train=BASE.training)
    save_models(tmp_path / "state", {}, recipe, {"precision": "float32"})
    assert_ignored(BASE, tmp_path / "state", capsys)


def test_a_training_that_diverges_leaves_the_last_good_state(tmp_path: Path) -> None:
    setup, state = Setup(name="vae"), tmp_path / "state"
    setup.stopped(state, 2)
    content = state.read_bytes()
    # a learning rate is of the recipe, so the state is not this training's; it must not be one of NaN either
    with pytest.raises(NpvaeError, match="epoch 1"):
        replace(setup, training=training(learning_rate=1e25)).run(state)
    assert state.read_bytes() == content


OWN = ["seed-0.safetensors", "seed-12.safetensors", "seeds.safetensors", ".seed-0.safetensors-x1y2"]
STRANGERS = ["notes.txt", "model.safetensors", "seedling.safetensors", ".gitignore", "seed-0.csv"]


def test_states_are_forgotten_with_their_folder(tmp_path: Path) -> None:
    folder = tmp_path / "states"
    folder.mkdir()
    for name in OWN:
        (folder / name).touch()
    forget(folder)
    assert not folder.exists()
    assert tmp_path.exists()


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_strangers_file_is_not_forgotten(stranger: str, tmp_path: Path, listing: Listing) -> None:
    for name in (*OWN, stranger):
        (tmp_path / name).write_text(name)
    forget(tmp_path)
    assert listing(tmp_path) == [stranger]
    assert (tmp_path / stranger).read_text() == stranger


def test_a_strangers_folder_is_not_forgotten(tmp_path: Path, listing: Listing) -> None:
    (tmp_path / "theirs").mkdir()
    for name in (OWN[0], f"theirs/{OWN[0]}"):
        (tmp_path / name).touch()
    forget(tmp_path)
    assert listing(tmp_path) == ["theirs", f"theirs/{OWN[0]}"]


def test_there_may_be_nothing_to_forget(tmp_path: Path) -> None:
    forget(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()
