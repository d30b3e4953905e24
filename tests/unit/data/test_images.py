"""Images: the right ones come out of the files, on the scale they are used in, or a file is named."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from npvae.data.images import (
    Split,
    grey,
    in_batches,
    load_splits,
    load_test,
    load_train,
    load_train_images,
    random_subset,
    read_idx,
    require_grey,
)
from npvae.errors import NpvaeError
from npvae.params import load_params
from npvae.settings import Data

TRAIN, TEST = 12, 5


def idx(values: np.ndarray, *, stated: tuple[int, ...] | None = None, magic: bytes = b"\0\0\x08") -> bytes:
    """An idx file of bytes, whose header says what is ``stated`` of its shape."""
    shape = stated or values.shape
    header = magic + bytes([len(shape)]) + b"".join(struct.pack(">I", size) for size in shape)
    return header + values.astype(np.uint8).tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four small files: image i is all grey i, its digit i modulo 10."""
    for prefix, count in (("train", TRAIN), ("t10k", TEST)):
        images = np.repeat(np.arange(count), 784).reshape(count, 28, 28)
        (tmp_path / f"{prefix}-images-idx3-ubyte").write_bytes(idx(images))
        (tmp_path / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(np.arange(count) % 10))
    return tmp_path


def test_the_split_begins_after_the_skipped_images(folder: Path) -> None:
    train = load_train(folder, skip=3, count=7)
    assert train.labels.tolist() == [3, 4, 5, 6, 7, 8, 9]
    assert train.images.dtype == torch.uint8
    assert train.images.tolist() == [[value] * 784 for value in range(3, 10)]
    assert load_train_images(folder, skip=3, count=7).equal(train.images)
    test = load_test(folder, count=2)
    assert test.labels.tolist() == [0, 1]
    assert test.images.tolist() == [[0] * 784, [1] * 784]


def test_both_splits_are_read_at_once(folder: Path) -> None:
    train, test = load_splits(folder, Data(validation_images=2, train_images=5, test_images=3))
    assert train.labels.tolist() == [2, 3, 4, 5, 6]
    assert train.images[:, 0].tolist() == [2, 3, 4, 5, 6]
    assert test.labels.tolist() == [0, 1, 2]
    assert test.images[:, 783].tolist() == [0, 1, 2]


def test_fewer_images_than_asked_for_are_an_error(folder: Path) -> None:
    with pytest.raises(
        NpvaeError, match=rf"train-images-idx3-ubyte: {TRAIN} images, .* asks for {TRAIN + 1}"
    ):
        load_train(folder, skip=1, count=TRAIN)
    with pytest.raises(NpvaeError, match="t10k-images-idx3-ubyte"):
        load_test(folder, count=TEST + 1)


def test_images_of_another_shape_are_an_error(folder: Path) -> None:
    with pytest.raises(NpvaeError, match=r"shape \[28, 28\], and data.image_shape is \[8, 9\]"):
        load_splits(
            folder, Data(name="own", image_shape=(8, 9), validation_images=0, train_images=5, test_images=3)
        )


def test_a_missing_file_is_named_when_loading(folder: Path) -> None:
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(NpvaeError, match="t10k-labels-idx1-ubyte"):
        load_test(folder, count=2)


