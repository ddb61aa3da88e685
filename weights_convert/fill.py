"""Fills a network's variables from a source file's arrays, by a table, and accepts no remainder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from weights_convert.errors import ConversionError

Transform = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Table:
    """What becomes of every array in a source file.

    Attributes:
      weights: source name -> ("/"-joined path of ours, transform from their layout to ours).
      constants: source name -> the value that it must have, because the registry states it too.
      ignored: source name -> why nothing needs it.
    """

    weights: Mapping[str, tuple[str, Transform]]
    constants: Mapping[str, np.ndarray] = field(default_factory=dict)
    ignored: Mapping[str, str] = field(default_factory=dict)


def fill(
    abstract_variables: Mapping[str, Any], source: Mapping[str, np.ndarray], table: Table
) -> dict[str, Any]:
    """Converts a source file's arrays to a network's variables.

    Args:
      abstract_variables: tree of shapes and dtypes, as from `Network.abstract_variables`.
      source: arrays by their names in the file.
      table: where each of them goes.

    Returns:
      A tree of NumPy arrays with the structure, shapes and dtypes of `abstract_variables`.

    Raises:
      ConversionError: anything is missing, left over, of another shape, not finite or not the
        expected constant; the message lists all such faults.
    """
    wanted = flatten_dict(dict(abstract_variables), sep="/")
    filled, faults = {}, []
    for name, (path, transform) in table.weights.items():
        if name not in source:
            faults.append(f"{name}: not in the file (wanted for {path})")
        elif path not in wanted:
            faults.append(f"{name}: the network has no {path}")
        else:
            fault = _convert(source[name], transform, wanted[path], path, filled)
            faults += [f"{name}: {fault}"] if fault else []
    for name, value in table.constants.items():
        if name not in source:
            faults.append(f"{name}: not in the file (expected to be {value})")
        elif not np.allclose(source[name], value, rtol=1e-6, atol=0):
            faults.append(f"{name}: is {source[name]}, expected {value}")
    known = table.weights.keys() | table.constants.keys() | table.ignored.keys()
    faults += [f"{name}: in the file, but nothing uses it" for name in source if name not in known]
    aimed_at = {path for path, _ in table.weights.values()}
    faults += [f"{path}: nothing fills it" for path in wanted if path not in aimed_at]
    if faults:
        lines = "\n  ".join(faults)
        raise ConversionError(
            f"the file does not hold this network's weights, {len(faults)} faults:\n  {lines}\n"
            "Is it the file of another network, or of another version of this one?"
        )
    return unflatten_dict(filled, sep="/")


def _convert(array, transform, wanted, path, filled):
    """Puts the converted array into `filled`, or says what is wrong with it."""
    try:
        converted = transform(np.asarray(array))
    except ValueError as error:
        return f"shape {np.shape(array)} cannot become {wanted.shape} of {path} ({error})"
    if converted.shape != wanted.shape:
        return (
            f"shape {np.shape(array)} becomes {converted.shape}, expected {wanted.shape} for {path}"
        )
    if not np.isfinite(converted).all():
        bad = int((~np.isfinite(converted)).sum())
        return f"{bad} of {converted.size} values are NaN or infinite"
    if path in filled:
        return f"{path} is filled twice"
    filled[path] = np.ascontiguousarray(converted, dtype=wanted.dtype)
    return None
