"""Reading Keras's HDF5 files: what is in them, and what they may not make the reader do."""

import h5py
import numpy as np
import pytest

from weights_convert.errors import ConversionError
from weights_convert.readers import file_format
from weights_convert.readers.keras_reader import read

KERNEL = np.arange(6.0, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.h5"


def write(path, build):
    with h5py.File(path, "w") as file:
        build(file)
    return path


@pytest.mark.parametrize("root", ["", "model_weights/"])
def test_weights_have_the_names_of_layer_and_variable(path, root):
    def build(file):
        file[f"{root}conv1/conv1/kernel:0"] = KERNEL
        file[f"{root}bn1/bn1/gamma:0"] = KERNEL[0].astype(np.float16)
        file[f"{root}inner/conv2/conv2/kernel"] = KERNEL[1]
        file.create_group(f"{root}dropout")

    arrays = read(write(path, build))
    assert file_format(path) == "keras"
    assert sorted(arrays) == ["bn1/gamma", "conv1/kernel", "inner/conv2/kernel"]
    np.testing.assert_array_equal(arrays["conv1/kernel"], KERNEL)
    np.testing.assert_array_equal(arrays["bn1/gamma"], KERNEL[0])
    assert all(array.dtype == np.float32 for array in arrays.values())


def test_a_whole_model_gives_its_weights_and_nothing_of_its_configuration(path):
    def build(file):
        file.attrs["model_config"] = "{ no JSON, and Lambda layers hold marshalled code"
        file["model_weights/conv1/conv1/kernel:0"] = KERNEL
        file["optimizer_weights/Adam/conv1/kernel/m:0"] = KERNEL

    assert list(read(write(path, build))) == ["conv1/kernel"]


def test_compressed_weights_are_read(path):
    noise = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    arrays = read(write(path, lambda f: f.create_dataset("a/a/b:0", data=noise, compression=9)))
    np.testing.assert_array_equal(arrays["a/b"], noise)


@pytest.fixture
def secret(tmp_path):
    """Another file, of numbers that no weights' file may fetch."""
    path = tmp_path / "secret.h5"
    with h5py.File(path, "w") as file:
        file["numbers"] = KERNEL
    return path


def external_link(file, secret):
    file["conv1/kernel:0"] = h5py.ExternalLink(secret, "numbers")


def external_group(file, secret):
    file["model_weights"] = h5py.ExternalLink(secret, "/")


def soft_link(file, secret):
    file["conv1/kernel:0"] = h5py.SoftLink("/elsewhere")


def external_storage(file, secret):
    file.create_dataset("conv1/kernel:0", (6,), np.float32, external=[(str(secret), 0, 24)])


def virtual_dataset(file, secret):
    layout = h5py.VirtualLayout((2, 3), np.float32)
    layout[:] = h5py.VirtualSource(str(secret), "numbers", shape=(2, 3))
    file.create_virtual_dataset("conv1/kernel:0", layout)


@pytest.mark.parametrize(
    ("build", "found"),
    [
        (external_link, "a link to another place or file, 'kernel:0' in /conv1"),
        (external_group, "a link to another place or file, 'model_weights' in /"),
        (soft_link, "a link to another place or file"),
        (external_storage, "the weight /conv1/kernel:0, which is kept in another file"),
        (virtual_dataset, "the weight /conv1/kernel:0, which is kept in another file"),
    ],
)
def test_nothing_outside_the_file_is_read(path, secret, build, found):
    write(path, lambda file: build(file, secret))
    with pytest.raises(ConversionError, match=found):
        read(path)


def huge(file):
    file.create_dataset("conv1/kernel:0", (10**6, 10**6), np.float32, chunks=(1000, 1000))


def compressed_zeros(file):
    file.create_dataset("conv1/kernel:0", data=np.zeros(10**6, np.float32), compression=9)


def circle(file):
    file["outer/inner/kernel:0"] = KERNEL
    file["outer/inner/again"] = file["outer"]


def twice(file):
    file["a/a/kernel:0"] = KERNEL
    file["a/kernel"] = KERNEL


@pytest.mark.parametrize(
    ("build", "found"),
    [
        (huge, "weights that take far more bytes than the file has"),
        (compressed_zeros, "weights that take far more bytes than the file has"),
        (circle, "the group /outer/inner/again, which is in more than one place"),
        (twice, "two weights called 'a/kernel'"),
        (lambda file: file.create_dataset("a/b", data="text"), "/a/b, which is no array"),
        (lambda file: file.create_group("conv1"), "no weights"),
    ],
)
def test_what_no_weights_are_is_refused(path, build, found):
    with pytest.raises(ConversionError, match=found):
        read(write(path, build))


@pytest.mark.parametrize("keep", [9, 1000, -100])
def test_a_damaged_file_is_refused(path, keep):
    write(path, lambda file: file.create_dataset("a/b:0", data=np.ones(1000, np.float32)))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ConversionError, match=r"weights\.h5: found a broken file"):
        read(path)
