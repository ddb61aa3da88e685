"""ONNX files that are made for a test."""

from onnx import TensorProto, helper


def graph_file(folder, nodes, tensors, inputs=(), version=21, shape=()):
    values = [
        helper.make_tensor_value_info("data", TensorProto.FLOAT, shape),
        *(helper.make_tensor_value_info(name, TensorProto.FLOAT, []) for name in inputs),
    ]
    result = helper.make_tensor_value_info("result", TensorProto.FLOAT, [])
    graph = helper.make_graph(nodes, "graph", values, [result], tensors)
    model = helper.make_model(
        graph, ir_version=10, opset_imports=[helper.make_opsetid("", version)]
    )
    path = folder / "graph.onnx"
    path.write_bytes(model.SerializeToString())
    return path
