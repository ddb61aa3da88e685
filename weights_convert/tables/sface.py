"""SFace: files and what becomes of each of their arrays."""

import numpy as np

from tipim_jax.networks import Network
from tipim_jax.networks.sface import BLOCKS, EPSILON, HEAD_EPSILON
from weights_convert.fill import Table, Transform
from weights_convert.tables.layouts import conv, depthwise, pointwise
from weights_convert.tables.onnx_walk import Walk


def tables(network: Network) -> tuple[Table, ...]:
    """OpenCV Zoo's ONNX file, block-quantised."""
    walk = Walk()

    def unit(ours: str, transform: Transform, **shape: int) -> None:
        walk.conv(f"params/{ours}/conv/kernel", transform, **shape)
        walk.batch_norm(f"{ours}/norm", EPSILON)
        walk.prelu(f"{ours}/prelu")

    walk.node("Sub", {"B": network.mean[:1]})
    walk.node("Mul", {"B": 1 / np.asarray(network.std[:1])})
    unit("conv_1", conv, padding=1)
    channels = 32
    for index, (features, stride) in enumerate(BLOCKS, start=2):
        unit(f"conv_{index}_dw", depthwise, stride=stride, padding=1, groups=channels)
        unit(f"conv_{index}", pointwise)
        channels = features
    walk.batch_norm("head_norm", HEAD_EPSILON)
    walk.node("Dropout", {"ratio": 0.4})  # of training alone
    walk.flatten_linear("head_linear", 7, 7)
    walk.batch_norm("embedding_norm", HEAD_EPSILON)
    return (walk.table(),)