@pytest.mark.parametrize("shape", [(7,), (3, 5), (2, 3, 4)])
def test_an_idx_file_comes_back_in_the_shape_of_its_header(shape: tuple[int, ...], tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
    (tmp_path / "file").write_bytes(idx(values))
    np.testing.assert_array_equal(read_idx(tmp_path / "file"), values)


VALUES = np.arange(2 * 3 * 4).reshape(2, 3, 4)
BROKEN = {
    "empty": b"",
    "a cut magic number": idx(VALUES)[:3],
    "a cut header": idx(VALUES)[:15],
    "a header alone": idx(VALUES)[:16],
    "cut by a byte": idx(VALUES)[:-1],
    "longer by a byte": idx(VALUES) + b"\0",
    "not zero at first": idx(VALUES, magic=b"\1\0\x08"),
    "not zero at second": idx(VALUES, magic=b"\0\1\x08"),
    "of floats": idx(VALUES, magic=b"\0\0\x0d"),
    "no axes": idx(VALUES, magic=b"\0\0\x08")[:3] + b"\0",
    "compressed": b"\x1f\x8b\x08\x08" + bytes(100),
    "states an image more": idx(VALUES, stated=(3, 3, 4)),
    "states an image less": idx(VALUES, stated=(1, 3, 4)),
    "states no images": idx(VALUES, stated=(0, 3, 4)),
    "states another width": idx(VALUES, stated=(2, 3, 5)),
    "states an axis less": idx(VALUES, stated=(2, 3)),
    "states the most there is": idx(VALUES, stated=(2**32 - 1,) * 3),
    "states 2 to the 64": idx(np.empty(0), stated=(2**31, 2**31, 4)),
    "states none of a huge size": idx(np.empty(0), stated=(0, 2**32 - 1, 2**32 - 1)),
    "states more axes than arrays have": idx(np.zeros(1), stated=(1,) * 65),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_idx_file_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(BROKEN[kind])
    with pytest.raises(NpvaeError) as error:
        read_idx(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_a_folder_in_a_files_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(NpvaeError, match=f"{tmp_path}: is a directory"):
        read_idx(tmp_path)


def test_a_file_of_gigabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(idx(VALUES))
    os.truncate(path, 2**40)  # a hole: it takes no disk
    with pytest.raises(NpvaeError, match=r"1099511627776 bytes instead of 40"):
        read_idx(path)


def test_labels_that_are_images_are_refused(folder: Path) -> None:
    (folder / "train-labels-idx1-ubyte").write_bytes((folder / "train-images-idx3-ubyte").read_bytes())
    with pytest.raises(NpvaeError, match=rf"train-labels-idx1-ubyte: .* shape \[{TRAIN - 1}, 28, 28\]"):
        load_train(folder, skip=1, count=TRAIN - 1)


def test_a_wrong_length_is_said_in_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(idx(VALUES)[:-1])
    with pytest.raises(NpvaeError, match=r"39 bytes instead of 40"):
        read_idx(tmp_path / "file")


# published counts of the digits 0 to 9
TRAIN_DIGITS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
TEST_DIGITS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_real_mnist_is_whole_and_on_the_scale_of_grey_values(mnist: Path) -> None:
    images, labels = load_train(mnist, skip=0, count=60_000)
    assert images.shape == (60_000, 784)
    assert images.dtype == torch.uint8
    assert labels.dtype == torch.int64
    values = grey(images)
    assert (values.min().item(), values.max().item()) == (0, 1)
    assert values.mean().item() == pytest.approx(0.1307, abs=1e-4)
    assert values.std().item() == pytest.approx(0.3081, abs=1e-4)
    assert labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert labels.bincount().tolist() == TRAIN_DIGITS
    # the first image's first stroke, as everybody prints it
    stroke = [3, 18, 18, 18, 126, 136, 175, 26, 166, 255, 247, 127]
    assert images[0].reshape(28, 28)[5, 12:24].tolist() == stroke
    assert not images[0].reshape(28, 28)[:5].any()


def test_real_test_images(mnist: Path) -> None:
    images, labels = load_test(mnist)
    assert images.shape == (10_000, 784)
    assert images.dtype == torch.uint8
    assert (images.min().item(), images.max().item()) == (0, 255)
    assert labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert labels.bincount().tolist() == TEST_DIGITS


def test_the_first_5000_real_images_are_set_aside(mnist: Path) -> None:
    raw = np.fromfile(mnist / "train-images-idx3-ubyte", np.uint8)[16:].reshape(60_000, 784)
    digits = np.fromfile(mnist / "train-labels-idx1-ubyte", np.uint8)[8:]
    images, labels = load_train(mnist)
    assert len(images) == len(labels) == 55_000
    for ours, theirs in ((0, 5_000), (54_999, 59_999)):
        assert images[ours].tolist() == raw[theirs].tolist()
    assert labels.tolist() == digits[5_000:].tolist()


def test_the_committed_parameters_name_the_splits(root: Path, mnist: Path) -> None:
    params = load_params(root / "params.yaml").changed("data.test_images=100")
    train, test = load_splits(mnist, params.data)
    assert (len(train.labels), len(test.labels)) == (55_000, 100)
    for found, wanted in ((train, load_train(mnist)), (test, load_test(mnist, count=100))):
        assert found.images.equal(wanted.images)
        assert found.labels.equal(wanted.labels)


def test_grey_values_are_bytes_divided_by_255_bit_for_bit() -> None:
    got = grey(torch.arange(256, dtype=torch.uint8))
    expected = np.arange(256, dtype=np.float32) / np.float32(255)
    assert got.dtype == torch.float32
    assert got.numpy().tobytes() == expected.tobytes()


def test_grey_values_of_bits_are_zero_and_one() -> None:
    got = grey(torch.tensor([[True, False]]))
    assert got.dtype == torch.float32
    assert got.tolist() == [[1, 0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_floats_are_grey_values_already(dtype: torch.dtype) -> None:
    images = torch.rand(3, 4).to(dtype)
    assert grey(images).dtype == dtype
    assert torch.equal(grey(images), images)


def test_grey_leaves_the_bytes_as_they_are() -> None:
    images = torch.tensor([[0, 128, 255]], dtype=torch.uint8)
    grey(images)
    assert images.tolist() == [[0, 128, 255]]


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int16, torch.int8, torch.complex64])
def test_images_whose_scale_nobody_knows_are_refused(dtype: torch.dtype) -> None:
    images = torch.ones(3, 4, dtype=dtype)
    for function in (grey, require_grey):
        with pytest.raises(NpvaeError, match=str(dtype).removeprefix("torch.")):
            function(images)


@pytest.mark.parametrize("value", [-1e-6, 1 + 1e-6, 255.0, float("nan"), float("inf"), float("-inf")])
def test_floats_that_are_no_grey_values_are_refused(value: float) -> None:
    images = torch.rand(5, 7)
    images[4, 6] = value
    with pytest.raises(NpvaeError, match=r"\[0, 1\]"):
        require_grey(images)


@pytest.mark.parametrize(
    "images",
    [
        torch.tensor([[0.0, 1.0]]),
        torch.tensor([[-0.0, 1.0]], dtype=torch.float64),
        torch.tensor([[0, 255]], dtype=torch.uint8),
        torch.tensor([[True, False]]),
        torch.empty(0, 784),
    ],
    ids=["float32", "float64", "uint8", "bool", "none"],
)
def test_grey_values_are_accepted(images: torch.Tensor) -> None:
    require_grey(images)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_a_function_of_all_images_is_that_of_its_batches(batch_size: int) -> None:
    images, sizes = torch.rand(7, 4, requires_grad=True), []

    def double(batch: torch.Tensor) -> torch.Tensor:
        sizes.append(len(batch))
        return 2 * batch

    result = in_batches(double, images, batch_size)
    assert torch.equal(result, 2 * images.detach())
    assert not result.requires_grad
    assert max(sizes) <= batch_size
    assert sum(sizes) == 7


@pytest.mark.parametrize("count", [7, 8, 100])
def test_a_draw_of_all_is_all_in_order(count: int) -> None:
    split = Split(torch.rand(7, 784), torch.arange(7))
    assert all(a.equal(b) for a, b in zip(split.draw(count, seed=0), split, strict=True))
    assert random_subset(7, count, seed=0).tolist() == list(range(7))


def test_a_draw_is_random_without_repetition_and_keeps_images_with_their_digits() -> None:
    labels = torch.arange(1_000)
    split = Split(labels[:, None].float().expand(-1, 784), labels)
    images, digits = split.draw(400, seed=0)
    assert images[:, 5].equal(digits.float())
    assert len(digits.unique()) == 400
    assert digits.double().mean().item() == pytest.approx(499.5, abs=50)  # 11 is one standard deviation
    torch.rand(3)
    assert split.draw(400, seed=0).labels.equal(digits)
    assert not split.draw(400, seed=1).labels.equal(digits)
    assert random_subset(1_000, 400, seed=0).equal(digits)


def test_a_draw_leaves_torchs_random_state() -> None:
    before = torch.get_rng_state()
    random_subset(1_000, 400, seed=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_reference_images_are_drawn_from_all_and_always_the_same(root: Path) -> None:
    params = load_params(root / "params.yaml")
    count = params.data.train_images
    assert random_subset(count, params.predict.reference_images, seed=0).equal(torch.arange(55_000))
    fewer = params.changed("predict.reference_images=1000").predict.reference_images
    first, second = (random_subset(count, fewer, seed=0) for _ in range(2))
    assert first.equal(second)
    assert len(first.unique()) == 1_000
    assert first.min() < 5_000
    assert first.max() > 50_000
