"""What shapes the values of an ONNX graph have, of one image; nothing is computed."""

from collections.abc import Mapping

import numpy as np
from onnx import ModelProto, NodeProto, TypeProto, defs, helper, numpy_helper
from onnx.shape_inference import infer_node_outputs

_MOST_SIZES = 64  # values in a constant that says a shape


class Shapes:
    """Known shapes and types by name, filled node by node."""

    def __init__(self, model: ModelProto, versions: Mapping[str, int]):
        """Begins with the graph's inputs: a first axis without a length is one image's."""
        self._versions = dict(versions)
        self._types: dict[str, TypeProto] = {}
        for value in model.graph.input:
            kind = TypeProto()
            kind.CopyFrom(value.type)
            axes = kind.tensor_type.shape.dim
            if axes and not axes[0].dim_value:
                axes[0].dim_value = 1
            self._types[value.name] = kind

    def of(self, name: str) -> tuple[int, ...] | None:
        """The shape of a value, None if not all of it is known."""
        kind = self._types.get(name)
        if kind is None or not kind.tensor_type.HasField("shape"):
            return None
        axes = kind.tensor_type.shape.dim
        if not all(axis.HasField("dim_value") for axis in axes):
            return None
        return tuple(axis.dim_value for axis in axes)

    def element(self, name: str) -> int | None:
        """ONNX's number for the type of a value's elements, None if it is not known."""
        kind = self._types.get(name)
        return None if kind is None else kind.tensor_type.elem_type

    def same(self, name: str, other: str) -> None:
        """Notes that a value has the shape and type of another."""
        if other in self._types:
            self._types[name] = self._types[other]

    def constant(self, name: str, array: np.ndarray) -> None:
        """Notes a value that is known altogether."""
        if array.dtype.kind != "O":  # texts
            element = helper.np_dtype_to_tensor_dtype(array.dtype)
            self._types[name] = helper.make_tensor_type_proto(element, array.shape)

    def after(self, node: NodeProto, domain: str, constants: Mapping[str, np.ndarray]) -> None:
        """Notes what a node gives, where what it takes says so."""
        known = {name: self._types[name] for name in node.input if name in self._types}
        said = {
            name: numpy_helper.from_array(constants[name], name)
            for name in node.input
            if name in constants and is_size(constants[name])
        }
        imports = [helper.make_opsetid(name, version) for name, version in self._versions.items()]
        schema = defs.get_schema(node.op_type, self._versions[domain], domain)
        try:
            self._types |= infer_node_outputs(schema, node, known, said, None, imports)
        except Exception:  # whatever it says to a node that takes what nothing is known of
            return


def is_size(array: np.ndarray) -> bool:
    """Whether an array can say a shape or a part of one."""
    return array.size <= _MOST_SIZES and array.dtype.kind in "iuf"
