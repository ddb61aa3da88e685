"""The reader of ONNX files: weights by the nodes that use them, and no file surprises it."""

import jax
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.onnx_graphs import graph_file
from tipim_jax.networks import get
from weights_convert import ConversionError, obtain
from weights_convert.fill import fill
from weights_convert.readers.onnx_reader import read
from weights_convert.tables.onnx_walk import Walk

STRUCTURE = {"Gemm_0.transB": 1, "operators.Gemm": 1}


def test_constants_are_named_after_the_nodes_and_the_newest_names_of_their_inputs(tmp_path):
    ones = numpy_helper.from_array(np.ones(2, np.float32), "ones")
    weights = numpy_helper.from_array(np.ones((2, 2, 1, 1), np.float32), "weights")
    nodes = [
        helper.make_node("Conv", ["data", "weights"], ["a"], strides=[1, 1], pads=[0, 1, 0, 1]),
        helper.make_node("BatchNormalization", ["a", *["ones"] * 4], ["b"], epsilon=1e-5),
        helper.make_node("Conv", ["b", "weights", "ones"], ["c"], kernel_shape=[1, 1]),
        helper.make_node("Concat", ["c", "ones", "a"], ["result"], axis=1),
    ]
    # Before version 14, the statistics were called mean and var.
    found = read(graph_file(tmp_path, nodes, [ones, weights], version=11))
    normalisation = [f"BatchNormalization_0.{n}" for n in ("scale", "B", "input_mean", "input_var")]
    assert [*found] == [
        *("Conv_0.W", "Conv_0.pads", *normalisation, "Conv_1.W", "Conv_1.B"),
        *("Concat_0.inputs_1", "Concat_0.axis"),
        *("operators.Conv", "operators.BatchNormalization", "operators.Concat"),
    ]
    assert found["operators.Conv"] == 2
    np.testing.assert_array_equal(found["Conv_0.pads"], [0, 1, 0, 1])


