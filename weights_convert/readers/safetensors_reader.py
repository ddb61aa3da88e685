"""Reads safetensors files, which hold names and tensors and nothing else."""

from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from weights_convert.readers.fault import Fault, reading


def read(path: Path) -> dict[str, np.ndarray]:
    """The tensors by name, float32.

    Raises:
      ConversionError: the file is damaged, holds nothing, or holds what is no number.
    """
    with reading(path, "tensors in the format safetensors"):
        try:
            with safe_open(path, framework="numpy") as file:
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, TypeError, ValueError, AttributeError) as error:
            raise Fault(f"a broken file ({error})") from None
        if not arrays:
            raise Fault("no tensors")
        return {name: array.astype(np.float32) for name, array in arrays.items()}
