"""From the layouts of arrays in the source frameworks to ours.

A wrong number of axes is a ValueError, which `fill` reports.
"""

from collections.abc import Iterator

import numpy as np

from weights_convert.fill import Transform

Weights = Iterator[tuple[str, tuple[str, Transform]]]


def same(array: np.ndarray) -> np.ndarray:
    return array


def linear(array: np.ndarray) -> np.ndarray:
    """(out, in) -> (in, out)."""
    return array.transpose(1, 0)


def conv(array: np.ndarray) -> np.ndarray:
    """(out, in, rows, columns) -> (rows, columns, in, out)."""
    return array.transpose(2, 3, 1, 0)


def patches(array: np.ndarray) -> np.ndarray:
    """(out, in, rows, columns) -> (rows * columns * in, out)."""
    return conv(array).reshape(-1, len(array))


def pointwise(array: np.ndarray) -> np.ndarray:
    """(out, in, 1, 1) -> (in, out)."""
    return linear(array.squeeze((2, 3)))


def tensorflow_kernel(array: np.ndarray) -> np.ndarray:
    """(rows, columns, in, out) as it is, (1, 1, in, out) -> (in, out)."""
    return array.squeeze((0, 1)) if array.shape[:2] == (1, 1) else array


def depthwise(array: np.ndarray) -> np.ndarray:
    """(channels, 1, k, k) -> (k, k, channels)."""
    return array.squeeze(1).transpose(1, 2, 0)


def slopes(array: np.ndarray) -> np.ndarray:
    """(channels, 1, 1) -> (channels,)."""
    return array.squeeze((1, 2))


def flattened(height: int, width: int) -> Transform:
    """(out, channels * height * width) -> (height * width * channels, out)."""

    def transform(array: np.ndarray) -> np.ndarray:
        maps = linear(array).reshape(-1, height, width, len(array))
        return np.moveaxis(maps, 0, 2).reshape(-1, len(array))

    return transform


def torch_linear(theirs: str, ours: str, *, bias: bool = True) -> Weights:
    """A linear layer in a PyTorch state dict."""
    yield f"{theirs}.weight", (f"params/{ours}/kernel", linear)
    if bias:
        yield f"{theirs}.bias", (f"params/{ours}/bias", same)


def torch_norm(theirs: str, ours: str) -> Weights:
    """Batch normalisation in a PyTorch state dict."""
    yield f"{theirs}.weight", (f"params/{ours}/scale", same)
    yield f"{theirs}.bias", (f"params/{ours}/bias", same)
    yield f"{theirs}.running_mean", (f"batch_stats/{ours}/mean", same)
    yield f"{theirs}.running_var", (f"batch_stats/{ours}/var", same)


def identity_norm(ours: str, epsilon: float) -> dict[str, float]:
    """What a normalisation is `given` that an exporter folded into the convolution before it.

    Its bias is the convolution's.
    """
    return {
        f"params/{ours}/scale": 1.0,
        f"batch_stats/{ours}/mean": 0.0,
        f"batch_stats/{ours}/var": 1.0 - epsilon,
    }


COUNTERS = {"*.num_batches_tracked": "counts the steps of training"}
