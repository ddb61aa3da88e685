"""EdgeFace: files and what becomes of each of their arrays."""

import math

from tipim_jax.networks import Network
from tipim_jax.networks.edgeface import (
    CHANNELS,
    DEPTHS,
    EPSILON,
    HEADS,
    KERNELS,
    LEAST_NORM,
    SCALES,
)
from weights_convert.fill import Table
from weights_convert.tables.layouts import conv, depthwise, linear, slopes
from weights_convert.tables.onnx_walk import Walk

_SIDES = (28, 14, 7, 3)  # of the stages' maps


def tables(network: Network) -> tuple[Table, ...]:
    """The graph that PyTorch exported for one 112x112 image, in ONNX's version 11."""
    walk = _EdgeFaceWalk()
    for stage, channels in enumerate(CHANNELS):
        if stage == 0:
            walk.bias_conv("stem_conv", conv, stride=4)
            walk.map_norm("stem_norm")
        else:
            walk.map_norm(f"down{stage}_norm")
            walk.bias_conv(f"down{stage}_conv", conv, stride=2)
        for index in range(DEPTHS[stage]):
            ours = f"stage{stage}_{index}"
            if SCALES[stage] and index == DEPTHS[stage] - 1:
                walk.attention_block(ours, stage)
            else:
                size = KERNELS[stage]
                walk.bias_conv(f"{ours}/conv", depthwise, padding=size // 2, groups=channels)
                walk.node("Transpose", {"perm": [0, 2, 3, 1]})
                walk.perceptron(f"{ours}/perceptron")
    walk.node("GlobalAveragePool")
    walk.map_norm("head_norm")
    walk.node("Flatten")
    walk.node("MatMul", B="params/head_linear/reduce/kernel")
    kernel = ("params/head_linear/expand/kernel", linear)
    walk.node("Gemm", {"transB": 1}, B=kernel, C="params/head_linear/expand/bias")
    return (walk.table(),)


class _EdgeFaceWalk(Walk):
    """The parts of the network; what ONNX had no operator for then is many nodes."""

    def bias_conv(self, ours, transform, **shape):
        self.conv(f"params/{ours}/kernel", transform, f"params/{ours}/bias", **shape)

    def map_norm(self, ours):
        """Over the channels of maps, which are in front."""
        self.node("Transpose", {"perm": [0, 2, 3, 1]})
        self.norm(ours)
        self.node("Transpose", {"perm": [0, 3, 1, 2]})

    def norm(self, ours):
        self.layer_norm_in_parts(f"params/{ours}/scale", f"params/{ours}/bias", EPSILON)

    def low_rank(self, ours):
        self.node("MatMul", B=f"params/{ours}/reduce/kernel")
        self.node("MatMul", B=f"params/{ours}/expand/kernel")
        self.node("Add", A=f"params/{ours}/expand/bias")

    def perceptron(self, ours):
        """With the way back to maps and the sum with what the block began with."""
        self.norm(f"{ours}/norm")
        self.low_rank(f"{ours}/expand")
        self.node("Div", {"B": math.sqrt(2)})
        self.node("Erf")
        self.node("Add", {"B": 1.0})
        self.node("Mul")
        self.node("Mul", {"B": 0.5})
        self.low_rank(f"{ours}/project")
        self.node("Mul", A=f"params/{ours}/gain/gain")
        self.node("Transpose", {"perm": [0, 3, 1, 2]})
        self.node("Add")

    def attention_block(self, ours, stage):
        channels, scales, side = CHANNELS[stage], SCALES[stage], _SIDES[stage]
        width = -(-channels // scales)
        for part in range(scales):
            ends = {"starts": [part * width], "ends": [(part + 1) * width], "axes": [1]}
            self.node("Slice", ends)
        for part in range(scales - 1):
            if part:
                self.node("Add")
            self.bias_conv(f"{ours}/conv{part}", depthwise, padding=1, groups=width)
        self.node("Concat", {"axis": 1})
        self.node("Reshape", {"shape": [1, channels, side**2]})
        self.node("Transpose", {"perm": [0, 2, 1]})
        if stage == 1:
            position = lambda array: array.reshape(side, side, channels)  # noqa: E731
            self.node("Add", B=(f"params/{ours}/position", position))
        self.norm(f"{ours}/attention_norm")
        self.attention(f"{ours}/attention", channels, side**2)
        self.node("Mul", A=f"params/{ours}/attention_gain/gain")
        self.node("Add")
        self.node("Reshape", {"shape": [1, side, side, channels]})
        self.perceptron(f"{ours}/perceptron")

    def attention(self, ours, channels, pixels):
        self.low_rank(f"{ours}/qkv")
        self.node("Reshape", {"shape": [1, pixels, 3, HEADS, -1]})
        self.node("Transpose", {"perm": [2, 0, 3, 4, 1]})
        self.node("Split", {"split": [1, 1, 1]})
        for _ in range(3):
            self.node("Squeeze", {"axes": [0]})
        for _ in range(2):  # queries, keys
            self.node("ReduceL2", {"axes": [-1]})
            self.node("Clip", {"min": LEAST_NORM})
            self.node("Expand", {"shape": [1, HEADS, channels // HEADS, pixels]})
            self.node("Div")
        self.node("Transpose", {"perm": [0, 1, 3, 2]})
        self.node("MatMul")
        self.node("Mul", B=(f"params/{ours}/temperature", slopes))
        self.node("Softmax", {"axis": 3})
        self.node("MatMul")
        self.node("Transpose", {"perm": [0, 3, 1, 2]})
        self.node("Reshape", {"shape": [1, pixels, channels]})
        self.low_rank(f"{ours}/project")
