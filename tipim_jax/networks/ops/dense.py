"""Dense convolution with an input gradient that XLA runs fast on a CPU.

XLA's own gradient is a convolution with reversed windows, transposed kernels and, for strides,
dilated maps. Inside a loop, where the whole method runs, XLA for CPU has no fast code for it: 2 to
20 GFLOP/s on one core that gives the forward pass 90. Both forms below reach 30 to 100. On other
platforms the convolution and its gradients are XLA's.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tipim_jax.networks.ops.platform import on_cpu
from tipim_jax.networks.ops.sliding import Axis, SlidingWindows

# Channels: an RGB convolution runs two to three times faster on four of them. The fast kernels of a
# GPU take eight; of three the stem's convolution alone was 6 % of IR-SE50's forward pass.
_ALIGNMENT, _ALIGNMENT_ELSEWHERE = 4, 8


def dense_conv(
    x: Float[Array, "batch height width channels"],
    kernel: Float[Array, "taps_down taps_across channels features"],
    stride: int,
    padding: int | tuple[int, int],
) -> Float[Array, "batch rows columns features"]:
    """Cross-correlation of all channels with every feature's kernel.

    Args:
      x: feature maps.
      kernel: in the same dtype.
      stride: step between windows, in both directions.
      padding: zeros on each side, or (above and below, left and right).

    Both gradients are exact; on a CPU there is no forward-mode derivative.
    """
    windows = SlidingWindows(kernel.shape[:2], stride, padding)
    if on_cpu():
        return _conv_for_cpu(x, kernel, windows)
    few = x.shape[-1] < _ALIGNMENT_ELSEWHERE
    return _conv(*_aligned(x, kernel, _ALIGNMENT_ELSEWHERE if few else 1), windows)


def _aligned(x, kernel, alignment):
    """With channels of zeros, for their number to be a multiple."""
    missing = -x.shape[-1] % alignment
    if not missing:
        return x, kernel
    x = jnp.pad(x, ((0, 0), (0, 0), (0, 0), (0, missing)))
    return x, jnp.pad(kernel, ((0, 0), (0, 0), (0, missing), (0, 0)))


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _conv_for_cpu(x, kernel, windows):
    return _conv(*_aligned(x, kernel, _ALIGNMENT), windows)


def _forward(x, kernel, windows):
    return _conv_for_cpu(x, kernel, windows), (x, kernel)


def _backward(windows, residuals, cotangent):
    x, kernel = residuals
    gradient = _by_columns if _columns_pay(cotangent, windows) else _by_convolution
    to_x = gradient(cotangent, kernel, windows, x.shape[1:3])
    # XLA drops this where nobody asks for it.
    _, kernel_gradient = jax.vjp(lambda k: _conv(x, k, windows), kernel)
    return to_x, kernel_gradient(cotangent)[0]


_conv_for_cpu.defvjp(_forward, _backward)


def _columns_pay(cotangent, windows):
    """Whether `_by_columns` is the faster of the two; measured on the layers of the networks here.

    The convolution needs the kernel rearranged, which on small maps costs more than it does, and
    with strides it multiplies with zeros: for 3x3 windows at stride 2, 16 times to use 9.
    """
    _, rows, columns, features = cotangent.shape
    taps = math.prod(axis.size for axis in windows.axes)
    taps_with_zeros = math.prod(axis.stride * len(_offsets(axis)) for axis in windows.axes)
    return rows * columns <= features or taps_with_zeros > 1.5 * taps


def _by_columns(cotangent, kernel, windows, size):
    """One matrix product gives what every window sends to its taps; the pixels gather it."""
    taps = kernel.shape[0] * kernel.shape[1]
    channels, features = kernel.shape[2:]
    columns = cotangent @ kernel.reshape(taps * channels, features).T

    def contribution(i, j, seen):
        start = windows.index(i, j) * channels
        return jax.lax.slice_in_dim(seen, start, start + channels, axis=3)

    return windows.gather((columns,), size, contribution)


def _by_convolution(cotangent, kernel, windows, size):
    """One convolution over the windows, with as many features as a block of pixels has values."""
    channels = kernel.shape[2]
    stride = windows.stride
    blocks = [-(-pixels // stride) for pixels in size]
    edges = []
    for axis, count, have in zip(windows.axes, blocks, cotangent.shape[1:3], strict=True):
        offsets = _offsets(axis)
        edges.append((-offsets[0], count - 1 + offsets[-1] - (have - 1)))
    seen = _cross_correlate(cotangent, _blockwise(kernel, windows), 1, edges)
    if stride == 1:
        return seen
    batch = cotangent.shape[0]
    seen = seen.reshape(batch, *blocks, stride, stride, channels).transpose(0, 1, 3, 2, 4, 5)
    whole = seen.reshape(batch, blocks[0] * stride, blocks[1] * stride, channels)
    return whole[:, : size[0], : size[1]]


def _offsets(axis: Axis) -> range:
    """Which windows see a block of stride pixels: q + d for block q and these d.

    Pixel `a` of the block is tap `a + padding - stride * d` of window q + d.
    """
    lowest = -((axis.size - 1 - axis.padding) // axis.stride)
    return range(lowest, (axis.stride - 1 + axis.padding) // axis.stride + 1)


def _blockwise(kernel, windows):
    """The kernel from windows to blocks of pixels, (offsets, offsets, features, block * channels).

    Taps that a pixel and a window do not share are zero.
    """
    stride = windows.stride
    counts = [len(_offsets(axis)) for axis in windows.axes]
    edges = []
    for axis, count in zip(windows.axes, counts, strict=True):
        first = axis.padding - stride * _offsets(axis)[-1]  # tap that the first pixel would have
        edges.append((-first, first + stride * count - axis.size, 0))
    spread = jax.lax.pad(kernel, jnp.zeros((), kernel.dtype), (*edges, (0, 0, 0), (0, 0, 0)))
    spread = spread.reshape(counts[0], stride, counts[1], stride, *kernel.shape[2:])
    # The further the window, the earlier the tap.
    spread = spread[::-1, :, ::-1].transpose(0, 2, 5, 1, 3, 4)
    return spread.reshape(*counts, kernel.shape[3], -1)


def _conv(x, kernel, windows):
    edges = [(axis.padding, axis.padding) for axis in windows.axes]
    return _cross_correlate(x, kernel, windows.stride, edges)


def _cross_correlate(x, kernel, stride, edges):
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        window_strides=(stride, stride),
        padding=edges,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
