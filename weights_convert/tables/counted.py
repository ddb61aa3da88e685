"""Names for the weights of Keras's layers that nobody named.

Keras calls them after their class and a number that counts on as long as a program runs, so two
files of one network have other names: `conv2d_37`. What they tell is the layers' order.
"""

import re
from collections.abc import Mapping

import numpy as np

# The variable that tells a kind of layer.
_KINDS = {
    "kernel": "conv",
    "depthwise_kernel": "depthwise",
    "moving_mean": "norm",
    "alpha": "prelu",
}


def counted(arrays: Mapping[str, np.ndarray], named: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """`LAYER/VARIABLE` -> `KIND_N/VARIABLE`, N being the layer's place among its kind from 0.

    Args:
      arrays: of a Keras file; kinds are conv, depthwise, norm and prelu.
      named: layers whose names stay, and which are not counted.
    """
    kinds: dict[str, list[str]] = {}
    for name in arrays:
        layer, _, variable = name.rpartition("/")
        if variable in _KINDS and layer not in named:
            kinds.setdefault(_KINDS[variable], []).append(layer)
    ours = {
        layer: f"{kind}_{place}"
        for kind, layers in kinds.items()
        for place, layer in enumerate(sorted(layers, key=_in_number))
    }
    return {_renamed(name, ours): array for name, array in arrays.items()}


def _in_number(layer: str) -> list[str | int]:
    """What puts `conv2d` before `conv2d_1`, and `conv2d_9` before `conv2d_10`."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", layer)]


def _renamed(name: str, ours: Mapping[str, str]) -> str:
    layer, _, variable = name.rpartition("/")
    return f"{ours.get(layer, layer)}/{variable}"
