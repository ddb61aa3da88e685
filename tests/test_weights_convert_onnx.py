"""The reader of ONNX files: dequantised weights are what ONNX defines, and no file surprises it."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from tipim_jax.networks import get
from weights_convert import ConversionError, obtain
from weights_convert.onnx_reader import read


def test_blocks_are_dequantised_as_by_hand_and_take_their_original_name(tmp_path):
    found = read(_graph(tmp_path, *_blocked()))
    # Blocks of 2 along axis 1, the last one of 1: (q - zero point) * scale.
    by_hand = [
        [(1 - 0) * 0.5, (2 - 0) * 0.5, (3 - 1) * 2, (-128 - 1) * 2, (127 - -1) * 0.25],
        [(0 - 5) * 1, (5 - 5) * 1, (1 - 0) * 3, (-1 - 0) * 3, (4 - 4) * 9],
    ]
    assert list(found) == ["bias", "weight"]
    np.testing.assert_array_equal(found["weight"], np.float32(by_hand), strict=True)
    np.testing.assert_array_equal(found["bias"], np.float32([1, 2]), strict=True)


def test_reshape_after_dequantisation_is_applied(tmp_path):
    nodes, tensors = _blocked()
    nodes.insert(1, helper.make_node("Reshape", ["weight_dequantized", "shape"], ["reshaped"]))
    tensors.append(numpy_helper.from_array(np.int64([5, 1, 2]), "shape"))
    nodes[-1].input[1] = "reshaped"
    flat = read(_graph(tmp_path, *_blocked()))["weight"]
    found = read(_graph(tmp_path, nodes, tensors))
    assert list(found) == ["bias", "weight"]
    np.testing.assert_array_equal(found["weight"], flat.reshape(5, 1, 2), strict=True)


def test_weight_that_is_also_a_graph_input_is_read(tmp_path):
    found = read(_graph(tmp_path, *_blocked(), inputs=("bias", "weight")))
    assert list(found) == ["bias", "weight"]


def test_real_weights_are_dequantised_as_onnx_defines_it():
    path = obtain(get("sface").weights)
    found = read(path)
    graph = onnx.load(path).graph
    nodes = [n for n in graph.node if n.op_type in ("DequantizeLinear", "Reshape")]
    assert len(nodes) == 29 + 27  # weights; those that are reshaped
    ends = {n.input[0]: n.output[0] for n in nodes}
    outputs = {name: ends.get(end, end) for name, end in ends.items() if "_quantized" in name}
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs.values()]
    part = helper.make_graph(nodes, "weights", [], values, list(graph.initializer))
    model = helper.make_model(part, opset_imports=[helper.make_opsetid("", 21)])
    for name, expected in zip(outputs, ReferenceEvaluator(model).run(None, {}), strict=True):
        array = found.pop(name.removesuffix("_quantized"))
        np.testing.assert_array_equal(array, expected, err_msg=name, strict=True)
    stored = {t.name: t for t in graph.initializer if t.data_type == TensorProto.FLOAT}
    stored = {name: t for name, t in stored.items() if not name.endswith("_scales")}
    assert found.keys() == stored.keys()
    for name, array in found.items():
        np.testing.assert_array_equal(array, numpy_helper.to_array(stored[name]), strict=True)


@pytest.mark.parametrize(
    ("attributes", "shape", "match"),
    [
        ({"axis": 1, "block_size": 2}, (2, 2), r"scales of shape \(2, 2\)"),
        ({"axis": 0, "block_size": 2}, (2, 3), r"scales of shape \(2, 3\)"),
        ({"axis": 7, "block_size": 2}, (2, 3), "axis 7"),
        ({"axis": 1}, (2, 3), "in blocks of 0"),
    ],
)
def test_scales_that_do_not_go_with_the_blocks_are_refused(attributes, shape, match, tmp_path):
    nodes, tensors = _blocked()
    tensors[1] = numpy_helper.from_array(np.ones(shape, np.float32), "weight_scales")
    del nodes[0].attribute[:]
    nodes[0].attribute.extend(helper.make_attribute(k, v) for k, v in attributes.items())
    with pytest.raises(ConversionError, match=match):
        read(_graph(tmp_path, nodes, tensors))


def test_scales_that_are_not_stored_are_refused(tmp_path):
    nodes, tensors = _blocked()
    del tensors[1]
    with pytest.raises(ConversionError, match="weight_scales"):
        read(_graph(tmp_path, nodes, tensors))


def test_weights_kept_in_another_file_are_refused_and_not_read(tmp_path):
    nodes, tensors = _blocked()
    bias = tensors[-1]
    (tmp_path / "secret").write_bytes(bias.raw_data)
    bias.ClearField("raw_data")
    bias.data_location = TensorProto.EXTERNAL
    bias.external_data.add(key="location", value="secret")
    with pytest.raises(ConversionError, match="bias, which is kept in another file"):
        read(_graph(tmp_path, nodes, tensors))


def test_stored_weight_with_fewer_numbers_than_its_shape_is_refused(tmp_path):
    nodes, tensors = _blocked()
    tensors[-1].dims[:] = [2**40]
    with pytest.raises(ConversionError, match="bias with wrong sizes"):
        read(_graph(tmp_path, nodes, tensors))


def test_every_truncation_is_one_error(tmp_path):
    whole = _graph(tmp_path, *_blocked()).read_bytes()
    path = tmp_path / "cut.onnx"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ConversionError, match=r"cut\.onnx: found .* get it again"):
            read(path)


def test_every_damaged_byte_gives_arrays_or_one_error(tmp_path):
    whole = _graph(tmp_path, *_blocked()).read_bytes()
    path = tmp_path / "damaged.onnx"
    refused = 0
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        try:
            read(path)
        except ConversionError:
            refused += 1
    assert refused > len(whole) / 4


def _blocked():
    """The nodes and the stored tensors of a matrix product with a block-quantised matrix."""
    quantised = np.int8([[1, 2, 3, -128, 127], [0, 5, 1, -1, 4]])
    scales = np.float32([[0.5, 2, 0.25], [1, 3, 9]])
    zero_points = np.int8([[0, 1, -1], [5, 0, 4]])
    names = ["weight_quantized", "weight_scales", "weight_zero_point"]
    nodes = [
        helper.make_node("DequantizeLinear", names, ["weight_dequantized"], axis=1, block_size=2),
        helper.make_node("Gemm", ["data", "weight_dequantized", "bias"], ["result"], transB=1),
    ]
    arrays = zip([quantised, scales, zero_points], names, strict=True)
    tensors = [numpy_helper.from_array(array, name) for array, name in arrays]
    return nodes, [*tensors, numpy_helper.from_array(np.float32([1, 2]), "bias")]


def _graph(folder, nodes, tensors, inputs=()):
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("data", *inputs)
    ]
    result = helper.make_tensor_value_info("result", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "graph", values, [result], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    path = folder / "graph.onnx"
    path.write_bytes(model.SerializeToString())
    return path
