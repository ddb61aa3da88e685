"""Depthwise and grouped convolution as sums of shifted products.

XLA's grouped convolution runs on a CPU at a small fraction of the machine's speed. A depthwise
convolution is k*k multiply-adds of whole feature maps, which XLA fuses into one vectorised loop,
and so is its gradient with respect to the input, once that is written down by hand. On other
platforms the larger kernels are left to XLA.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tipim_jax.networks.ops.platform import on_cpu
from tipim_jax.networks.ops.sliding import SlidingWindows
from tipim_jax.pieces import computed_once

# Where the platform is no CPU, the largest kernel that is written out: of 9 x 9 the program would
# hold 81 pieces of a map, for each of which a GPU reads it again.
_MOST_TAPS = 3 * 3


def depthwise_conv(
    x: Float[Array, "batch height width channels"],
    kernel: Float[Array, "k k channels"],
    stride: int,
    padding: int,
) -> Float[Array, "batch rows columns channels"]:
    """Cross-correlates every channel with its own kernel.

    Args:
      x: feature maps.
      kernel: one k x k kernel per channel, in the same dtype.
      stride: step between windows, in both directions.
      padding: rows and columns of zeros on every side.

    Returns:
      Maps of `(height + 2 * padding - k) // stride + 1` rows, columns likewise.

    Both gradients are exact; of what is not left to XLA there is no forward-mode derivative. Sums
    are at least in float32.
    """
    if on_cpu() or kernel.shape[0] * kernel.shape[1] <= _MOST_TAPS:
        return _by_taps(x, kernel, stride, padding)
    return jax.lax.conv_general_dilated(
        x,
        kernel[:, :, None],
        window_strides=(stride, stride),
        padding=[(padding, padding)] * 2,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1],
    )


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _by_taps(x, kernel, stride, padding):
    windows = _windows(kernel, stride, padding)
    return _products(windows, x.shape[1:3], windows.padded(x), _exact(kernel))


def _products(windows, size, padded, kernel):
    taps = windows.taps_of_padded(padded, size)
    terms = (_exact(seen) * kernel[i, j] for i, j, seen in taps)
    return sum(terms, start=next(terms)).astype(padded.dtype)


def _forward(x, kernel, stride, padding):
    # Whether an activation behind it was above zero the gradient asks again.
    windows = _windows(kernel, stride, padding)
    products = partial(_products, windows, x.shape[1:3])
    return computed_once(products, windows.padded(x), _exact(kernel)), (x, kernel)


def _backward(stride, padding, residuals, cotangent):
    x, kernel = residuals
    windows = _windows(kernel, stride, padding)
    exact = _exact(kernel)
    contribution = lambda i, j, seen: _exact(seen) * exact[i, j]  # noqa: E731
    to_x = windows.gather((cotangent,), x.shape[1:3], contribution).astype(x.dtype)
    # The compiler drops this, and x with it, where nobody asks for the gradient of trained weights.
    taps = windows.taps(x)
    to_taps = [(_exact(seen) * _exact(cotangent)).sum(axis=(0, 1, 2)) for _, _, seen in taps]
    return to_x, jnp.stack(to_taps).reshape(kernel.shape).astype(kernel.dtype)


_by_taps.defvjp(_forward, _backward)


def grouped_conv(
    x: Float[Array, "batch height width channels"],
    kernel: Float[Array, "k k members channels"],
    stride: int,
    padding: int,
) -> Float[Array, "batch rows columns channels"]:
    """Cross-correlates every group of channels with kernels of its own.

    The members of a group stand apart: with n groups, channels g, g + n, g + 2n … are group g. So
    every sum below runs over neighbouring channels, which the machine takes several at a time; with
    members side by side, as other frameworks have them, XLA takes one after the other.

    Args:
      x: feature maps.
      kernel: for every channel that comes out, one k x k kernel for each member of its group.
      stride, padding: as in `depthwise_conv`.
    """
    members = jnp.split(x, kernel.shape[2], axis=-1)
    outputs = [
        sum(depthwise_conv(x, taps[:, :, i], stride, padding) for i, x in enumerate(members))
        for taps in jnp.split(kernel, kernel.shape[2], axis=-1)
    ]
    return jnp.concatenate(outputs, axis=-1)


def _exact(x):
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def _windows(kernel, stride, padding):
    return SlidingWindows(kernel.shape[0], stride, padding)
