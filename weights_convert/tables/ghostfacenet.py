"""GhostFaceNet: files and what becomes of each of their arrays."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from tipim_jax.networks import Network
from tipim_jax.networks.ghostfacenet import BLOCKS, STEM, changes_shape
from weights_convert.fill import Table
from weights_convert.tables.counted import counted
from weights_convert.tables.layouts import (
    COUNTERS,
    Weights,
    conv,
    depthwise,
    pointwise,
    same,
    tensorflow_kernel,
    torch_norm,
)

_NAMED = {
    "GDC_dw": "whole_conv",
    "GDC_batchnorm": "whole_norm",
    "GDC_conv": "linear",
    "pre_embedding": "norm",
}


class _Layer(NamedTuple):
    """What one layer is called here and in PyTorch; its kind is what Keras counts it among."""

    kind: str
    torch: str
    ours: str
    bias: bool = False


def tables(network: Network) -> tuple[Table, ...]:
    """The authors' Keras files, which DeepFace took over, and DeepFace's own of PyTorch."""
    rename = partial(counted, named=tuple(_NAMED))
    return (
        Table("keras", dict(_keras_weights()), renamed=rename),
        Table("torch", dict(_torch_weights()), ignored=COUNTERS),
    )


def _layers() -> Iterator[_Layer]:
    """In the order in which the authors' code makes them, which Keras counts by."""
    yield from _unit("conv", "stem", "stem", active=True)
    before = STEM
    for index, (_, stride, _, features, squeezed) in enumerate(BLOCKS):
        theirs, ours = f"bottlenecks.{index}", f"block{index}"
        yield from _ghost(f"{theirs}.ghost_1", f"{ours}/expand", active=True)
        if stride > 1:
            yield from _unit("depthwise", f"{theirs}.downsample", f"{ours}/reduce")
        if squeezed:
            yield _Layer("conv", f"{theirs}.se.reduce", f"{ours}/weigh/squeeze", bias=True)
            yield _Layer("prelu", f"{theirs}.se.prelu", f"{ours}/weigh/prelu")
            yield _Layer("conv", f"{theirs}.se.expand", f"{ours}/weigh/excite", bias=True)
        yield from _ghost(f"{theirs}.ghost_2", f"{ours}/project", active=False)
        if changes_shape(before, stride, features):
            shortcut = f"{theirs}.shortcut"
            yield from _unit("depthwise", f"{shortcut}.0", f"{ours}/shortcut_reduce")
            yield from _unit("conv", f"{shortcut}.1", f"{ours}/shortcut_project")
        before = features
    yield from _unit("conv", "tail", "tail", active=True)


def _unit(kind: str, theirs: str, ours: str, *, active: bool = False) -> Iterator[_Layer]:
    yield _Layer(kind, f"{theirs}.conv", f"{ours}/conv")
    yield _Layer("norm", f"{theirs}.bn", f"{ours}/norm")
    if active:
        yield _Layer("prelu", f"{theirs}.prelu", f"{ours}/prelu")


def _ghost(theirs: str, ours: str, *, active: bool) -> Iterator[_Layer]:
    yield from _unit("conv", f"{theirs}.primary", f"{ours}/primary", active=active)
    yield from _unit("depthwise", f"{theirs}.cheap", f"{ours}/cheap", active=active)


def _torch_weights() -> Weights:
    for kind, theirs, ours, bias in _layers():
        if kind == "norm":
            yield from torch_norm(theirs, ours)
            continue
        place = f"params/{ours}/{'slope' if kind == 'prelu' else 'kernel'}"
        wide = conv if ours == "stem/conv" else pointwise
        layout = {"conv": wide, "depthwise": depthwise, "prelu": same}[kind]
        yield f"{theirs}.weight", (place, layout)
        if bias:
            yield f"{theirs}.bias", (f"params/{ours}/bias", same)
    yield "gdc_dw.weight", ("params/whole_conv/kernel", depthwise)
    yield from torch_norm("gdc_bn", "whole_norm")
    yield "gdc_conv.weight", ("params/linear/kernel", pointwise)
    yield "gdc_conv.bias", ("params/linear/bias", same)
    yield from torch_norm("pre_embedding", "norm")


def _keras_weights() -> Weights:
    counts: Counter[str] = Counter()
    for kind, _, ours, bias in _layers():
        yield from _keras_layer(kind, f"{kind}_{counts[kind]}", ours, bias)
        counts[kind] += 1
    for name, kind, bias in (
        ("GDC_dw", "depthwise", False),
        ("GDC_batchnorm", "norm", False),
        ("GDC_conv", "conv", True),
        ("pre_embedding", "norm", False),
    ):
        yield from _keras_layer(kind, name, _NAMED[name], bias)


def _keras_layer(kind: str, theirs: str, ours: str, bias: bool) -> Weights:
    match kind:
        case "conv":
            yield f"{theirs}/kernel", (f"params/{ours}/kernel", tensorflow_kernel)
        case "depthwise":
            yield f"{theirs}/depthwise_kernel", (f"params/{ours}/kernel", _one_each)
        case "prelu":
            yield f"{theirs}/alpha", (f"params/{ours}/slope", _of_channels)
        case "norm":
            yield f"{theirs}/gamma", (f"params/{ours}/scale", same)
            yield f"{theirs}/beta", (f"params/{ours}/bias", same)
            yield f"{theirs}/moving_mean", (f"batch_stats/{ours}/mean", same)
            yield f"{theirs}/moving_variance", (f"batch_stats/{ours}/var", same)
    if bias:
        yield f"{theirs}/bias", (f"params/{ours}/bias", same)


def _one_each(array: np.ndarray) -> np.ndarray:
    """(k, k, channels, 1) -> (k, k, channels)."""
    return array.squeeze(3)


def _of_channels(array: np.ndarray) -> np.ndarray:
    """(1, 1, channels) -> (channels,)."""
    return array.squeeze((0, 1))
