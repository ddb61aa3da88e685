"""Inception-ResNet-v1: files and what becomes of each of their arrays.

Their names follow one pattern, set by TensorFlow's slim: `Repeat/block35_1/Branch_0/Conv2d_1x1`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from tipim_jax.networks import Network
from weights_convert.fill import Table
from weights_convert.tables.layouts import (
    COUNTERS,
    Weights,
    conv,
    linear,
    pointwise,
    same,
    tensorflow_kernel,
    torch_norm,
)

_STEM = ("1a_3x3", "2a_3x3", "2b_3x3", "3b_1x1", "4a_3x3", "4b_3x3")
_FIRST, _LAST = "Conv2d_0a_1x1", "Conv2d_1a_3x3"
# The convolutions of every branch, as slim calls them.
_BLOCK35 = (
    ("Conv2d_1x1",),
    (_FIRST, "Conv2d_0b_3x3"),
    (_FIRST, "Conv2d_0b_3x3", "Conv2d_0c_3x3"),
)
_BLOCK17 = (("Conv2d_1x1",), (_FIRST, "Conv2d_0b_1x7", "Conv2d_0c_7x1"))
_BLOCK8 = (("Conv2d_1x1",), (_FIRST, "Conv2d_0b_1x3", "Conv2d_0c_3x1"))
_MIXED_6A = ((_LAST,), (_FIRST, "Conv2d_0b_3x3", _LAST))
_MIXED_7A = ((_FIRST, _LAST), (_FIRST, _LAST), (_FIRST, "Conv2d_0b_3x3", _LAST))


class _Names(NamedTuple):
    """What one part of the network is called here and in each kind of file."""

    ours: str
    torch: str
    slim: str
    keras: str
    deepface: str


# Blocks add what their branches give, through a projection.
_BLOCKS = [
    (
        _Names(
            f"{ours}_{index}",
            f"{torch}.{index}",
            f"{slim}_{index + 1}",
            f"{keras}_{index + 1}",
            f"{ours}.{index}",
        ),
        of,
    )
    for ours, torch, slim, keras, count, of in (
        ("block35", "repeat_1", "Repeat/block35", "Block35", 5, _BLOCK35),
        ("block17", "repeat_2", "Repeat_1/block17", "Block17", 10, _BLOCK17),
        ("block8", "repeat_3", "Repeat_2/block8", "Block8", 5, _BLOCK8),
    )
    for index in range(count)
] + [(_Names("block8_last", "block8", "Block8", "Block8_6", "block8.5"), _BLOCK8)]
_REDUCTIONS = [
    (_Names("mixed_6a", "mixed_6a", "Mixed_6a", "Mixed_6a", "mixed_6a"), _MIXED_6A),
    (_Names("mixed_7a", "mixed_7a", "Mixed_7a", "Mixed_7a", "mixed_7a"), _MIXED_7A),
]


def tables(network: Network) -> tuple[Table, ...]:
    """State dicts of facenet-pytorch and of DeepFace, frozen graphs of davidsandberg/facenet, and
    what Keras users made of the latter; the last two have no scales in their batch normalisation.
    """
    unscaled = {f"params/{part.ours}/norm/scale": 1.0 for part in _units()}
    unscaled["params/norm/scale"] = 1.0
    ignored = {"logits.*": "tells the people of the training apart", **COUNTERS}
    return (
        Table("torch", dict(_torch_weights()), ignored=ignored),
        Table("torch", dict(_deepface_weights()), ignored=COUNTERS),
        Table("tensorflow", dict(_slim_weights()), given=unscaled),
        Table("keras", dict(_keras_weights()), given=unscaled, renamed=_second_branches),
    )


def _units() -> Iterator[_Names]:
    """Every convolution that batch normalisation follows."""
    for name in _STEM:
        place, _ = name.split("_")
        slim = f"Conv2d_{name}"
        yield _Names(f"conv_{place}", f"conv2d_{place}", slim, slim, f"conv2d_{name}")
    for part, branches in _BLOCKS + _REDUCTIONS:
        for number, steps in enumerate(branches):
            for index, name in enumerate(steps):
                place = f".{index}" if len(steps) > 1 else ""
                yield _Names(
                    f"{part.ours}/branch{number}_{index}",
                    f"{part.torch}.branch{number}{place}",
                    f"{part.slim}/Branch_{number}/{name}",
                    f"{part.keras}_Branch_{number}_{name}",
                    f"{part.deepface}.branch_{number}{place}",
                )


def _second_branches(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Block17_4_Branch_4 is Block17_4_Branch_1: DeepFace's code counts on in some blocks' names."""
    second = re.compile(r"^(Block(?:17|8)_\d+)_Branch_[1-9]\d*_")
    return {second.sub(r"\1_Branch_1_", name): array for name, array in arrays.items()}


