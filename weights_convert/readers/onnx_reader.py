"""Reads the weights of ONNX graphs; nothing of a graph is run but what rearranges its weights."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, checker, defs, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from weights_convert.readers.fault import Fault, reading
from weights_convert.readers.onnx_shapes import Shapes, is_size

# They change no value that a quantised or stored weight has, but its layout or type.
_RESOLVED = {
    *("Identity", "Cast", "DequantizeLinear"),
    *("Reshape", "Squeeze", "Transpose", "Unsqueeze"),
}
# What exporters compute with the sizes of values, where a batch has no fixed one.
_OF_SIZES = {"Add", "Concat", "Div", "Gather", "Mul", "Slice", "Sub"}
# Defaults that ONNX states in prose alone, one number for each axis.
_DEFAULTS = {"strides": 1, "dilations": 1, "pads": 0}
# Attributes that change nothing: (operator, name) -> why.
_IDLE = {
    ("BatchNormalization", "momentum"): "used in training alone",
    ("Conv", "kernel_shape"): "said by the shape of W",
}
_MOST_RESOLVED = 32  # bytes, for each byte of the file; int8 that becomes float32 takes 4


def read(path: Path) -> dict[str, np.ndarray]:
    """The constants of a graph, named after the nodes that use them, and its structure.

    For every node, in the order of the file, `{operator}_{n}` being the nth of its operator from 0:

    - `{operator}_{n}.{input}`: each input that is a constant, under the name that the newest
      version of ONNX gives to it (`Conv_0.W`, `Gemm_0.B`, `PRelu_3.slope`);
    - `{operator}_{n}.{attribute}`: each attribute that is not at ONNX's default and takes part in
      inference (`Conv_0.strides`, `Gemm_0.transB`, `BatchNormalization_0.epsilon`).

    And `operators.{operator}`: how many nodes there are of it.

    A constant is stored in the graph or is made of such, by nodes that rearrange or dequantise, or
    is computed of the sizes that values have for one image; these nodes are resolved: they neither
    count nor appear, nor do casts to the type that a value has. What is no integer is given in
    float32.

    Raises:
      ConversionError: the file is no ONNX graph, is damaged, keeps weights in other files, or has
        an operator that ONNX does not define.
    """
    with reading(path, "an ONNX graph with all its weights inside"):
        return dict(_named(path))


def _named(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    model = _parse(path)
    versions = {_domain(entry.domain): entry.version for entry in model.opset_import}
    constants = {tensor.name: _array(tensor) for tensor in model.graph.initializer}
    left = _MOST_RESOLVED * model.ByteSize()
    counts: Counter[str] = Counter()
    shapes, sizes = Shapes(model, versions), set()  # of values; constants that are computed of them
    for name, array in constants.items():
        shapes.constant(name, array)
    for node in model.graph.node:
        operator, output = node.op_type, node.output[0]
        if operator == "Constant" and node.attribute[0].name != "sparse_value":
            constants[output] = _stored(node.attribute[0])
        elif operator == "Shape" and not node.attribute and shapes.of(node.input[0]) is not None:
            constants[output] = np.array(shapes.of(node.input[0]), np.int64)
            sizes.add(output)
        elif _is_resolved(node, constants, sizes):
            constants[output] = _resolve(node, constants, versions[""])
            sizes |= {output} if sizes & {*node.input} else set()
            left -= constants[output].nbytes
            if left < 0:
                raise Fault(f"weights that grow without end, up to {output!r}")
        elif operator == "Cast" and shapes.element(node.input[0]) == _casts_to(node):
            shapes.same(output, node.input[0])
        else:
            name = f"{operator}_{counts[operator]}"
            counts[operator] += 1
            yield from _inputs(name, node, constants)
            yield from _attributes(name, node, versions[_domain(node.domain)])
            shapes.after(node, _domain(node.domain), constants)
        if output in constants:
            shapes.constant(output, constants[output])
    for operator, count in counts.items():
        yield f"operators.{operator}", np.array(count)


def _is_resolved(node, constants, sizes) -> bool:
    inputs = set(filter(None, node.input))
    if not constants.keys() >= inputs:
        return False
    if node.op_type in _OF_SIZES and sizes & inputs:
        return all(is_size(constants[name]) for name in inputs)
    return node.op_type in _RESOLVED


def _casts_to(node) -> int:
    return next(attribute.i for attribute in node.attribute if attribute.name == "to")


def _inputs(name, node, constants) -> Iterator[tuple[str, np.ndarray]]:
    formal = defs.get_schema(node.op_type, _domain(node.domain)).inputs
    for position, source in enumerate(node.input):
        if source not in constants:
            continue
        last = len(formal) - 1
        place = formal[min(position, last)].name
        if formal[last].option == defs.OpSchema.FormalParameterOption.Variadic and position >= last:
            place += f"_{position - last}"
        yield f"{name}.{place}", _computable(constants[source])


def _attributes(name, node, version) -> Iterator[tuple[str, np.ndarray]]:
    known = defs.get_schema(node.op_type, version, _domain(node.domain)).attributes
    for attribute in node.attribute:
        value = helper.get_attribute_value(attribute)
        default = known[attribute.name].default_value
        at_default = default.type and value == helper.get_attribute_value(default)
        at_default |= {*value} == {_DEFAULTS[attribute.name]} if attribute.name in _DEFAULTS else 0
        if not at_default and (node.op_type, attribute.name) not in _IDLE:
            yield f"{name}.{attribute.name}", np.asarray(value)


def _parse(path: Path) -> onnx.ModelProto:
    try:
        # Weights in other files would let a graph name any path of this machine.
        model = onnx.load(path, load_external_data=False)
    except DecodeError:
        raise Fault("no readable ONNX") from None
    tensors = [*model.graph.initializer]
    tensors += [attribute.t for node in model.graph.node for attribute in node.attribute]
    for tensor in tensors:
        if tensor.data_location == TensorProto.EXTERNAL:
            raise Fault(f"the weight {tensor.name!r}, which is kept in another file")
    if not model.graph.node or not model.opset_import:  # both are due; files end with the latter
        raise Fault("a graph without nodes or without its operators' version")
    if model.functions:
        raise Fault(f"the operator {model.functions[0].name}, which the graph defines itself")
    try:
        # Every operator is ONNX's, every input comes from before, no name is given twice.
        checker.check_model(model, check_custom_domain=True)
    except (checker.ValidationError, ValueError) as error:
        raise Fault(f"no valid ONNX ({' '.join(str(error).split())})") from None
    return model


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _resolve(node: onnx.NodeProto, constants: dict[str, np.ndarray], version: int) -> np.ndarray:
    """The output of a node all of whose inputs are constants."""
    feeds = {name: constants[name] for name in node.input if name}
    found = " and ".join(f"{name!r} of shape {array.shape}" for name, array in feeds.items())
    attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
    largest = max((side for array in feeds.values() for side in array.shape), default=0)
    if attributes.get("block_size", 0) > largest:  # it would be allocated
        raise Fault(f"{found} in blocks of {attributes['block_size']}")
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in feeds]
    outputs = [helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, None)]
    graph = helper.make_graph([node], "part", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])
    try:
        return np.asarray(ReferenceEvaluator(model).run(None, feeds)[0])
    except Exception as error:  # whatever NumPy says to values that do not fit
        raise Fault(f"{node.op_type} of {found}, which do not go together ({error})") from None


def _stored(attribute: onnx.AttributeProto) -> np.ndarray:
    if attribute.name == "value":
        return _array(attribute.t)
    return np.asarray(helper.get_attribute_value(attribute))


def _array(tensor: TensorProto) -> np.ndarray:
    try:
        return numpy_helper.to_array(tensor)
    except (ValueError, TypeError) as error:
        raise Fault(f"the weight {tensor.name!r} with wrong sizes ({error})") from None


def _computable(array: np.ndarray) -> np.ndarray:
    """In float32, unless it is of NumPy's own integers, truth values or texts."""
    return array if array.dtype.kind in "iubOS" else array.astype(np.float32)
