"""Reading frozen TensorFlow graphs without TensorFlow."""

import subprocess
import sys

import numpy as np
import pytest
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.types_pb2 import DT_DOUBLE, DT_FLOAT, DT_INT64, DT_STRING

from weights_convert.errors import ConversionError
from weights_convert.readers import file_format
from weights_convert.readers.tensorflow_reader import read

WEIGHTS = np.arange(6.0, dtype=np.float32).reshape(2, 3)


def constant(graph, name, shape=(), dtype=DT_FLOAT, **values):
    node = graph.node.add(name=name, op="Const")
    tensor = node.attr["value"].tensor
    tensor.dtype = dtype
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    for field, value in values.items():
        if field == "tensor_content":
            tensor.tensor_content = value
        else:
            getattr(tensor, field).extend(value)


def variable(graph, name, *arguments, **values):
    constant(graph, name, *arguments, **values)
    graph.node.add(name=f"{name}/read", op="Identity", input=[name])


@pytest.fixture
def saved(tmp_path):
    def save(graph):
        path = tmp_path / "frozen.pb"
        path.write_bytes(graph.SerializeToString())
        return path

    return save


def test_variables_are_read_and_other_constants_are_not(saved):
    graph = GraphDef()
    graph.node.add(name="input", op="Placeholder")
    variable(graph, "net/conv/weights", (2, 3), tensor_content=WEIGHTS.tobytes())
    variable(graph, "net/wide", (2,), DT_DOUBLE, tensor_content=np.array([0.5, 2.0]).tobytes())
    variable(graph, "net/listed", (2,), float_val=[1.5, 2.5])
    variable(graph, "net/filled", (2, 2), float_val=[0.25])
    variable(graph, "net/step", (), DT_INT64, int64_val=[7])
    constant(graph, "net/axis", (1,), float_val=[3.0])
    graph.node.add(name="net/axis_copy", op="Identity", input=["net/axis"])
    path = saved(graph)
    assert file_format(path) == "tensorflow"
    arrays = read(path)
    expected = {
        "net/conv/weights": WEIGHTS,
        "net/wide": [0.5, 2.0],
        "net/listed": [1.5, 2.5],
        "net/filled": np.full((2, 2), 0.25),
        "net/step": 7.0,
    }
    assert list(arrays) == list(expected)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, expected[name])
        assert array.dtype == np.float32


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"shape": (10**6, 10**6), "float_val": [0.0]}, "more elements than the file has bytes"),
        ({"shape": (-1, 3), "float_val": [0.0]}, r"of the shape \(-1, 3\)"),
        ({"shape": (1,) * 33, "float_val": [0.0]}, "of the shape"),
        ({"shape": (2, 3), "tensor_content": b"12345678"}, "2.0 values in the variable 'a', 6"),
        ({"shape": (3,), "float_val": [1.0, 2.0]}, "2 values in the variable 'a', 3 are due"),
        ({"shape": (3,)}, "0 values in the variable 'a', 3 are due"),
        ({"dtype": DT_STRING, "string_val": [b"x"]}, "which holds no plain numbers"),
    ],
)
def test_a_variable_that_is_none_is_refused(saved, arguments, found):
    graph = GraphDef()
    variable(graph, "a", **arguments)
    with pytest.raises(ConversionError, match=found):
        read(saved(graph))


def test_a_name_that_is_there_twice_is_refused(saved):
    graph = GraphDef()
    variable(graph, "a", (), float_val=[1.0])
    constant(graph, "a", (), float_val=[2.0])
    with pytest.raises(ConversionError, match="two variables called 'a'"):
        read(saved(graph))


def test_a_graph_that_is_not_frozen_is_refused(saved):
    graph = GraphDef()
    graph.node.add(name="weights", op="VariableV2")
    graph.node.add(name="weights/read", op="Identity", input=["weights"])
    with pytest.raises(ConversionError, match="a graph of 2 nodes, none of them a frozen variable"):
        read(saved(graph))


def test_a_damaged_file_is_refused(saved):
    graph = GraphDef()
    variable(graph, "a", (2, 3), tensor_content=WEIGHTS.tobytes())
    path = saved(graph)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ConversionError, match=r"frozen\.pb: found no readable GraphDef"):
        read(path)


def test_the_reader_needs_no_tensorflow():
    code = "import sys; import weights_convert; print('tensorflow' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"
