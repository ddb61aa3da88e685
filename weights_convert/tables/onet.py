"""O-Net: what becomes of each array in facenet-pytorch's file, `onet.pt`."""

import numpy as np

from tipim_jax.networks.onet import STAGES
from weights_convert.fill import Table
from weights_convert.tables.layouts import Weights, conv, linear, same

_LAST_MAP = (3, 3)  # columns and rows, of 128 channels, in front of the linear layer
_HEADS = {"dense6_1": "logits", "dense6_2": "box", "dense6_3": "landmarks"}


def table() -> Table:
    """A state dict of `ONet`."""
    return Table("torch", dict(_weights()))


def _weights() -> Weights:
    for number in range(1, len(STAGES) + 1):
        yield f"conv{number}.weight", (f"params/conv{number}/kernel", conv)
        yield f"conv{number}.bias", (f"params/conv{number}/bias", same)
        yield f"prelu{number}.weight", (f"params/prelu{number}/slope", same)
    yield "dense5.weight", ("params/dense5/kernel", _flattened_by_columns)
    yield "dense5.bias", ("params/dense5/bias", same)
    yield "prelu5.weight", ("params/prelu5/slope", same)
    for theirs, ours in _HEADS.items():
        yield f"{theirs}.weight", (f"params/{ours}/kernel", linear)
        yield f"{theirs}.bias", (f"params/{ours}/bias", same)


def _flattened_by_columns(array: np.ndarray) -> np.ndarray:
    """(out, columns * rows * channels) -> (rows * columns * channels, out)."""
    maps = linear(array).reshape(*_LAST_MAP, -1, len(array))
    return maps.swapaxes(0, 1).reshape(-1, len(array))
