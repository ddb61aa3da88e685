"""Reads weights out of the files of other frameworks into NumPy arrays, and executes nothing.

The format of a file is told by its first bytes, never by its name.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from weights_convert.errors import ConversionError
from weights_convert.readers import (
    dlib_reader,
    keras_reader,
    onnx_reader,
    tensorflow_reader,
    torch_reader,
)

# First bytes, format. ONNX: the field ir_version of ModelProto; TensorFlow: the field node of
# GraphDef; dlib: the version 1 as an integer.
_BEGINNINGS = (
    (b"PK\x03\x04", "torch"),
    (b"\x80", "torch"),
    (b"\x89HDF\r\n\x1a\n", "keras"),
    (b"\x08", "onnx"),
    (b"\x0a", "tensorflow"),
    (b"\x01\x01", "dlib"),
)
FORMATS = {
    "torch": "a PyTorch state dict",
    "onnx": "an ONNX graph",
    "keras": "a Keras HDF5 file",
    "tensorflow": "a frozen TensorFlow graph",
    "dlib": "a network in dlib's format",
}
_READERS: dict[str, Callable[[Path], dict[str, np.ndarray]]] = {
    "torch": torch_reader.read,
    "onnx": onnx_reader.read,
    "keras": keras_reader.read,
    "tensorflow": tensorflow_reader.read,
    "dlib": dlib_reader.read,
}


def file_format(path: Path) -> str:
    """The key of `FORMATS` that the file's first bytes tell.

    Raises:
      ConversionError: they tell none, or the file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            beginning = file.read(8)
    except OSError as error:
        raise ConversionError(f"cannot read {path} ({error.strerror})") from None
    for start, name in _BEGINNINGS:
        if beginning.startswith(start):
            return name
    raise ConversionError(
        f"{path}: begins with {beginning!r}, which no format does that is read here; those are "
        f"{', '.join(FORMATS.values())}"
    )


def read(path: Path, form: str) -> dict[str, np.ndarray]:
    """The arrays of a file by name.

    Args:
      path: the file.
      form: a key of `FORMATS`.

    Raises:
      ConversionError: the file is damaged, hostile or of another kind.
    """
    return _READERS[form](path)
