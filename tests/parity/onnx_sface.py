"""SFace in onnxruntime, from the very file that our weights are converted from."""

import numpy as np
import onnx
import onnxruntime

from tipim_jax import networks
from weights_convert import obtain


def embed(pixels: np.ndarray) -> np.ndarray:
    """Raw embeddings of NCHW crops in [0, 255]."""
    model = onnx.load(obtain(networks.get("sface").weights))
    # Weights that were quantised are still listed as inputs, which nothing reads.
    read = {name for node in model.graph.node for name in node.input}
    for entry in [entry for entry in model.graph.input if entry.name not in read]:
        model.graph.input.remove(entry)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns once for each weight that is listed as an input
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return np.concatenate([session.run(None, {"data": one[None]})[0] for one in pixels])
