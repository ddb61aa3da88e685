"""Reads the weights of Keras models out of HDF5 files.

A file holds a group for each layer, at its root or, beside the model's configuration, in
`model_weights`. Configurations can hold marshalled code: nothing here looks at them, or at any
other attribute.
"""

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from weights_convert.readers.fault import Fault, reading

_MOST_EXPANDED = 4  # bytes, for each byte of the file; weights hardly can be compressed


def read(path: Path) -> dict[str, np.ndarray]:
    """The weights by `LAYER/VARIABLE`, float32.

    Keras writes `conv1/conv1/kernel:0`: the group's name, then the variable's, which begins with
    its layer's name again. Such repetitions are left out, and so is the number of TensorFlow's
    output; what is left of a variable whose layer is called otherwise than its group has more
    parts.

    Raises:
      ConversionError: the file is no HDF5 file, is damaged, or refers to other files.
    """
    with reading(path, "a Keras model's weights in HDF5, all inside the file"):
        return _read(path)


def _read(path: Path) -> dict[str, np.ndarray]:
    arrays, left = {}, _MOST_EXPANDED * path.stat().st_size
    try:
        with h5py.File(path, "r") as file:
            root = _member(file, "model_weights") if "model_weights" in file else file
            for place, dataset in _datasets(root, set()):
                left -= dataset.size * dataset.dtype.itemsize
                if left < 0:
                    raise Fault("weights that take far more bytes than the file has")
                name = _name(place)
                if name in arrays:
                    raise Fault(f"two weights called {name!r}")
                arrays[name] = dataset[()].astype(np.float32)
    except Fault:
        raise
    except Exception as error:  # whatever h5py says to a broken file
        raise Fault(f"a broken file ({type(error).__name__}: {error})") from None
    if not arrays:
        raise Fault("no weights")
    return arrays


def _datasets(group: h5py.Group, seen: set) -> Iterator[tuple[tuple[str, ...], h5py.Dataset]]:
    """All datasets below a group with the names on the way to them."""
    # A group can be its own member, and many names can stand for one.
    address = h5py.h5o.get_info(group.id).addr
    if address in seen:
        raise Fault(f"the group {group.name}, which is in more than one place")
    seen.add(address)
    for name in group:
        member = _member(group, name)
        if isinstance(member, h5py.Group):
            for place, dataset in _datasets(member, seen):
                yield (name, *place), dataset
        else:
            yield (name,), member


def _member(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset:
    """What is in the file itself under that name."""
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise Fault(f"a link to another place or file, {name!r} in {group.name}")
    member = group[name]
    if isinstance(member, h5py.Group):
        return member
    if not isinstance(member, h5py.Dataset) or member.dtype.kind not in "fiu":
        raise Fault(f"{member.name}, which is no array of numbers")
    if member.is_virtual or member.external:
        raise Fault(f"the weight {member.name}, which is kept in another file")
    return member


def _name(place: tuple[str, ...]) -> str:
    *layers, variable = "/".join(place).split("/")
    parts = [part for part, before in zip(layers, [None, *layers], strict=False) if part != before]
    return "/".join([*parts, variable.removesuffix(":0")])
