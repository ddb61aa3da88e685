"""Fills a network's variables from a source file's arrays, by a table, and accepts no remainder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from weights_convert.errors import ConversionError

_MOST_FAULTS = 40  # in one message

Transform = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Table:
    """What becomes of every array in one kind of source file.

    Attributes:
      form: Format of the file, a key of `readers.FORMATS`.
      weights: Path of ours ("/"-joined) and transform from their layout to ours, by source name.
      constants: Value that an array must have because the registry or the architecture states it
        too, by source name.
      ignored: Reason why nothing needs an array, by source name or pattern with `*`. It need not be
        there.
      given: Value of what such files do not hold, by path of ours.
      renamed: From a file's arrays to the same under the names that are meant here, where those in
        the file are chance.
    """

    form: str
    weights: Mapping[str, tuple[str, Transform]]
    constants: Mapping[str, np.ndarray] = field(default_factory=dict)
    ignored: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, float] = field(default_factory=dict)
    renamed: Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]] = dict

    def knows(self, name: str) -> bool:
        """Whether anything is said of an array called `name`."""
        return name in self.weights or name in self.constants or self.ignores(name)

    def ignores(self, name: str) -> bool:
        """Whether an array called `name` may be left unused."""
        return any(fnmatchcase(name, pattern) for pattern in self.ignored)


def without_prefix(table: Table, source: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The source's arrays under the names that the table knows most of.

    Training frameworks put the network into an attribute of something else (`module.`,
    `features.module.`, `model.`): whatever one or two leading parts of a name, left out, make the
    most names known to the table are left out, and with them all arrays whose names lack them: what
    lies beside the network, such as the classifier of its training.
    """
    source = table.renamed(source)
    prefixes = {""}
    for name in source:
        parts = name.split(".")
        prefixes.update(".".join(parts[:count]) + "." for count in (1, 2) if len(parts) > count)

    def known(prefix: str) -> int:
        return sum(prefix + name in source for name in table.weights)

    best = max(sorted(prefixes), key=known)  # of equals the shortest, "" before all
    inside = {name: array for name, array in source.items() if name.startswith(best)}
    return {name.removeprefix(best): array for name, array in inside.items()}


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
    for path, value in table.given.items():
        filled[path] = np.full(wanted[path].shape, value, wanted[path].dtype)
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
        elif not np.array_equal(np.shape(source[name]), np.shape(value)) or not np.allclose(
            source[name], value, rtol=1e-6, atol=0
        ):
            faults.append(f"{name}: is {source[name]}, expected {value}")
    unused = [name for name in source if not table.knows(name)]
    faults += [f"{name}: in the file, but nothing uses it" for name in unused]
    aimed_at = {path for path, _ in table.weights.values()} | table.given.keys()
    faults += [f"{path}: nothing fills it" for path in wanted if path not in aimed_at]
    if faults:
        shown = faults if len(faults) <= _MOST_FAULTS else [*faults[:_MOST_FAULTS], "…"]
        lines = "\n  ".join(shown)
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
