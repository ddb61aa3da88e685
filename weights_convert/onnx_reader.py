"""Reads the weights of ONNX graphs; the graph is parsed and never run.

Block-quantised weights (DequantizeLinear of opset 21 with `block_size`) are dequantised here, and
the Reshape that may follow is applied, so that they come out as the weights that were quantised.
"""

from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from weights_convert.errors import ConversionError

_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)


def read(path: Path) -> dict[str, np.ndarray]:
    """The weights of a graph by name, float32: first the stored ones, then the dequantised.

    A stored weight has its initialiser's name, whether or not the graph also lists it as an input.
    A dequantised weight has the name of its quantised initialiser without the ending `_quantized`:
    the name that it had before quantisation. Its scales, zero points and shape are used up.
    Other integer initialisers (shapes, axes) are no weights and not returned.

    Raises:
      ConversionError: the file is no ONNX graph, is damaged, keeps weights in other files, or
        quantises in a way that is not read here.
    """
    try:
        return _weights(_parse(path))
    except _Fault as fault:
        raise ConversionError(
            f"{path}: found {fault}. Expected an ONNX graph with all its weights inside. "
            "The file is damaged or of another kind; get it again from its origin."
        ) from None


class _Fault(Exception):
    """What was found that cannot be read."""


def _parse(path: Path) -> onnx.GraphProto:
    try:
        # Weights in other files would let a graph name any path of this machine.
        model = onnx.load(path, load_external_data=False)
    except DecodeError:
        raise _Fault("no readable ONNX") from None
    if not model.graph.node or not model.opset_import:  # both are due; files end with the latter
        raise _Fault("a graph without nodes or without its operators' version")
    return model.graph


def _weights(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    initialisers = {tensor.name: tensor for tensor in graph.initializer}
    used: set[str] = set()
    weights = {}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and set(node.input[:1]) <= initialisers.keys():
            name, array, inputs = _dequantised(node, graph, initialisers)
            if name in weights or name in initialisers:
                raise _Fault(f"two weights called {name}")
            weights[name] = array
            used.update(inputs)
    stored = {
        name: _array(tensor).astype(np.float32)
        for name, tensor in initialisers.items()
        if name not in used and tensor.data_type in _FLOATS
    }
    return stored | weights


def _dequantised(
    node: onnx.NodeProto, graph: onnx.GraphProto, initialisers: dict[str, onnx.TensorProto]
) -> tuple[str, np.ndarray, list[str]]:
    """One weight: its name, its values and the initialisers that it was made of."""
    inputs = list(node.input)
    absent = [name for name in inputs if name not in initialisers]
    if absent or len(inputs) != 3:
        raise _Fault(f"{node.output[0]}, whose scales or zero points are not stored: {inputs}")
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    array = _dequantise(
        *(_array(initialisers[name]) for name in inputs),
        axis=attributes.get("axis", 1),  # ONNX's default
        block_size=attributes.get("block_size", 0),
    )
    users = [other for other in graph.node if node.output[0] in other.input]
    if [user.op_type for user in users] == ["Reshape"] and users[0].input[-1] in initialisers:
        shape = _array(initialisers[users[0].input[-1]])
        try:
            array = array.reshape(shape)
        except (ValueError, TypeError):
            raise _Fault(f"{node.output[0]} of shape {array.shape}, reshaped to {shape}") from None
        inputs.append(users[0].input[-1])
    return inputs[0].removesuffix("_quantized"), array, inputs


def _dequantise(
    quantised: np.ndarray,
    scales: np.ndarray,
    zero_points: np.ndarray,
    *,
    axis: int,
    block_size: int,
) -> np.ndarray:
    """(quantised - zero point) * scale, as DequantizeLinear of ONNX's opset 21 defines it.

    Scales and zero points have the weight's shape, but along `axis` one number for each block; the
    last block may be shorter.
    """
    if quantised.dtype not in (np.int8, np.uint8) or block_size < 1:
        raise _Fault(f"weights quantised as {quantised.dtype} in blocks of {block_size}")
    if not -quantised.ndim <= axis < quantised.ndim:
        raise _Fault(f"weights with {quantised.ndim} axes in blocks along axis {axis}")
    expected = list(quantised.shape)
    expected[axis] = -(-expected[axis] // block_size)
    if not list(scales.shape) == list(zero_points.shape) == expected:
        raise _Fault(
            f"scales of shape {scales.shape} and zero points of shape {zero_points.shape} for "
            f"weights of shape {quantised.shape} in blocks of {block_size} along axis {axis}"
        )
    block = np.arange(quantised.shape[axis]) // block_size
    # In 32 bits, as int8 minus int8 needs nine.
    steps = quantised.astype(np.int32) - zero_points.astype(np.int32).take(block, axis)
    return steps.astype(np.float32) * scales.astype(np.float32).take(block, axis)


def _array(tensor: onnx.TensorProto) -> np.ndarray:
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        raise _Fault(f"the weight {tensor.name}, which is kept in another file")
    try:
        return numpy_helper.to_array(tensor)
    except (ValueError, TypeError) as error:
        raise _Fault(f"the weight {tensor.name} with wrong sizes ({error})") from None
