"""What the pickles in PyTorch's files may refer to and call, and what that stands for.

From `torch/_utils.py` and `torch/serialization.py`: a tensor is a call of
`torch._utils._rebuild_tensor_v2`, which refers to its storage by a persistent id.
"""

import io
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from weights_convert.readers import pickles
from weights_convert.readers.fault import Fault
from weights_convert.readers.pickles import Global, Instance

MOST_ELEMENTS = 1 << 48  # of a storage
BFLOAT16 = "bfloat16"  # which NumPy lacks


class Storage(NamedTuple):
    """A persistent id: `size` elements from `start` on, of all that stand elsewhere in the file."""

    key: str
    dtype: str
    whole: int
    start: int
    size: int

    @property
    def item_size(self) -> int:
        """Bytes of an element."""
        return 2 if self.dtype == BFLOAT16 else np.dtype(self.dtype).itemsize


class Tensor(NamedTuple):
    """A view of a storage; offset and strides count elements."""

    storage: Any
    offset: Any
    shape: Any
    strides: Any


_ELEMENTS = {
    ("torch", "DoubleStorage"): "<f8",
    ("torch", "FloatStorage"): "<f4",
    ("torch", "HalfStorage"): "<f2",
    ("torch", "BFloat16Storage"): BFLOAT16,
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
    ("torch._utils", "_rebuild_tensor"): lambda *view: Tensor(*view),
    ("torch._utils", "_rebuild_tensor_v2"): lambda *view_and_more: Tensor(*view_and_more[:4]),
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


def unpickle(stream: io.BytesIO) -> tuple[Any, dict[str, Storage]]:
    """Reads one pickle: the object, and the storages that it refers to by their keys."""
    storages: dict[str, Storage] = {}

    def persistent(found: Any) -> Any:
        match found:
            # A class with its source code, which a whole module brings along.
            case ("module", kind, *_):
                return kind
            case ("storage", Global() as kind, str(key), _, int(whole), *view) if (
                kind in _ELEMENTS and len(key) < 100 and 0 <= whole < MOST_ELEMENTS
            ):
                storage = Storage(key, _ELEMENTS[kind], whole, *_part(whole, view))
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
