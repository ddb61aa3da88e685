"""MobileFaceNet: files and what becomes of each of their arrays."""

from collections.abc import Sequence

from tipim_jax.networks import Network
from weights_convert.fill import Table, Transform
from weights_convert.tables import mobilefacenet_onnx
from weights_convert.tables.layouts import (
    COUNTERS,
    Weights,
    conv,
    depthwise,
    linear,
    pointwise,
    same,
    torch_norm,
)

# Ours, in the order in which the network runs through them.
_BLOCKS = (
    *("down2", *(f"stage2_{index}" for index in range(4))),
    *("down3", *(f"stage3_{index}" for index in range(6))),
    *("down4", *(f"stage4_{index}" for index in range(2))),
)


def tables(network: Network) -> tuple[Table, ...]:
    """State dicts of TreB1eN/InsightFace_Pytorch, whose names FaceX-Zoo keeps, and of RobFR.

    InsightFace's own network is published in ONNX alone.
    """
    if dict(network.options).get("variant") == "insightface":
        return mobilefacenet_onnx.tables(network)
    return (
        Table("torch", dict(_treb1en_weights()), ignored=COUNTERS),
        Table("torch", dict(_robfr_weights()), ignored=COUNTERS),
    )


def _treb1en_weights() -> Weights:
    yield from _activated("conv1", "stem", conv)
    yield from _activated("conv2_dw", "stem_depthwise", depthwise)
    blocks = ["conv_23", *(f"conv_3.model.{index}" for index in range(4))]
    blocks += ["conv_34", *(f"conv_4.model.{index}" for index in range(6))]
    blocks += ["conv_45", *(f"conv_5.model.{index}" for index in range(2))]
    for theirs, ours in zip(blocks, _BLOCKS, strict=True):
        yield from _activated(f"{theirs}.conv", f"{ours}/expand", pointwise)
        yield from _activated(f"{theirs}.conv_dw", f"{ours}/depthwise", depthwise)
        yield from _linear(f"{theirs}.project", f"{ours}/project", pointwise)
    yield from _activated("conv_6_sep", "head_expand", pointwise)
    yield from _linear("conv_6_dw", "head_depthwise", depthwise)
    yield from _unit(("linear", "bn"), "head_linear", linear)


def _robfr_weights() -> Weights:
    yield from _activated("conv1", "stem", conv)
    yield from _activated("dw_conv1", "stem_depthwise", depthwise)
    for index, ours in enumerate(_BLOCKS):
        layers = [f"blocks.{index}.conv.{place}" for place in range(8)]
        yield from _unit(layers[:3], f"{ours}/expand", pointwise)
        yield from _unit(layers[3:6], f"{ours}/depthwise", depthwise)
        yield from _unit(layers[6:], f"{ours}/project", pointwise)
    yield from _activated("conv2", "head_expand", pointwise)
    yield from _linear("linear7", "head_depthwise", depthwise)
    yield from _linear("linear1", "head_linear", pointwise)


def _activated(theirs: str, ours: str, transform: Transform) -> Weights:
    return _unit([f"{theirs}.{layer}" for layer in ("conv", "bn", "prelu")], ours, transform)


def _linear(theirs: str, ours: str, transform: Transform) -> Weights:
    return _unit([f"{theirs}.{layer}" for layer in ("conv", "bn")], ours, transform)


def _unit(layers: Sequence[str], ours: str, transform: Transform) -> Weights:
    """A convolution, batch normalisation and, if it is named, a PReLU."""
    convolution, norm, *prelu = layers
    yield f"{convolution}.weight", (f"params/{ours}/conv/kernel", transform)
    yield from torch_norm(norm, f"{ours}/norm")
    for layer in prelu:
        yield f"{layer}.weight", (f"params/{ours}/prelu/slope", same)