def test_nodes_that_rearrange_constants_are_resolved(tmp_path):
    array = np.float16([[1, 2, 3], [4, 5, 6]])
    nodes = [
        helper.make_node("Constant", [], ["stored"], value=numpy_helper.from_array(array)),
        helper.make_node("Transpose", ["stored"], ["transposed"], perm=[1, 0]),
        helper.make_node("Identity", ["transposed"], ["same"]),
        helper.make_node("Cast", ["same"], ["weight"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["data"], ["turned"], perm=[1, 0]),
        helper.make_node("MatMul", ["turned", "weight"], ["result"]),
    ]
    found = read(graph_file(tmp_path, nodes, []))
    assert [*found] == [
        *("Transpose_0.perm", "MatMul_0.B", "operators.Transpose", "operators.MatMul")
    ]
    np.testing.assert_array_equal(found["MatMul_0.B"], np.float32(array.T), strict=True)


def test_half_precision_becomes_single(tmp_path):
    nodes, tensors = _blocked()
    tensors[-1] = numpy_helper.from_array(np.float16([1, 2]), "bias")
    found = read(graph_file(tmp_path, nodes, tensors))
    np.testing.assert_array_equal(found["Gemm_0.C"], np.float32([1, 2]), strict=True)


def test_blocks_are_dequantised_as_by_hand(tmp_path):
    found = read(graph_file(tmp_path, *_blocked()))
    # Blocks of 2 along axis 1, the last one of 1: (q - zero point) * scale.
    by_hand = [
        [(1 - 0) * 0.5, (2 - 0) * 0.5, (3 - 1) * 2, (-128 - 1) * 2, (127 - -1) * 0.25],
        [(0 - 5) * 1, (5 - 5) * 1, (1 - 0) * 3, (-1 - 0) * 3, (4 - 4) * 9],
    ]
    assert found.keys() == {"Gemm_0.B", "Gemm_0.C"} | STRUCTURE.keys()
    np.testing.assert_array_equal(found["Gemm_0.B"], np.float32(by_hand), strict=True)
    np.testing.assert_array_equal(found["Gemm_0.C"], np.float32([1, 2]), strict=True)


def test_reshape_after_dequantisation_is_applied(tmp_path):
    nodes, tensors = _blocked()
    nodes.insert(1, helper.make_node("Reshape", ["weight_dequantized", "shape"], ["reshaped"]))
    tensors.append(numpy_helper.from_array(np.int64([5, -1]), "shape"))
    nodes[-1].input[1] = "reshaped"
    flat = read(graph_file(tmp_path, *_blocked()))["Gemm_0.B"]
    found = read(graph_file(tmp_path, nodes, tensors))
    assert found.keys() == {"Gemm_0.B", "Gemm_0.C"} | STRUCTURE.keys()
    np.testing.assert_array_equal(found["Gemm_0.B"], flat.reshape(5, 2), strict=True)


def test_weight_that_is_also_a_graph_input_is_read(tmp_path):
    found = read(graph_file(tmp_path, *_blocked(), inputs=("bias", "weight")))
    np.testing.assert_array_equal(found["Gemm_0.C"], [1, 2])


def test_real_weights_are_dequantised():
    path = obtain(get("sface").weights)
    found = read(path)
    graph = onnx.load(path).graph
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    kernels = [name for name in stored if name.endswith("conv2d_weight_quantized")]
    assert len(kernels) == found["operators.Conv"] == 27
    layers = [node.output[0] for node in graph.node if node.op_type == "Conv"]
    for index, layer in enumerate(layers):
        (node,) = (n for n in graph.node if f"{layer}_weight_quantized" in n.input)
        settings = {entry.name: entry.i for entry in node.attribute}
        quantised, scales, zero_points = (stored[name] for name in node.input)
        block = np.arange(quantised.shape[settings["axis"]]) // settings["block_size"]
        scales, zero_points = (a.take(block, settings["axis"]) for a in (scales, zero_points))
        expected = (quantised.astype(np.float32) - zero_points) * scales
        array = found[f"Conv_{index}.W"]
        np.testing.assert_array_equal(array, expected.reshape(array.shape), strict=True)


def test_graph_of_another_structure_is_a_fault(tmp_path):
    walk = Walk()
    walk.node("Gemm", {"transB": 1}, B="kernel", C="bias")
    wanted = {"kernel": jax.ShapeDtypeStruct((2, 5), np.float32)}
    wanted["bias"] = jax.ShapeDtypeStruct((2,), np.float32)
    nodes, tensors = _blocked()
    filled = fill(wanted, read(graph_file(tmp_path, nodes, tensors)), walk.table())
    np.testing.assert_array_equal(filled["bias"], [1, 2])
    nodes[-1].attribute.append(helper.make_attribute("alpha", 2.0))
    with pytest.raises(ConversionError, match=r"Gemm_0\.alpha: in the file, but nothing uses it"):
        fill(wanted, read(graph_file(tmp_path, nodes, tensors)), walk.table())
    del nodes[-1].attribute[-1]
    nodes[-1].output[0] = "product"
    nodes.append(helper.make_node("Relu", ["product"], ["result"]))
    with pytest.raises(ConversionError, match=r"operators\.Relu: in the file, but nothing uses it"):
        fill(wanted, read(graph_file(tmp_path, nodes, tensors)), walk.table())
    nodes[-1] = helper.make_node("Gemm", ["product", "weight_dequantized"], ["result"])
    with pytest.raises(ConversionError, match=r"operators\.Gemm: is 2, expected 1"):
        fill(wanted, read(graph_file(tmp_path, nodes, tensors)), walk.table())


@pytest.mark.parametrize(
    ("attributes", "shape", "match"),
    [
        ({"axis": 1, "block_size": 2}, (2, 2), r"'weight_scales' of shape \(2, 2\)"),
        ({"axis": 0, "block_size": 2}, (2, 3), "which do not go together"),
        ({"axis": 7, "block_size": 2}, (2, 3), "which do not go together"),
        ({"axis": 1, "block_size": 2**40}, (2, 3), f"in blocks of {2**40}"),
        ({"axis": 1}, (2, 3), "which do not go together"),
    ],
)
def test_scales_that_do_not_go_with_the_blocks_are_refused(attributes, shape, match, tmp_path):
    nodes, tensors = _blocked()
    tensors[1] = numpy_helper.from_array(np.ones(shape, np.float32), "weight_scales")
    del nodes[0].attribute[:]
    nodes[0].attribute.extend(helper.make_attribute(k, v) for k, v in attributes.items())
    with pytest.raises(ConversionError, match=match):
        read(graph_file(tmp_path, nodes, tensors))


def test_scales_that_are_not_stored_are_refused(tmp_path):
    nodes, tensors = _blocked()
    del tensors[1]
    with pytest.raises(ConversionError, match="weight_scales"):
        read(graph_file(tmp_path, nodes, tensors))


def test_weights_kept_in_another_file_are_refused_and_not_read(tmp_path):
    nodes, tensors = _blocked()
    bias = tensors[-1]
    (tmp_path / "secret").write_bytes(bias.raw_data)
    bias.ClearField("raw_data")
    bias.data_location = TensorProto.EXTERNAL
    bias.external_data.add(key="location", value="secret")
    with pytest.raises(ConversionError, match="'bias', which is kept in another file"):
        read(graph_file(tmp_path, nodes, tensors))
    nodes.insert(0, helper.make_node("Constant", [], ["bias"], value=tensors.pop()))
    with pytest.raises(ConversionError, match="'bias', which is kept in another file"):
        read(graph_file(tmp_path, nodes, tensors))


def test_stored_weight_with_fewer_numbers_than_its_shape_is_refused(tmp_path):
    nodes, tensors = _blocked()
    tensors[-1].dims[:] = [2**40]
    with pytest.raises(ConversionError, match="bias"):
        read(graph_file(tmp_path, nodes, tensors))


def test_weights_that_grow_without_end_are_refused(tmp_path):
    nodes = [
        helper.make_node("Cast", [f"weight{i}"], [f"weight{i + 1}"], to=TensorProto.DOUBLE)
        for i in range(40)
    ]
    nodes.append(helper.make_node("MatMul", ["data", "weight40"], ["result"]))
    tensors = [numpy_helper.from_array(np.zeros((100, 100), np.int8), "weight0")]
    with pytest.raises(ConversionError, match="weights that grow without end"):
        read(graph_file(tmp_path, nodes, tensors))


@pytest.mark.parametrize(
    ("node", "match"),
    [
        (helper.make_node("Conqueror", ["data"], ["more"]), "Conqueror"),
        (helper.make_node("Gelu", ["data"], ["more"], domain="com.microsoft"), "com.microsoft"),
        (helper.make_node("Relu", ["absent"], ["more"]), "absent"),
        (helper.make_node("Relu", ["more"], ["more"]), "more"),
        (helper.make_node("Relu", ["data"], ["bias"]), "bias"),
        (helper.make_node("Relu", ["data"], ["more"], alpha=1.0), "alpha"),
    ],
    ids=["unknown", "another-domain", "missing-input", "cycle", "name-twice", "unknown-attribute"],
)
def test_graph_that_is_no_valid_onnx_is_refused(node, match, tmp_path):
    nodes, tensors = _blocked()
    with pytest.raises(ConversionError, match=f"no valid ONNX.*{match}"):
        read(graph_file(tmp_path, [node, *nodes], tensors))


def test_operators_that_the_graph_defines_itself_are_refused(tmp_path):
    path = graph_file(tmp_path, *_blocked())
    model = onnx.load(path)
    relu = helper.make_node("Relu", ["x"], ["y"])
    versions = [helper.make_opsetid("", 21)]
    model.functions.append(helper.make_function("", "Gemm", ["x"], ["y"], [relu], versions))
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ConversionError, match="the operator Gemm, which the graph defines itself"):
        read(path)


def test_every_truncation_is_one_error(tmp_path):
    whole = graph_file(tmp_path, *_blocked()).read_bytes()
    path = tmp_path / "cut.onnx"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ConversionError, match=r"cut\.onnx: found .* get it again"):
            read(path)


def test_every_damaged_byte_gives_arrays_or_one_error(tmp_path):
    whole = graph_file(tmp_path, *_blocked()).read_bytes()
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