def _torch_weights() -> Weights:
    for part in _units():
        yield from _torch_unit(part.torch, part)
    for part, _ in _BLOCKS:
        yield f"{part.torch}.conv2d.weight", (f"params/{part.ours}/project/kernel", pointwise)
        yield f"{part.torch}.conv2d.bias", (f"params/{part.ours}/project/bias", same)
    yield "last_linear.weight", ("params/linear/kernel", linear)
    yield from torch_norm("last_bn", "norm")


def _deepface_weights() -> Weights:
    for part in _units():
        yield from _torch_unit(part.deepface, part)
    for part, _ in _BLOCKS:
        yield f"{part.deepface}.up.weight", (f"params/{part.ours}/project/kernel", pointwise)
        yield f"{part.deepface}.up.bias", (f"params/{part.ours}/project/bias", same)
    yield "bottleneck.weight", ("params/linear/kernel", linear)
    yield from torch_norm("bottleneck_bn", "norm")


def _torch_unit(theirs: str, part: _Names) -> Weights:
    layout = pointwise if part.slim.endswith("_1x1") else conv
    yield f"{theirs}.conv.weight", (f"params/{part.ours}/conv/kernel", layout)
    yield from torch_norm(f"{theirs}.bn", f"{part.ours}/norm")


def _slim_weights() -> Weights:
    root = "InceptionResnetV1"
    for part in _units():
        name = f"{root}/{part.slim}"
        yield f"{name}/weights", (f"params/{part.ours}/conv/kernel", tensorflow_kernel)
        yield from _norm(f"{name}/BatchNorm", f"{part.ours}/norm")
    for part, _ in _BLOCKS:
        name, ours = f"{root}/{part.slim}/Conv2d_1x1", f"params/{part.ours}/project"
        yield f"{name}/weights", (f"{ours}/kernel", tensorflow_kernel)
        yield f"{name}/biases", (f"{ours}/bias", same)
    yield f"{root}/Bottleneck/weights", ("params/linear/kernel", same)
    yield from _norm(f"{root}/Bottleneck/BatchNorm", "norm")


def _keras_weights() -> Weights:
    for part in _units():
        yield f"{part.keras}/kernel", (f"params/{part.ours}/conv/kernel", tensorflow_kernel)
        yield from _norm(f"{part.keras}_BatchNorm", f"{part.ours}/norm")
    for part, _ in _BLOCKS:
        name, ours = f"{part.keras}_Conv2d_1x1", f"params/{part.ours}/project"
        yield f"{name}/kernel", (f"{ours}/kernel", tensorflow_kernel)
        yield f"{name}/bias", (f"{ours}/bias", same)
    yield "Bottleneck/kernel", ("params/linear/kernel", same)
    yield from _norm("Bottleneck_BatchNorm", "norm")


def _norm(theirs: str, ours: str) -> Weights:
    """Batch normalisation without scales."""
    yield f"{theirs}/beta", (f"params/{ours}/bias", same)
    yield f"{theirs}/moving_mean", (f"batch_stats/{ours}/mean", same)
    yield f"{theirs}/moving_variance", (f"batch_stats/{ours}/var", same)
