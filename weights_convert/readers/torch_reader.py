"""Reads PyTorch's files without PyTorch, and executes nothing that a file asks for.

Two formats, from `torch/serialization.py`. Since 1.6: a zip archive, stored uncompressed, of
`data.pkl` and one file `data/KEY` for each storage. Before: five pickles (a magic number, the
protocol 1001, the writer's system, the object, the storages' keys), then each storage as an 8-byte
count of elements and its raw elements. In both, a tensor in the pickle is a call of
`torch._utils._rebuild_tensor_v2`, which refers to its storage by a persistent id.

The object may be a state dict, a dictionary that has one beside other things, as training leaves
it, or a whole module, whose tensors get the names that its state dict would give them.
"""

import functools
import io
import itertools
import math
import zipfile
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from weights_convert.errors import ConversionError
from weights_convert.readers import pickles
from weights_convert.readers.pickles import Fault, Global, Instance

_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
# A module may stand in another many times, so few bytes could claim to be very many names.
_MOST_PARTS = 1_000_000
_LONGEST_NAME = 1000
_MOST = 1 << 48  # elements


def read(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a state dict by name, float32, in the file's order.

    Of several state dicts or modules in the file it is the one with the most tensors, of equals the
    first. What is no tensor is left out.

    Raises:
      ConversionError: the file holds no named tensors, is damaged, or its pickle calls anything
        that PyTorch's own would not; the message names the first such thing.
    """
    try:
        data = Path(path).read_bytes()
        archive = data[:4] == b"PK\x03\x04"
        root, storage = _open_zip(data) if archive else _open_legacy(data)
        return _arrays(_largest_state_dict(root), storage, most=len(data))
    except Fault as fault:
        raise ConversionError(
            f"{path}: found {fault}. Expected weights that PyTorch saved: names and tensors. "
            "The file is damaged, hostile or of another kind; get it again from its origin."
        ) from None


class _Storage(NamedTuple):
    """A persistent id: `size` elements from `start` on, of all that stand elsewhere in the file."""

    key: str
    dtype: str
    whole: int
    start: int
    size: int


class _Tensor(NamedTuple):
    """A view of a storage; offset and strides count elements."""

    storage: Any
    offset: Any
    shape: Any
    strides: Any


_Bytes = Callable[[str], bytes]  # a storage's raw elements by its key


# Reading the two formats


def _open_zip(data: bytes) -> tuple[Any, _Bytes]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except Exception as error:  # an archive can be wrong in many ways, as a pickle can
        raise _broken(error) from None
    entries = archive.infolist()
    # PyTorch stores its members as they are: nothing can expand, or be there twice.
    compressed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
    if compressed or sum(entry.file_size for entry in entries) > len(data):
        raise Fault("an archive that is larger inside than outside")
    pickled = [e.filename for e in entries if e.filename.split("/")[1:] == ["data.pkl"]]
    if len(pickled) != 1:
        raise Fault(f"an archive with {len(pickled)} members data.pkl, not one")
    root = pickled[0].removesuffix("data.pkl")
    members = {e.filename.removeprefix(root): e for e in entries}

    @functools.cache  # tensors may share a storage
    def member(name: str) -> bytes:
        try:
            return archive.read(members[name])
        except Exception as error:
            raise _broken(error) from None

    if "byteorder" in members and member("byteorder") != b"little":
        raise Fault("big-endian numbers")
    loaded, storages = _unpickle(io.BytesIO(member("data.pkl")))
    absent = [key for key in storages if f"data/{key}" not in members]
    if absent:
        raise Fault(f"no member data/{absent[0]}, which a tensor refers to")
    return loaded, lambda key: member(f"data/{key}")


def _broken(error: Exception) -> Fault:
    return Fault(f"a broken archive ({type(error).__name__}: {error})")


def _open_legacy(data: bytes) -> tuple[Any, _Bytes]:
    stream = io.BytesIO(data)
    if _unpickle(stream)[0] != _MAGIC_NUMBER or _unpickle(stream)[0] != _PROTOCOL:
        raise Fault("another magic number or protocol than PyTorch's")
    system = _unpickle(stream)[0]
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise Fault("numbers that are not little-endian")
    loaded, wanted = _unpickle(stream)
    keys = _unpickle(stream)[0]
    named = isinstance(keys, list) and all(isinstance(key, str) for key in keys)
    if not named or sorted(keys) != sorted(wanted):
        raise Fault("a list of storages that differs from those that the tensors refer to")
    storages = {}
    for key in keys:
        count = int.from_bytes(stream.read(8), "little")
        if count != wanted[key].whole:
            raise Fault(f"{count} elements in storage {key}, where {wanted[key].whole} are due")
        start = stream.tell()
        storages[key] = memoryview(data)[start : start + count * _size(wanted[key].dtype)]
        stream.seek(len(storages[key]), io.SEEK_CUR)
    if left := len(data) - stream.tell():
        raise Fault(f"{left} bytes after the last storage")
    return loaded, storages.__getitem__


# What the pickles may refer to and call


_BFLOAT16 = "bfloat16"  # which NumPy lacks
_ELEMENTS = {
    ("torch", "DoubleStorage"): "<f8",
    ("torch", "FloatStorage"): "<f4",
    ("torch", "HalfStorage"): "<f2",
    ("torch", "BFloat16Storage"): _BFLOAT16,
    ("torch", "LongStorage"): "<i8",
    ("torch", "IntStorage"): "<i4",
    ("torch", "ShortStorage"): "<i2",
    ("torch", "CharStorage"): "<i1",
    ("torch", "ByteStorage"): "<u1",
    ("torch", "BoolStorage"): "<u1",
}


def _ordered_dict(pairs: list | None = None, *_: Any) -> dict[str, Any]:
    """Python 2 writes an ordered dictionary's items as a list of pairs.

    The list is used up, as one that is referred to again and again would become much out of little.
    """
    if not isinstance(pairs or [], list):
        raise Fault("an ordered dictionary that is not made of a list")
    items = {}
    for key, value in pairs or []:
        if isinstance(key, str):
            items[key] = value
    if pairs:
        pairs.clear()
    return items


def _nothing(*_: Any) -> Instance:
    return Instance()


_CALLS: dict[tuple[str, str], Callable[..., Any]] = {
    ("torch._utils", "_rebuild_tensor"): lambda *view: _Tensor(*view),
    ("torch._utils", "_rebuild_tensor_v2"): lambda *view_and_more: _Tensor(*view_and_more[:4]),
    ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
    ("torch._utils", "_rebuild_parameter_with_state"): lambda tensor, *_: tensor,
    ("torch", "Size"): lambda sizes=(): sizes,
    ("collections", "OrderedDict"): _ordered_dict,
    # Settings and counts of a training that stand beside the weights: nothing is made of them.
    ("collections", "defaultdict"): lambda *_: {},
    ("collections", "Counter"): _nothing,
    ("collections", "deque"): _nothing,
    ("torch", "device"): _nothing,
    ("_codecs", "encode"): _nothing,
    ("numpy", "dtype"): _nothing,
    ("pathlib", "PosixPath"): _nothing,
    ("pathlib", "WindowsPath"): _nothing,
    **dict.fromkeys(
        itertools.product(("builtins", "__builtin__"), ("set", "frozenset", "bytearray")), _nothing
    ),
    **dict.fromkeys(
        itertools.product(
            ("numpy.core.multiarray", "numpy._core.multiarray"), ("scalar", "_reconstruct")
        ),
        _nothing,
    ),
}


def _unpickle(stream: io.BytesIO) -> tuple[Any, dict[str, _Storage]]:
    """Reads one pickle: the object, and the storages that it refers to by their keys."""
    storages: dict[str, _Storage] = {}

    def persistent(found: Any) -> Any:
        match found:
            # A class with its source code, which a whole module brings along.
            case ("module", kind, *_):
                return kind
            case ("storage", Global() as kind, str(key), _, int(whole), *view) if (
                kind in _ELEMENTS and len(key) < 100 and 0 <= whole < _MOST
            ):
                storage = _Storage(key, _ELEMENTS[kind], whole, *_part(whole, view))
            case _:
                raise Fault("a persistent id that is no storage")
        first = storages.setdefault(key, storage)
        if (first.dtype, first.whole) != (storage.dtype, storage.whole):
            raise Fault(f"two different descriptions of storage {key}")
        return storage

    return pickles.load(stream, _CALLS, persistent), storages


def _part(whole: int, view: list[Any]) -> tuple[int, int]:
    """Start and size; a sixth part of an id is (key, start, size) of a view of another storage."""
    match view:
        case [] | [None]:
            return 0, whole
        case [(_, int(start), int(size))] if 0 <= start <= whole and 0 <= size <= whole - start:
            return start, size
    raise Fault("a storage that is no part of the one that it is a view of")


# From the object to tensors by name


def _largest_state_dict(root: Any) -> dict[str, _Tensor]:
    budget = iter(range(_MOST_PARTS))
    largest = {}
    for container in _containers(root):
        if isinstance(container, Instance):
            tensors = _module_tensors(container, budget)
        else:
            tensors = {n: value for n, value in container.items() if isinstance(value, _Tensor)}
        if len(tensors) > len(largest):
            largest = tensors
    if not largest:
        raise Fault(f"an object of type {type(root).__name__} without named tensors")
    return largest


def _containers(root: Any) -> Iterator[dict[str, Any] | Instance]:
    """The object and all that dictionaries in it hold, from the outside to the inside."""
    queue, seen = deque([root]), set()
    while queue:
        found = queue.popleft()
        if isinstance(found, dict | Instance) and id(found) not in seen:
            seen.add(id(found))
            yield found
            queue.extend([found.items] if isinstance(found, Instance) else found.values())


def _module_tensors(module: Instance, budget: Iterator[int]) -> dict[str, _Tensor]:
    """What the state dict of a `torch.nn.Module` would hold; nothing if it is none."""
    tensors, left = {}, [("", module)]
    while left:
        prefix, part = left.pop()
        own, modules = [], []
        for kind, into in (("_parameters", own), ("_buffers", own), ("_modules", modules)):
            attribute = part.state.get(kind)
            into.extend(attribute.items() if isinstance(attribute, dict) else ())
        tensors |= {prefix + name: value for name, value in own if isinstance(value, _Tensor)}
        inner = [(f"{prefix}{n}.", value) for n, value in modules if isinstance(value, Instance)]
        left += reversed(inner)
        parts = 1 + len(own) + len(modules)
        if len(prefix) > _LONGEST_NAME or sum(1 for _ in itertools.islice(budget, parts)) < parts:
            raise Fault("modules within modules without end")
    return tensors


# From views to arrays


def _arrays(tensors: dict[str, _Tensor], storage: _Bytes, most: int) -> dict[str, np.ndarray]:
    """Makes the arrays; `most` is the number of elements that all of them can have together."""
    arrays = {}
    for name, tensor in tensors.items():
        _check(name, tensor)
        most -= math.prod(tensor.shape)
        if most < 0:  # views may share a storage, so little data can claim to be very much
            raise Fault("tensors with more elements than the file has bytes")
        arrays[name] = _array(name, tensor, storage(tensor.storage.key))
    return arrays


def _check(name: str, tensor: _Tensor) -> None:
    storage, offset, shape, strides = tensor
    # 32 axes is NumPy's limit before 2, and more than any weight has.
    sound = isinstance(shape, tuple) and isinstance(strides, tuple) and len(shape) <= 32
    sound = sound and len(shape) == len(strides) and 0 not in shape
    sound = sound and all(type(n) is int and 0 <= n < _MOST for n in (offset, *shape, *strides))
    if not sound or not isinstance(storage, _Storage):
        raise Fault(
            f"{name[:_LONGEST_NAME]}: a tensor without a storage, an offset, a shape and strides "
            "that go together"
        )


def _array(name: str, tensor: _Tensor, data: bytes) -> np.ndarray:
    storage, offset, shape, strides = tensor
    size = _size(storage.dtype)
    last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    if last >= storage.size or len(data) != storage.whole * size:
        raise Fault(
            f"{name[:_LONGEST_NAME]} of shape {shape}, strides {strides} and offset {offset} in a "
            f"storage of {storage.size} elements and {len(data)} bytes"
        )
    brain = storage.dtype == _BFLOAT16
    elements = np.frombuffer(data, "<u2" if brain else storage.dtype)[storage.start + offset :]
    view = as_strided(elements, shape, [stride * size for stride in strides], writeable=False)
    if brain:  # the upper half of a float32
        return (view.astype("<u4", order="C") << 16).view("<f4")
    with np.errstate(over="ignore"):  # becomes infinite, which whoever uses it refuses
        return view.astype(np.float32, order="C")


def _size(dtype: str) -> int:
    """Bytes of an element."""
    return 2 if dtype == _BFLOAT16 else np.dtype(dtype).itemsize
