"""Depthwise convolution as a sum of shifted products.

XLA's grouped convolution runs on a CPU at a small fraction of the machine's speed. A depthwise
convolution is k*k multiply-adds of whole feature maps, which XLA fuses into one vectorised loop,
and so is its gradient with respect to the input, once that is written down by hand.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tipim_jax.networks.windows import Windows


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
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

    Both gradients are exact; there is no forward-mode derivative.
    """
    terms = (seen * kernel[i, j] for i, j, seen in _windows(kernel, stride, padding).taps(x))
    return sum(terms, start=next(terms))


def _forward(x, kernel, stride, padding):
    return depthwise_conv(x, kernel, stride, padding), (x, kernel)


def _backward(stride, padding, residuals, cotangent):
    x, kernel = residuals
    windows = _windows(kernel, stride, padding)
    to_x = windows.gather((cotangent,), x.shape[1:3], lambda i, j, seen: seen * kernel[i, j])
    # The compiler drops this, and x with it, where nobody asks for the gradient of trained weights.
    to_taps = [(seen * cotangent).sum(axis=(0, 1, 2)) for _, _, seen in windows.taps(x)]
    return to_x, jnp.stack(to_taps).reshape(kernel.shape)


depthwise_conv.defvjp(_forward, _backward)


def _windows(kernel, stride, padding):
    return Windows(kernel.shape[0], stride, padding)
