"""Converted weights in the cache: a safetensors file for each network, source and conversion.

Seconds that loading a network takes, import of the library included (median of seven processes, on
two cores that ten others share):

    network       size   safetensors  Orbax  a memory map without a library
    mobileface    5 MB          0.05   0.64                            0.04
    dlib         22 MB          0.12   0.65                            0.05
    facenet-128  91 MB          0.42   1.67                            0.16
"""

import ast
import hashlib
import os
import shutil
import sys
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from flax import traverse_util
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialise

import weights_convert
from tipim_jax.networks import Network, layers
from weights_convert.cache import home, put, workshop
from weights_convert.errors import ConversionError

_DIGEST = "sha256"  # of all names, shapes and numbers, as the format has no checksum
_UNUSED = 30 * 24 * 3600  # seconds after which a conversion that nobody loaded is deleted
_CONVERSION = ("fill.py", "readers/*.py", "tables/*.py")  # that decide the numbers


def path(network: Network, source: str) -> Path:
    """Where the weights made of a source file are kept, whether or not they are there.

    `source` is that file's sha256, hexadecimal, here and in all of this module. The name holds it
    and the conversion's version: weights made from another file or by other code are never taken
    for these, and two checkouts keep theirs side by side.
    """
    return home() / "checkpoints" / f"{network.name}-{source[:12]}-{_version(network)}.safetensors"


def save(network: Network, source: str, variables: dict[str, Any]) -> None:
    """Puts a network's variables, float32, into the cache, whole or not at all.

    Deletes what other code or other files gave for the network and nobody has loaded for 30 days.
    """
    place = path(network, source)
    arrays = flatten(variables)
    with workshop() as folder:
        (folder / "new").write_bytes(serialise(arrays, {_DIGEST: _digest(arrays)}))
        put(folder / "new", place)
    for other in place.parent.iterdir():
        of_network = other.name.rsplit("-", 2)[0] == network.name
        with suppress(OSError):  # another process deletes it too
            if of_network and other.stat().st_mtime < time.time() - _UNUSED:
                shutil.rmtree(other) if other.is_dir() else other.unlink()


def load(network: Network, source: str) -> dict[str, Any]:
    """Reads a network's variables, through a map of the file into memory.

    Raises:
      ConversionError: they cannot be read, or are not what was written.
    """
    place = path(network, source)
    try:
        with safe_open(place, "numpy") as file:
            arrays = {name: file.get_tensor(name) for name in sorted(file.keys())}
            expected = file.metadata()[_DIGEST]
    except (OSError, SafetensorError, LookupError, TypeError) as error:
        raise ConversionError(f"cannot read {place} ({type(error).__name__}: {error})") from error
    if _digest(arrays) != expected:
        raise ConversionError(f"{place} does not hold what was written to it")
    with suppress(OSError):  # a cache that cannot be written to
        os.utime(place)
    return traverse_util.unflatten_dict(arrays, sep="/")


def flatten(variables: dict[str, Any]) -> dict[str, np.ndarray]:
    """The arrays by their paths, such as `params/stem/conv/kernel`, in the order of those."""
    arrays = traverse_util.flatten_dict(variables, sep="/")
    return {name: np.asarray(array, order="C") for name, array in sorted(arrays.items())}


def _digest(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name, array in arrays.items():
        digest.update(f"{name} {array.shape}\n".encode())
        digest.update(array)
    return digest.hexdigest()


@cache
def _version(network: Network) -> str:
    """Hash of all that decides a network's converted weights: older ones never meet newer code.

    That is what reads, names and reorders arrays, and the architecture's variables. Their shapes
    take up to two seconds to trace, the code that declares them a few milliseconds to read.
    """
    digest = hashlib.sha256()
    for pattern in _CONVERSION:
        for file in sorted(Path(weights_convert.__file__).parent.glob(pattern)):
            digest.update(file.read_bytes())
    for module in (sys.modules[type(network.module()).__module__], layers):
        digest.update(_without_prose(Path(module.__file__)).encode())
    built = (network.architecture, network.options, network.embedding_size, network.input_size)
    digest.update(repr((*built, network.channel_order, network.mean, network.std)).encode())
    return digest.hexdigest()[:12]


def _without_prose(file: Path) -> str:
    """A module's code in one form whatever its comments, docstrings and lines are."""
    tree = ast.parse(file.read_bytes())
    for node in ast.walk(tree):
        if isinstance(getattr(node, "body", None), list):
            node.body = [part for part in node.body if not _is_prose(part)]
    return repr(_form(tree))


def _form(part: Any) -> Any:
    """What a part of the code is, the same in each version of Python, as `ast.dump` is not."""
    if isinstance(part, ast.AST):
        fields = ((name, value) for name, value in ast.iter_fields(part) if value not in (None, []))
        return type(part).__name__, *((name, _form(value)) for name, value in fields)
    return [_form(each) for each in part] if isinstance(part, list) else part


def _is_prose(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
