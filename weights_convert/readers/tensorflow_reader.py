"""Reads the variables of frozen TensorFlow graphs without TensorFlow; nothing of a graph is run."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_DOUBLE, DT_FLOAT, DT_INT32, DT_INT64

from weights_convert.readers.fault import Fault, reading

# Type -> its elements in `tensor_content`, and the field for single values.
_ELEMENTS = {
    DT_FLOAT: ("<f4", "float_val"),
    DT_DOUBLE: ("<f8", "double_val"),
    DT_INT32: ("<i4", "int_val"),
    DT_INT64: ("<i8", "int64_val"),
}


def read(path: Path) -> dict[str, np.ndarray]:
    """The variables of a graph by name, float32, in the file's order.

    Freezing makes of the variable NAME a constant, which the node `NAME/read` hands on; constants
    that no such node reads were none and are left out.

    Raises:
      ConversionError: the file is no frozen graph or is damaged.
    """
    with reading(path, "a TensorFlow graph whose variables are frozen"):
        data = Path(path).read_bytes()
        return dict(_variables(_parse(data), most=len(data)))


def _parse(data: bytes) -> GraphDef:
    try:
        return GraphDef.FromString(data)
    except DecodeError:
        raise Fault("no readable GraphDef") from None


def _variables(graph: GraphDef, most: int) -> Iterator[tuple[str, np.ndarray]]:
    """`most` is the number of elements that all of them can have together."""
    read = {
        node.input[0]
        for node in graph.node
        if node.op == "Identity"
        and node.name.endswith("/read")
        and [*node.input] == [node.name.removesuffix("/read")]
    }
    frozen = [node for node in graph.node if node.op == "Const" and node.name in read]
    if not frozen:
        raise Fault(f"a graph of {len(graph.node)} nodes, none of them a frozen variable")
    names = set()
    for node in frozen:
        if node.name in names:
            raise Fault(f"two variables called {node.name!r}")
        names.add(node.name)
        tensor = node.attr["value"].tensor
        shape = tuple(axis.size for axis in tensor.tensor_shape.dim)
        # 32 axes is NumPy's limit before 2, and more than any weight has.
        if min(shape, default=1) < 1 or len(shape) > 32:
            raise Fault(f"the variable {node.name!r} of the shape {shape}")
        most -= math.prod(shape)
        if most < 0:  # one value stands for any number of equal ones
            raise Fault("variables with more elements than the file has bytes")
        yield node.name, _array(node.name, tensor, shape)


def _array(name: str, tensor: TensorProto, shape: tuple[int, ...]) -> np.ndarray:
    if tensor.dtype not in _ELEMENTS:
        raise Fault(f"the variable {name!r} of type {tensor.dtype}, which holds no plain numbers")
    dtype, field = _ELEMENTS[tensor.dtype]
    count = math.prod(shape)
    if tensor.tensor_content:
        found = len(tensor.tensor_content) / np.dtype(dtype).itemsize
        values = np.frombuffer(tensor.tensor_content, dtype) if found == count else None
    else:
        values = np.array(getattr(tensor, field), dtype)
        found = len(values)
        if found == 1:
            values = np.broadcast_to(values, count)
    if found not in (1, count):
        raise Fault(
            f"{found} values in the variable {name!r}, {count} are due by its shape {shape}"
        )
    return values.astype(np.float32).reshape(shape)
