"""The reader of dlib's own files, on bytes written by hand and on the real network."""

import numpy as np
import pytest

from tipim_jax.networks import get
from weights_convert import ConversionError, obtain
from weights_convert.readers.dlib_reader import read

# dlib's numbers by hand: a control byte (0x80: negative; low bits: bytes that follow), then little
# endian. A real is mantissa, exponent of 2.
LOSS = b"\x01\x0dloss_metric_2" + b"\x03\x0a\xd7\xa3\x81\x1c" + b"\x03\x9a\x99\x99\x81\x18"
AVERAGES = b"\x01\x7b\x01\x00" + b"\x01\x75\x81\x01" + b"\x82\x01\x02\x01\x02"  # 123, 58.5, -2052
INPUT = b"\x01\x15input_rgb_image_sized" + AVERAGES + b"\x01\x96" + b"\x02\x2c\x01"  # 150, 300
ONE = b"\x01\x10\x81\x04"  # 1.0 = 16 * 2^-4
ZERO = b"\x01\x00\x01\x0b"
EMPTY = b"\x01\x02" + b"\x01\x00" * 4
STATE = b"110" + 3 * EMPTY


def _sizes(*sizes):
    return b"".join(b"\x01" + bytes([size]) for size in sizes)


def _floats(*values):
    return np.array(values, "<f4").tobytes()


# 2 filters of 1x1 over 3 channels, with biases.
CON = (
    b"\x01\x05con_4"
    + (b"\x01\x02" + _sizes(8, 1, 1, 1) + _floats(1, 2, 3, 4, 5, 6, 0.5, -0.5))
    + _sizes(2, 1, 1, 1, 1, 0, 0)
    + (b"\x01\x01" + _sizes(2, 3, 1, 1) + b"\x01\x01" + _sizes(1, 2, 1, 1))
    + (ONE + ONE + ONE + ZERO)
)
AFFINE = (
    b"\x01\x07affine_"
    + (b"\x01\x02" + _sizes(1, 4, 1, 1) + _floats(10, 20, 30, 40))
    + (b"\x01\x01" + _sizes(1, 2, 1, 1)) * 2
    + b"\x01\x00"
)
FC = (
    b"\x01\x04fc_2"
    + _sizes(3, 2)
    + (b"\x01\x02" + _sizes(2, 3, 1, 1) + _floats(1, 2, 3, 4, 5, 6))
    + (b"\x01\x01" + _sizes(2, 3, 1, 1) + b"\x01\x01" + _sizes(0, 0, 0, 0))
    + b"\x01\x01"
    + (ONE + ONE + ONE + ZERO)
)
RELU = b"\x01\x05relu_"
POOL = b"\x01\x0amax_pool_2" + _sizes(3, 3, 2, 2, 0, 0)
# From the loss to the input: fc, max pool, relu, tag, affine, con.
VERSIONS = b"\x01\x02" * 3 + b"\x01\x01" + b"\x01\x02" + b"\x01\x03"
NETWORK = (
    b"\x01\x01"
    + LOSS
    + VERSIONS
    + INPUT
    + (CON + STATE + b"\x01\x01")
    + (AFFINE + STATE)
    + (RELU + STATE)
    + (POOL + STATE)
    + (FC + STATE)
)


def test_network_written_by_hand_is_read_from_input_to_output(tmp_path):
    expected = {
        "input.average_rgb": [123, 117 / 2, -513 * 4],
        "input.size": [150, 300],
        "con_1.filters": [[[[1]], [[2]], [[3]]], [[[4]], [[5]], [[6]]]],
        "con_1.biases": [0.5, -0.5],
        "affine_1.gamma": [10, 20],
        "affine_1.beta": [30, 40],
        "fc_1.weights": [[1, 2, 3], [4, 5, 6]],
    }
    found = read(_file(tmp_path, NETWORK))
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], np.float32(values), err_msg=name, strict=True)


def test_real_network_is_read_to_its_end():
    found = read(obtain(get("dlib").weights))
    # What dlib's input_rgb_image_sized subtracts by default, and the size of a face chip.
    np.testing.assert_allclose(found["input.average_rgb"], [122.782, 117.001, 104.298], rtol=1e-6)
    np.testing.assert_array_equal(found["input.size"], [150, 150])
    # dlib's example dnn_face_recognition_ex.cpp: a stem, then levels of residual blocks.
    filters = [(32, 3, 7, 7)]
    channels = 32
    for width, blocks in ((32, 3), (64, 4), (128, 3), (256, 3), (256, 1)):
        for _ in range(blocks):
            filters += [(width, channels, 3, 3), (width, width, 3, 3)]
            channels = width
    assert [a.shape for n, a in found.items() if n.endswith(".filters")] == filters
    assert found["fc_1.weights"].shape == (256, 128)
    assert len(found) == 2 + 4 * len(filters) + 1
    assert all(np.isfinite(array).all() for array in found.values())


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        (b"loss_metric_2", b"loss_binary_l", "the loss layer 'loss_binary_l'"),
        (b"input_rgb_image_sized", b"input_rgb_image_sizEd", "the input layer 'input_rgb_image"),
        (b"relu_", b"tanh_", "the layer 'tanh_'"),
        (VERSIONS, b"\x01\x04" + VERSIONS, "layer version 4"),
        (AVERAGES, b"\x01\x7b\x02\x00\x7d" + AVERAGES[4:], r"123 \* 2\^32000 .* a finite number"),
        (b"\x01\x02" + _sizes(1, 4, 1, 1), b"\x01\x02" + b"\x04\xff\xff\xff\x7f" * 4, "more bytes"),
        (_sizes(2, 3, 1, 1) + b"\x01\x01" + _sizes(1, 2, 1, 1), _sizes(2, 3, 1, 1) + b"\x01\x01"
         + _sizes(1, 1, 1, 1), "8 parameters in con_1 .* expected 7"),
        (FC + STATE, FC + STATE + b"\x00", "1 bytes after the last layer"),
    ],
)  # fmt: skip
def test_anything_unexpected_is_refused(old, new, match, tmp_path):
    assert NETWORK.count(old) == 1
    with pytest.raises(ConversionError, match=match):
        read(_file(tmp_path, NETWORK.replace(old, new)))


def test_every_truncation_is_one_error(tmp_path):
    for length in range(len(NETWORK)):
        with pytest.raises(ConversionError, match=r"network\.dat: found .* get it again"):
            read(_file(tmp_path, NETWORK[:length]))


def test_every_damaged_byte_gives_arrays_or_one_error(tmp_path):
    refused = 0
    for position, byte in enumerate(NETWORK):
        damaged = NETWORK[:position] + bytes([byte ^ 0xFF]) + NETWORK[position + 1 :]
        try:
            read(_file(tmp_path, damaged))
        except ConversionError:
            refused += 1
    assert refused > len(NETWORK) / 4


def _file(folder, data):
    path = folder / "network.dat"
    path.write_bytes(data)
    return path
