"""ONNX files: published ones, PyTorch's own, and what onnxruntime makes of them."""

import os
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper, shape_inference
from torch import nn

from tipim_jax.networks import get
from weights_convert import obtain


def published(name: str) -> Path:
    """The file of the network called `name`; skips the test where nobody accepted its licence."""
    accepted = os.environ.get("TIPIM_JAX_ACCEPT_LICENCES", "").split(",")
    if get(name).non_commercial and name not in accepted:
        pytest.skip(
            f"{name} is for research alone ({get(name).licence}); with "
            f"TIPIM_JAX_ACCEPT_LICENCES={name} you accept that"
        )
    return obtain(get(name).weights)


def export(module: nn.Module, path: Path) -> Path:
    """Writes the network for one 112x112 image as the published files were written, to `path`."""
    with warnings.catch_warnings():  # there is a newer exporter, which folds other things
        warnings.simplefilter("ignore", DeprecationWarning)
        image = torch.zeros(1, 3, 112, 112)
        torch.onnx.export(module, (image,), path, opset_version=11, dynamo=False)
    model = shape_inference.infer_shapes(onnx.load(path))
    _fold_shapes(model.graph)
    path.write_bytes(model.SerializeToString())
    return path


def _fold_shapes(graph: onnx.GraphProto) -> None:
    """Replaces what is computed from shapes alone by its value, as onnx-simplifier does."""
    values = {
        value.name: [side.dim_value for side in value.type.tensor_type.shape.dim]
        for value in graph.value_info
    }
    constants = {}
    for node in list(graph.node):
        if node.op_type == "Shape":
            constants[node.output[0]] = np.array(values[node.input[0]])
        elif node.op_type == "Constant":
            constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
            continue
        elif constants.keys() >= {*node.input}:
            operate = {"Gather": np.take, "Add": np.add, "Div": np.floor_divide, "Mul": np.multiply}
            result = operate[node.op_type](*(constants[name] for name in node.input))
            constants[node.output[0]] = result
        else:
            continue
        graph.node.remove(node)
        graph.initializer.append(numpy_helper.from_array(constants[node.output[0]], node.output[0]))


def run(path: Path, images: np.ndarray) -> np.ndarray:
    """The outputs of a graph for NCHW images, one at a time."""
    model = onnx.load(path)
    # In sface's file, weights that were quantised are still listed as inputs, which nothing reads.
    read = {name for node in model.graph.node for name in node.input}
    for entry in [entry for entry in model.graph.input if entry.name not in read]:
        model.graph.input.remove(entry)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns once for each weight that is listed as an input
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    name = model.graph.input[0].name
    return np.concatenate([session.run(None, {name: image[None]})[0] for image in images])
