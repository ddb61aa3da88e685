"""Reads PyTorch state dicts without PyTorch, and executes nothing that a file asks for.

Two formats, from `torch/serialization.py`. Since 1.6: a zip archive, stored uncompressed, of
`data.pkl` and one file `data/KEY` for each storage. Before: five pickles (a magic number, the
protocol 1001, the writer's system, the object, the storages' keys), then each storage as an 8-byte
count of elements and its raw elements. In both, a tensor in the pickle is a call of
`torch._utils._rebuild_tensor_v2`, which refers to its storage by a persistent id.
"""

import io
import math
import pickle
import pickletools
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from weights_convert.errors import ConversionError

_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001


def read(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a state dict by name, float32, in the file's order.

    Raises:
      ConversionError: the file is no state dict, is damaged, or its pickle holds anything but
        tensors and plain containers; the message names the first such thing.
    """
    try:
        data = Path(path).read_bytes()
        if data[:4] == b"PK\x03\x04":
            state, storages = _read_zip(data)
        else:
            state, storages = _read_legacy(data)
        return _named_arrays(state, storages, most=len(data))
    except _Fault as fault:
        raise ConversionError(
            f"{path}: found {fault}. Expected a PyTorch state dict, names and tensors and nothing "
            "else. The file is damaged, hostile or of another kind; get it again from its origin."
        ) from None


class _Fault(Exception):
    """What was found that does not belong in a state dict."""


# Tuples and strings stand in for PyTorch's objects, as a pickle can set no attribute of theirs.


class _Storage(NamedTuple):
    """A persistent id: elements that stand elsewhere in the file."""

    key: str
    dtype: str
    size: int


class _Tensor(NamedTuple):
    """A view of a storage; offset and strides count elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


# Reading the two formats


def _read_zip(data: bytes) -> tuple[Any, dict[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            # PyTorch stores its members as they are: nothing can expand, or be there twice.
            compressed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
            if compressed or sum(entry.file_size for entry in entries) > len(data):
                raise _Fault("an archive that is larger inside than outside")
            pickles = [e.filename for e in entries if e.filename.endswith("/data.pkl")]
            if len(pickles) != 1:
                raise _Fault(f"an archive with {len(pickles)} members data.pkl, not one")
            root = pickles[0].removesuffix("data.pkl")
            members = {e.filename.removeprefix(root): e for e in entries}
            if "byteorder" in members and archive.read(members["byteorder"]) != b"little":
                raise _Fault("big-endian numbers")
            state, storages = _unpickle(io.BytesIO(archive.read(pickles[0])))
            absent = [key for key in storages if f"data/{key}" not in members]
            if absent:
                raise _Fault(f"no member data/{absent[0]}, which a tensor refers to")
            return state, {key: archive.read(members[f"data/{key}"]) for key in storages}
    except _Fault:
        raise
    except Exception as error:  # an archive can be wrong in many ways, as a pickle can
        raise _Fault(f"a broken archive ({type(error).__name__}: {error})") from None


def _read_legacy(data: bytes) -> tuple[Any, dict[str, bytes]]:
    stream = io.BytesIO(data)
    if _unpickle(stream)[0] != _MAGIC_NUMBER or _unpickle(stream)[0] != _PROTOCOL:
        raise _Fault("another magic number or protocol than PyTorch's")
    system = _unpickle(stream)[0]
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise _Fault("numbers that are not little-endian")
    state, wanted = _unpickle(stream)
    keys = _unpickle(stream)[0]
    named = isinstance(keys, list) and all(isinstance(key, str) for key in keys)
    if not named or sorted(keys) != sorted(wanted):
        raise _Fault("a list of storages that differs from those that the tensors refer to")
    storages = {}
    for key in keys:
        count = int.from_bytes(stream.read(8), "little")
        if count != wanted[key].size:
            raise _Fault(f"{count} elements in storage {key}, where {wanted[key].size} are due")
        storages[key] = stream.read(count * np.dtype(wanted[key].dtype).itemsize)
    if left := len(data) - stream.tell():
        raise _Fault(f"{left} bytes after the last storage")
    return state, storages


# The restricted unpickler


class _StateDict(dict):
    """Stands in for OrderedDict; attributes that a pickle sets on it are dropped."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        pass


class _RebuildTensor:
    """Stands in for `torch._utils._rebuild_tensor_v2`."""

    __slots__ = ()

    def __call__(self, storage, offset, shape, strides, requires_grad, hooks, metadata=None):
        shape, strides = tuple(shape), tuple(strides)
        numbers = (offset, *shape, *strides)
        sound = all(type(n) is int and n >= 0 for n in numbers) and 0 not in shape
        # 32 axes is NumPy's limit before 2, and more than any weight has.
        if not isinstance(storage, _Storage) or not sound or not len(shape) == len(strides) <= 32:
            raise _Fault(
                "a tensor without a storage, an offset, a shape and strides that go together"
            )
        return _Tensor(storage, offset, shape, strides)


class _RebuildParameter:
    """Stands in for `torch._utils._rebuild_parameter`: a parameter is its tensor."""

    __slots__ = ()

    def __call__(self, tensor, requires_grad, hooks):
        return tensor


_ELEMENTS = {
    ("torch", "DoubleStorage"): "<f8",
    ("torch", "FloatStorage"): "<f4",
    ("torch", "HalfStorage"): "<f2",
    ("torch", "LongStorage"): "<i8",
    ("torch", "IntStorage"): "<i4",
}
_ADMITTED = {
    ("collections", "OrderedDict"): _StateDict,
    ("torch._utils", "_rebuild_tensor_v2"): _RebuildTensor(),
    ("torch._utils", "_rebuild_parameter"): _RebuildParameter(),
    **_ELEMENTS,
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO):
        super().__init__(stream, encoding="utf-8")
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise _Fault(f"the global {module}.{name} in its pickle")
        return _ADMITTED[module, name]

    def persistent_load(self, persistent_id: Any) -> _Storage:
        # The sixth, in the old format, describes a view of another storage; None since PyTorch 0.4.
        match persistent_id:
            case ("storage", str(dtype), str(key), str(), int(size), *view) if (
                dtype in _ELEMENTS.values() and size >= 0 and view in ([], [None])
            ):
                storage = _Storage(key, dtype, size)
            case _:
                raise _Fault("a persistent id that is no storage")
        if self.storages.setdefault(key, storage) != storage:
            raise _Fault(f"two different descriptions of storage {key}")
        return storage


def _unpickle(stream: io.BytesIO) -> tuple[Any, dict[str, _Storage]]:
    """Reads one pickle: the object, and the storages that it refers to by their keys."""
    start = stream.tell()
    unpickler = _Unpickler(stream)
    try:
        # A place of 2^32 - 1 in the memo would make the unpickler allocate 32 GiB.
        for count, (opcode, argument, _) in enumerate(pickletools.genops(stream), start=1):
            if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and argument > count:
                raise _Fault(f"the memo place {argument} in its pickle")
        stream.seek(start)
        return unpickler.load(), unpickler.storages
    except _Fault:
        raise
    except Exception as error:  # a pickle can be wrong in any way, and raise anything
        raise _Fault(f"a broken pickle ({type(error).__name__}: {error})") from None


# From views to arrays


def _named_arrays(state: Any, storages: dict[str, bytes], most: int) -> dict[str, np.ndarray]:
    """Makes the arrays; `most` is the number of elements that all of them can have together."""
    if not isinstance(state, dict):
        raise _Fault(f"an object of type {type(state).__name__}")
    arrays = {}
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, _Tensor):
            what = repr(name) if isinstance(name, str) else f"a {type(name).__name__}"
            raise _Fault(f"a {type(tensor).__name__} named {what}")
        most -= math.prod(tensor.shape)
        if most < 0:  # views may share a storage, so little data can claim to be very much
            raise _Fault("tensors with more elements than the file has bytes")
        arrays[name] = _array(name, tensor, storages[tensor.storage.key])
    return arrays


def _array(name: str, tensor: _Tensor, data: bytes) -> np.ndarray:
    storage, offset, shape, strides = tensor
    size = np.dtype(storage.dtype).itemsize
    last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    if last >= storage.size or len(data) != storage.size * size:
        raise _Fault(
            f"{name} of shape {shape}, strides {strides} and offset {offset} in a storage of "
            f"{storage.size} elements and {len(data)} bytes"
        )
    elements = np.frombuffer(data, storage.dtype)[offset:]
    view = as_strided(elements, shape, [stride * size for stride in strides], writeable=False)
    return view.astype(np.float32, order="C")
