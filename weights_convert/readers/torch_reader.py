"""Reads PyTorch's files without PyTorch, and executes nothing that a file asks for.

The object in a file may be a state dict, a dictionary that has one beside other things, as training
leaves it, or a whole module, whose tensors get the names that its state dict would give them.
"""

import itertools
import math
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from weights_convert.readers.fault import Fault, reading
from weights_convert.readers.pickles import Instance
from weights_convert.readers.torch_file import Elements, open_file
from weights_convert.readers.torch_pickle import BFLOAT16, MOST_ELEMENTS, Storage, Tensor

# A module may stand in another many times, so few bytes could claim to be very many names.
_MOST_PARTS = 1_000_000
_LONGEST_NAME = 1000


def read(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a state dict by name, float32, in the file's order.

    Of several state dicts or modules in the file it is the one with the most tensors, of equals the
    first. What is no tensor is left out.

    Raises:
      ConversionError: the file holds no named tensors, is damaged, or its pickle calls anything
        that PyTorch's own would not; the message names the first such thing.
    """
    with reading(path, "weights that PyTorch saved: names and tensors"):
        data = Path(path).read_bytes()
        root, elements = open_file(data)
        return _arrays(_largest_state_dict(root), elements, most=len(data))


def _largest_state_dict(root: Any) -> dict[str, Tensor]:
    budget = iter(range(_MOST_PARTS))
    largest = {}
    for container in _containers(root):
        if isinstance(container, Instance):
            tensors = _module_tensors(container, budget)
        else:
            tensors = {n: value for n, value in container.items() if isinstance(value, Tensor)}
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


def _module_tensors(module: Instance, budget: Iterator[int]) -> dict[str, Tensor]:
    """What the state dict of a `torch.nn.Module` would hold; nothing if it is none."""
    tensors, left = {}, [("", module)]
    while left:
        prefix, part = left.pop()
        own, modules = [], []
        for kind, into in (("_parameters", own), ("_buffers", own), ("_modules", modules)):
            attribute = part.state.get(kind)
            into.extend(attribute.items() if isinstance(attribute, dict) else ())
        tensors |= {prefix + name: value for name, value in own if isinstance(value, Tensor)}
        inner = [(f"{prefix}{n}.", value) for n, value in modules if isinstance(value, Instance)]
        left += reversed(inner)
        parts = 1 + len(own) + len(modules)
        if len(prefix) > _LONGEST_NAME or sum(1 for _ in itertools.islice(budget, parts)) < parts:
            raise Fault("modules within modules without end")
    return tensors


def _arrays(tensors: dict[str, Tensor], elements: Elements, most: int) -> dict[str, np.ndarray]:
    """Makes the arrays; `most` is the number of elements that all of them can have together."""
    arrays = {}
    for name, tensor in tensors.items():
        _check(name, tensor)
        most -= math.prod(tensor.shape)
        if most < 0:  # views may share a storage, so little data can claim to be very much
            raise Fault("tensors with more elements than the file has bytes")
        arrays[name] = _array(name, tensor, elements(tensor.storage.key))
    return arrays


def _check(name: str, tensor: Tensor) -> None:
    storage, offset, shape, strides = tensor
    # 32 axes is NumPy's limit before 2, and more than any weight has.
    sound = isinstance(shape, tuple) and isinstance(strides, tuple) and len(shape) <= 32
    sound = sound and len(shape) == len(strides) and 0 not in shape
    sound = sound and all(
        type(n) is int and 0 <= n < MOST_ELEMENTS for n in (offset, *shape, *strides)
    )
    if not sound or not isinstance(storage, Storage):
        raise Fault(
            f"{name[:_LONGEST_NAME]}: a tensor without a storage, an offset, a shape and strides "
            "that go together"
        )


def _array(name: str, tensor: Tensor, data: bytes) -> np.ndarray:
    storage, offset, shape, strides = tensor
    size = storage.item_size
    last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    if last >= storage.size or len(data) != storage.whole * size:
        raise Fault(
            f"{name[:_LONGEST_NAME]} of shape {shape}, strides {strides} and offset {offset} in a "
            f"storage of {storage.size} elements and {len(data)} bytes"
        )
    brain = storage.dtype == BFLOAT16
    elements = np.frombuffer(data, "<u2" if brain else storage.dtype)[storage.start + offset :]
    view = as_strided(elements, shape, [stride * size for stride in strides], writeable=False)
    if brain:  # the upper half of a float32
        return (view.astype("<u4", order="C") << 16).view("<f4")
    with np.errstate(over="ignore"):  # becomes infinite, which whoever uses it refuses
        return view.astype(np.float32, order="C")
