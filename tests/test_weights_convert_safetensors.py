"""Reading state dicts in safetensors: what is in them, and files that are none."""

import json

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from weights_convert.errors import ConversionError
from weights_convert.readers import file_format
from weights_convert.readers.safetensors_reader import read

KERNEL = np.arange(6.0, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def written(path, header, data=b""):
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16, np.int64])
def test_tensors_have_their_names_and_are_float32(path, dtype):
    save_file({"model.net.conv.weight": KERNEL.astype(dtype)}, path)
    (name, found), *others = read(path).items()
    assert file_format(path) == "safetensors"
    assert (name, found.dtype, others) == ("model.net.conv.weight", np.float32, [])
    np.testing.assert_array_equal(found, KERNEL)


@pytest.mark.parametrize(
    ("header", "data", "found"),
    [
        ({}, b"", "no tensors"),
        ({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, b"1234", "a broken file"),
        ({"a": {"dtype": "F32", "shape": [9**9], "data_offsets": [0, 8]}}, b"12345678", "a broken"),
        ({"a": {"dtype": "XYZ", "shape": [2], "data_offsets": [0, 8]}}, b"12345678", "a broken"),
    ],
)
def test_what_no_tensors_are_is_refused(path, header, data, found):
    with pytest.raises(ConversionError, match=rf"model\.safetensors: found {found}"):
        read(written(path, header, data))
