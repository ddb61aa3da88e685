"""VGG-Face: files and what becomes of each of their arrays."""

from collections.abc import Iterator

import numpy as np

from tipim_jax.networks import Network
from tipim_jax.networks.vgg import DEPTHS
from weights_convert.fill import Table, Transform
from weights_convert.tables.counted import counted
from weights_convert.tables.layouts import Weights, conv, patches, pointwise, same

_PEOPLE = "tells the people of the training apart"


def tables(network: Network) -> tuple[Table, ...]:
    """DeepFace's files of both its kinds: Keras's, of unnamed layers, and PyTorch's."""
    names = [name for name, _, _ in _layers()]
    last = f"conv_{len(names)}/*"
    return (
        Table("keras", dict(_keras_weights()), ignored={last: _PEOPLE}, renamed=counted),
        Table("torch", dict(_torch_weights()), ignored={"fc8.*": _PEOPLE}),
    )


def _layers() -> Iterator[tuple[str, Transform, Transform]]:
    """Name, and what becomes of PyTorch's and Keras's kernels."""
    for stage, depth in enumerate(DEPTHS, start=1):
        for index in range(1, depth + 1):
            yield f"conv{stage}_{index}", conv, same
    yield "fc6", patches, _flat
    yield "fc7", pointwise, _flat


def _flat(array: np.ndarray) -> np.ndarray:
    """(rows, columns, in, out) -> (rows * columns * in, out)."""
    return array.reshape(-1, array.shape[3])


def _torch_weights() -> Weights:
    for name, transform, _ in _layers():
        yield f"{name}.weight", (f"params/{name}/kernel", transform)
        yield f"{name}.bias", (f"params/{name}/bias", same)


def _keras_weights() -> Weights:
    for place, (name, _, transform) in enumerate(_layers()):
        yield f"conv_{place}/kernel", (f"params/{name}/kernel", transform)
        yield f"conv_{place}/bias", (f"params/{name}/bias", same)
