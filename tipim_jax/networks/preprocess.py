"""From the canonical crop to what a network was trained on.

The canonical crop is RGB float32 in [0, 255], 112x112, aligned to the five points of ArcFace's
template. Everything here is linear in the pixels, so gradients flow through it exactly.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tipim_jax.pieces import computed_once

_LUMA = (0.299, 0.587, 0.114)


def region_resized(
    images: Float[Array, "batch h w c"],
    region: tuple[float, float, float, float],
    size: tuple[int, int],
) -> Float[Array, "batch height width c"]:
    """The part of the images that a network looks at, bilinearly interpolated.

    For the whole image this is PyTorch's `F.interpolate(mode="bilinear", align_corners=False)`:
    half-pixel centres, no antialiasing.

    Args:
      images: maps in any range.
      region: (top, left, bottom, right) in pixels, whose corners are at whole numbers. What of it
        lies outside the image is zero.
      size: (height, width) wanted.
    """
    top, left, bottom, right = region
    height, width = images.shape[1:3]
    if region == (0, 0, height, width) and size == (height, width):
        return images
    scale = jnp.array([size[0] / (bottom - top), size[1] / (right - left)], images.dtype)
    translation = -scale * jnp.array([top, left], images.dtype)
    shape = (images.shape[0], *size, images.shape[3])
    return jax.image.scale_and_translate(
        images, shape, (1, 2), scale, translation, method="linear", antialias=False
    )


def normalise(
    images: Float[Array, "batch h w 3"],
    channel_order: str,
    mean: tuple[float, ...] | None,
    std: tuple[float, ...] | None,
) -> Float[Array, "batch h w channels"]:
    """(x - mean) / std per channel, of the channels that a network takes.

    Args:
      images: RGB in [0, 255].
      channel_order: "RGB", "BGR" or "grey", which is ITU-R BT.601's luma, one channel.
      mean, std: in that order. None: of each image over all its values, with a standard deviation
        of at least 1 / sqrt(number of values), as FaceNet's `prewhiten` and TensorFlow's
        `per_image_standardization` do it.
    """
    if channel_order == "BGR":
        images = images[..., ::-1]
    elif channel_order == "grey":
        images = images @ jnp.asarray(_LUMA, images.dtype)[:, None]
    if mean is None:
        # Apart: what XLA makes of it and the scaling before depends on the number of devices.
        return computed_once(_prewhitened, images)
    return (images - jnp.asarray(mean, images.dtype)) / jnp.asarray(std, images.dtype)


def _prewhitened(images):
    least = 1 / math.sqrt(math.prod(images.shape[1:]))
    mean = images.mean(axis=(1, 2, 3), keepdims=True)
    # The maximum inside the root, so that an even image has a gradient.
    variance = jnp.square(images - mean).mean(axis=(1, 2, 3), keepdims=True)
    # No quotient, of which XLA makes this on several devices or on one alone.
    return (images - mean) * jax.lax.rsqrt(jnp.maximum(variance, least**2))
