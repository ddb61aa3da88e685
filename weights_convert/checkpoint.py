"""Converted weights in the cache: a file of numbers to map into memory, and an index of it.

`weights.npy` holds all arrays as one of float32, each beginning at a multiple of 64 bytes, so that
JAX on a CPU computes with the file's pages as they are; `index.json` has their names and shapes.
"""

import hashlib
import json
import math
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from flax import traverse_util

import tipim_jax.networks
import weights_convert
from tipim_jax.networks import Network
from weights_convert.cache import home, workshop
from weights_convert.errors import ConversionError

_ALIGNMENT = 16  # numbers; XLA copies what does not lie at a multiple of 64 bytes
_ARRAYS, _INDEX = "weights.npy", "index.json"


def path(network: Network, source: str) -> Path:
    """Where the checkpoint made of a source file is kept, whether or not it is there.

    `source` is that file's sha256, hexadecimal, here and in all of this module. The name holds it
    and the conversion's version, so weights made from another file or by other code are never taken
    for these.
    """
    version = _conversion_version()
    return home() / "checkpoints" / f"{network.name}-{source[:12]}-{version}"


def save(network: Network, source: str, variables: dict[str, Any]) -> None:
    """Writes a checkpoint of float32 arrays; it appears in its place whole or not at all."""
    place = path(network, source)
    place.parent.mkdir(parents=True, exist_ok=True)
    arrays = traverse_util.flatten_dict(variables, sep="/")
    shapes = {name: array.shape for name, array in arrays.items()}
    places, size = _places(shapes)
    flat = np.zeros(size, np.float32)
    for name, array in arrays.items():
        flat[places[name]] = np.ravel(array)
    with workshop() as folder:
        new = folder / "new"
        new.mkdir()
        np.save(new / _ARRAYS, flat)
        index = {"shapes": shapes, "sha256": _digest(shapes, flat)}
        (new / _INDEX).write_text(json.dumps(index))
        if place.exists():  # unreadable, or another process was quicker with the same
            place.rename(folder / "old")
        try:
            new.rename(place)
        except OSError:
            if not place.exists():
                raise
    for other in place.parent.iterdir():
        if other != place and other.name.rsplit("-", 2)[0] == network.name:
            shutil.rmtree(other, ignore_errors=True)  # of an older conversion


def load(network: Network, source: str) -> dict[str, Any]:
    """Maps a checkpoint's arrays, which cannot be written to, into memory.

    Raises:
      ConversionError: it cannot be read or does not hold what was written.
    """
    place = path(network, source)
    try:
        index = json.loads((place / _INDEX).read_text())
        shapes, expected = index["shapes"], index["sha256"]
        flat = np.load(place / _ARRAYS, mmap_mode="r", allow_pickle=False)
    except (OSError, EOFError, ValueError, LookupError, TypeError) as error:
        raise ConversionError(f"cannot read {place} ({type(error).__name__}: {error})") from error
    if flat.dtype != np.float32 or _digest(shapes, flat) != expected:
        raise ConversionError(f"{place} does not hold what was written to it")
    places, _ = _places(shapes)
    arrays = {name: flat[places[name]].reshape(shape) for name, shape in shapes.items()}
    return traverse_util.unflatten_dict(arrays, sep="/")


def _digest(shapes: dict[str, tuple[int, ...]], flat: np.ndarray) -> str:
    digest = hashlib.sha256(json.dumps(shapes, sort_keys=True).encode())
    digest.update(flat)
    return digest.hexdigest()


def _places(shapes: dict[str, tuple[int, ...]]) -> tuple[dict[str, slice], int]:
    """Where each array lies among all numbers, and how many these are."""
    places, end = {}, 0
    for name, shape in shapes.items():
        places[name] = slice(end, end + math.prod(shape))
        end = math.ceil(places[name].stop / _ALIGNMENT) * _ALIGNMENT
    return places, end


@cache
def _conversion_version() -> str:
    """Hash of the code that reads, names and uses weights: older weights never meet newer code."""
    digest = hashlib.sha256()
    for package in (weights_convert, tipim_jax.networks):
        for file in sorted(Path(package.__file__).parent.rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
