"""For every architecture, what becomes of each array in the file that its weights come from."""

from collections.abc import Iterator

import numpy as np

from tipim_jax.networks import Network, get
from tipim_jax.networks.dlib_resnet import LEVELS
from tipim_jax.networks.sface import BLOCKS
from weights_convert.fill import Table, Transform


def table(name: str) -> Table:
    """The table of the network called `name`; ValueError names the known ones."""
    network = get(name)
    return _TABLES[network.architecture](network)


# From their layouts to ours. A wrong number of axes is a ValueError, which `fill` reports.


def _same(array: np.ndarray) -> np.ndarray:
    return array


def _linear(array: np.ndarray) -> np.ndarray:
    """(out, in) -> (in, out)."""
    return array.transpose(1, 0)


def _conv(array: np.ndarray) -> np.ndarray:
    """(out, in, k, k) -> (k, k, in, out)."""
    return array.transpose(2, 3, 1, 0)


def _pointwise(array: np.ndarray) -> np.ndarray:
    """(out, in, 1, 1) -> (in, out)."""
    return _linear(array.squeeze((2, 3)))


def _depthwise(array: np.ndarray) -> np.ndarray:
    """(channels, 1, k, k) -> (k, k, channels)."""
    return array.squeeze(1).transpose(1, 2, 0)


def _slopes(array: np.ndarray) -> np.ndarray:
    """(channels, 1, 1) -> (channels,)."""
    return array.squeeze((1, 2))


def _flattened(height: int, width: int) -> Transform:
    """(out, channels * height * width) -> (height * width * channels, out)."""

    def transform(array: np.ndarray) -> np.ndarray:
        maps = array.reshape(array.shape[0], -1, height, width)
        return _linear(maps.transpose(0, 2, 3, 1).reshape(array.shape[0], -1))

    return transform


Weights = Iterator[tuple[str, tuple[str, Transform]]]


def _mobilefacenet(network: Network) -> Table:
    return Table(weights=dict(_mobilefacenet_weights()))


def _mobilefacenet_weights() -> Weights:
    yield from _torch_unit("conv1", "stem", _conv)
    yield from _torch_unit("conv2_dw", "stem_depthwise", _depthwise)
    blocks = [("conv_23", "down2"), ("conv_34", "down3"), ("conv_45", "down4")]
    for theirs, ours, count in [
        ("conv_3", "stage2", 4),
        ("conv_4", "stage3", 6),
        ("conv_5", "stage4", 2),
    ]:
        blocks += [(f"{theirs}.model.{index}", f"{ours}_{index}") for index in range(count)]
    for theirs, ours in blocks:
        yield from _torch_unit(f"{theirs}.conv", f"{ours}/expand", _pointwise)
        yield from _torch_unit(f"{theirs}.conv_dw", f"{ours}/depthwise", _depthwise)
        yield from _torch_unit(f"{theirs}.project", f"{ours}/project", _pointwise, prelu=False)
    yield from _torch_unit("conv_6_sep", "head_expand", _pointwise)
    yield from _torch_unit("conv_6_dw", "head_depthwise", _depthwise, prelu=False)
    yield "linear.weight", ("params/head_linear/conv/kernel", _linear)
    yield from _torch_norm("bn", "head_linear/norm")


def _torch_unit(theirs: str, ours: str, transform: Transform, prelu: bool = True) -> Weights:
    yield f"{theirs}.conv.weight", (f"params/{ours}/conv/kernel", transform)
    yield from _torch_norm(f"{theirs}.bn", f"{ours}/norm")
    if prelu:
        yield f"{theirs}.prelu.weight", (f"params/{ours}/prelu/slope", _same)


def _torch_norm(theirs: str, ours: str) -> Weights:
    yield f"{theirs}.weight", (f"params/{ours}/scale", _same)
    yield f"{theirs}.bias", (f"params/{ours}/bias", _same)
    yield f"{theirs}.running_mean", (f"batch_stats/{ours}/mean", _same)
    yield f"{theirs}.running_var", (f"batch_stats/{ours}/var", _same)


def _sface(network: Network) -> Table:
    return Table(
        weights=dict(_sface_weights()),
        constants={
            "scalar_op1": np.asarray(network.mean[:1]),
            "scalar_op2": 1 / np.asarray(network.std[:1]),
        },
    )


def _sface_weights() -> Weights:
    units = [("conv_1", _conv)]
    for index in range(2, 2 + len(BLOCKS)):
        units += [(f"conv_{index}_dw", _depthwise), (f"conv_{index}", _pointwise)]
    for unit, transform in units:
        yield f"{unit}_conv2d_weight", (f"params/{unit}/conv/kernel", transform)
        yield from _onnx_norm(f"{unit}_batchnorm", f"{unit}/norm")
        yield f"{unit}_relu_gamma", (f"params/{unit}/prelu/slope", _slopes)
    yield from _onnx_norm("bn1", "head_norm")
    yield "pre_fc1_weight", ("params/head_linear/kernel", _flattened(7, 7))
    yield "pre_fc1_bias", ("params/head_bias", _same)
    yield from _onnx_norm("fc1", "embedding_norm")


def _onnx_norm(theirs: str, ours: str) -> Weights:
    yield f"{theirs}_gamma", (f"params/{ours}/scale", _same)
    yield f"{theirs}_beta", (f"params/{ours}/bias", _same)
    yield f"{theirs}_moving_mean", (f"batch_stats/{ours}/mean", _same)
    yield f"{theirs}_moving_var", (f"batch_stats/{ours}/var", _same)


def _dlib(network: Network) -> Table:
    return Table(
        weights=dict(_dlib_weights()),
        constants={
            "input.average_rgb": np.asarray(network.mean),
            "input.size": np.asarray(network.input_size),
        },
    )


def _dlib_weights() -> Weights:
    # The reader numbers the layers of each kind from the image to the embedding.
    units = ["stem"]
    for level, (_, blocks, _) in enumerate(LEVELS):
        for block in range(blocks):
            units += [f"level{level}_{block}/first", f"level{level}_{block}/second"]
    for index, unit in enumerate(units, start=1):
        yield f"con_{index}.filters", (f"params/{unit}/conv/kernel", _conv)
        yield f"con_{index}.biases", (f"params/{unit}/bias", _same)
        yield f"affine_{index}.gamma", (f"params/{unit}/affine/scale", _same)
        yield f"affine_{index}.beta", (f"params/{unit}/affine/bias", _same)
    yield "fc_1.weights", ("params/head/kernel", _same)


_TABLES = {"MobileFaceNet": _mobilefacenet, "SFace": _sface, "DlibResNet": _dlib}
