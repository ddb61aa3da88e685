"""ONNX graphs whose shapes are computed of their input's."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.onnx_graphs import graph_file
from weights_convert.readers.onnx_reader import read


def _flattening(tmp_path, first, shape):
    """Images of 2x3 values become rows, by sizes that are computed of the batch's."""
    nodes = [
        helper.make_node("Shape", ["data"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["batch"]),
        helper.make_node("Gather", ["shape", "one"], ["rows"]),
        helper.make_node("Mul", ["rows", "three"], ["values"]),
        helper.make_node("Unsqueeze", ["batch", "axes"], ["first"]),
        helper.make_node("Unsqueeze", ["values", "axes"], ["second"]),
        helper.make_node("Concat", ["first", "second"], ["wanted"], axis=0),
        helper.make_node("Cast", ["data"], ["same"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["same", "wanted"], ["flat"]),
        helper.make_node("Cast", ["flat"], ["half"], to=TensorProto.FLOAT16),
        helper.make_node("Cast", ["half"], ["result"], to=TensorProto.FLOAT),
    ]
    tensors = [
        numpy_helper.from_array(np.int64(value), name)
        for name, value in (("zero", 0), ("one", 1), ("three", 3), ("axes", [0]))
    ]
    return read(graph_file(tmp_path, nodes, tensors, shape=[first, *shape]))


@pytest.mark.parametrize("first", ["batch_size", None, 1])
def test_what_is_computed_of_sizes_is_resolved_for_one_image(tmp_path, first):
    found = _flattening(tmp_path, first, [2, 3])
    np.testing.assert_array_equal(found["Reshape_0.shape"], [1, 6])
    assert {name for name in found if name.startswith("operators.")} == {
        *("operators.Reshape", "operators.Cast")
    }
    assert found["operators.Cast"] == 2  # the one that changes nothing is none


def test_sizes_that_nobody_knows_stay_nodes(tmp_path):
    found = _flattening(tmp_path, 1, ["rows", 3])
    assert found["operators.Shape"] == found["operators.Concat"] == 1
    assert "Reshape_0.shape" not in found


def test_nothing_is_computed_of_weights(tmp_path):
    many = numpy_helper.from_array(np.ones(1000, np.int64), "many")
    nodes = [
        helper.make_node("Shape", ["many"], ["size"]),
        helper.make_node("Add", ["size", "many"], ["sum"]),
        helper.make_node("Mul", ["many", "many"], ["product"]),
        helper.make_node("Add", ["sum", "product"], ["result"]),
    ]
    found = read(graph_file(tmp_path, nodes, [many]))
    assert (found["operators.Add"], found["operators.Mul"]) == (2, 1)
    assert "operators.Shape" not in found
