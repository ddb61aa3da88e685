"""MobileFaceNet as InsightFace's model pack has it in ONNX."""

import numpy as np

from tipim_jax.networks import Network
from weights_convert.fill import Table, Transform
from weights_convert.tables.layouts import (
    conv,
    depthwise,
    identity_norm,
    pointwise,
    same,
    slopes,
)
from weights_convert.tables.onnx_walk import Walk

_EPSILON = 1e-5  # of the network's normalisations


def tables(network: Network) -> tuple[Table, ...]:
    """PyTorch's exporter folded every normalisation behind a convolution into it."""
    walk, given = Walk(), {}

    def unit(ours: str, transform: Transform, *, order: Transform = same, **shape: int) -> None:
        """A convolution, the normalisation in it and a PReLU; `order`: of what comes out."""
        linear(ours, lambda array: transform(order(array)), order=order, **shape)
        walk.node("PRelu", slope=(f"params/{ours}/prelu/slope", lambda array: order(slopes(array))))

    def linear(ours: str, transform: Transform, *, order: Transform = same, **shape: int) -> None:
        bias = (f"params/{ours}/norm/bias", order)
        walk.conv(f"params/{ours}/conv/kernel", transform, bias, **shape)
        given.update(identity_norm(f"{ours}/norm", _EPSILON))

    def block(ours: str, width: int, *, stride: int = 1, expand: Transform = pointwise) -> None:
        unit(f"{ours}/expand", expand)
        unit(f"{ours}/depthwise", depthwise, stride=stride, padding=1, groups=width)
        linear(f"{ours}/project", pointwise)

    unit("stem", conv, order=_members_apart, stride=2, padding=1)
    unit("stem_depthwise", conv, order=_members_apart, padding=1, groups=64)
    block("down2", 128, stride=2, expand=lambda array: _members_apart(pointwise(array)))
    for stage, (down, width, count) in enumerate(((256, 128, 4), (512, 256, 6), (0, 256, 2)), 2):
        for index in range(count):
            block(f"stage{stage}_{index}", width)
            walk.node("Add")
        if down:
            block(f"down{stage + 1}", down, stride=2)
    unit("head_expand", pointwise)
    unit("head_reduce", pointwise)
    walk.flatten_linear("head_linear/conv", 7, 7)
    walk.batch_norm("head_linear/norm", _EPSILON)
    return (walk.table(given),)


def _members_apart(array: np.ndarray) -> np.ndarray:
    """First axis from the two members of every group side by side to all first ones in front."""
    return np.concatenate([array[0::2], array[1::2]])
