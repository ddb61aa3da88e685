"""Reads weights out of the files of other frameworks into NumPy arrays, and executes nothing.

The format of a file is told by its first bytes, never by its name.
"""

import importlib
import re
from pathlib import Path

import numpy as np

from weights_convert.errors import ConversionError

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
# safetensors: the length of a JSON object, below 100 MB, and its beginning.
_SAFETENSORS = re.compile(rb".{4}\0{4}\{", re.DOTALL)
FORMATS = {
    "torch": "a PyTorch state dict",
    "safetensors": "a state dict in safetensors",
    "onnx": "an ONNX graph",
    "keras": "a Keras HDF5 file",
    "tensorflow": "a frozen TensorFlow graph",
    "dlib": "a network in dlib's format",
}
# Formats that hold what another does, under the same names.
LIKE = {"safetensors": "torch"}


def file_format(path: Path) -> str:
    """The key of `FORMATS` that the file's first bytes tell.

    Raises:
      ConversionError: they tell none, or the file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            beginning = file.read(9)
    except OSError as error:
        raise ConversionError(f"cannot read {path} ({error.strerror})") from None
    if _SAFETENSORS.match(beginning):
        return "safetensors"
    for start, name in _BEGINNINGS:
        if beginning.startswith(start):
            return name
    raise ConversionError(
        f"{path}: begins with {beginning[:8]!r}, which no format does that is read here; those are "
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
    # Imported now, as who has converted weights needs none of the libraries behind these.
    return importlib.import_module(f"{__name__}.{form}_reader").read(path)
