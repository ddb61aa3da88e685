"""How much each pixel of an image may change by, and what is seen of it.

Images are RGB float [height, width, 3] in [0, 255].
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tipim_jax.method.views import Size, mapped

# Of a window's size: over so much of it, at its edges, a mask fades, lest one sees a square.
_FADE = 8 / 112
# Standard deviation of the brightness around a pixel from which a mask of ε is lost in it.
_TEXTURED = 20.0
_WINDOW = 7  # pixels, each way
# Of SSIM (Wang et al. 2004): side and deviation of its window in pixels, and its C₂.
SSIM_WINDOW, SSIM_DEVIATION = 11, 1.5
SSIM_C2 = (0.03 * 255) ** 2
# Area of the box that YuNet finds, as a share of the crop's: the median of 30 photos of LFW, of
# which a tenth each have less than 0.66 and more than 0.72.
_BOX = 0.69
_LUMA = (0.299, 0.587, 0.114)


def budget_weight(
    image: Float[Array, "height width 3"],
    alignment: Float[Array, "2 3"] | None,
    size: Size,
    epsilon: Float[Array, ""] | float,
    smooth_epsilon: Float[Array, ""] | float,
) -> Float[Array, "height width 1"]:
    """The product of `face_weight` and of what lies between `smooth_epsilon` / ε and 1."""
    least = jnp.where(smooth_epsilon < epsilon, smooth_epsilon / epsilon, 1)
    texture = least + (1 - least) * contrast(image)
    return texture if alignment is None else texture * face_weight(image.shape[:2], alignment, size)


def face_weight(
    shape: Size, alignment: Float[Array, "2 3"], size: Size
) -> Float[Array, "height width 1"]:
    """1 within what a window shows, 0 outside, and in between as a smooth step.

    Args:
      shape: of the image.
      alignment: from the image's points to those of what the window shows.
      size: of what the window shows.
    """
    extent = jnp.array(size[::-1], alignment.dtype)[:, None, None]  # in x and in y
    from_middle = jnp.abs(mapped(alignment, shape) - (extent - 1) / 2)
    inside = jnp.clip((extent / 2 - from_middle) / (_FADE * extent), 0, 1)
    smooth = inside * inside * (3 - 2 * inside)
    return jnp.prod(smooth, axis=0)[:, :, None]


def grain_cost(
    image: Float[Array, "height width 3"], alignment: Float[Array, "2 3"] | None, size: Size
) -> Float[Array, "height width 1"]:
    """DSSIM in the face's box that grain of one level costs in one pixel, in the channels' mean.

    A change of deviation d that does not follow the picture leaves 1 − d² / (2 s² + C₂) of SSIM
    where the picture's own deviation is s (Wang et al. 2004, eq. 13, d small). DSSIM is the mean
    over the box's pixels of half of what is lost.

    Args:
      image, alignment, size: see `budget_weight`; without an alignment the face fills the image.
    """
    variance = jnp.maximum(_in_window(image**2) - _in_window(image) ** 2, 0).mean(axis=-1)
    box = image.shape[0] * image.shape[1]
    if alignment is not None:
        box = _BOX * size[0] * size[1] / jnp.abs(jnp.linalg.det(alignment[:, :2]))
    return 0.5 / (2 * variance + SSIM_C2)[..., None] / box


def _in_window(image):
    """The mean with the weights of SSIM's window, 11 × 11 pixels, at the edges of what is there."""

    def weights(count):
        away = jnp.arange(count)[:, None] - jnp.arange(count)[None]
        found = jnp.where(
            jnp.abs(away) <= SSIM_WINDOW // 2, jnp.exp(-(away**2) / (2 * SSIM_DEVIATION**2)), 0
        )
        return found / found.sum(axis=1, keepdims=True)

    rows, columns = map(weights, image.shape[:2])
    return jnp.einsum("ij,jkc,lk->ilc", rows, image, columns, precision="highest")


def contrast(image: Float[Array, "height width 3"]) -> Float[Array, "height width 1"]:
    """From 0 where brightness does not vary to 1 where it varies enough to hide a mask."""
    luma = jnp.dot(image, jnp.asarray(_LUMA, image.dtype), precision="highest")
    variance = _mean_around(luma**2) - _mean_around(luma) ** 2
    deviation = _mean_around(jnp.sqrt(jnp.maximum(variance, 0)))
    return jnp.clip(deviation / _TEXTURED, 0, 1)[..., None]


def _mean_around(values):
    padded = jnp.pad(values, _WINDOW // 2, mode="edge")
    size = (_WINDOW, _WINDOW)
    return jax.lax.reduce_window(padded, 0.0, jax.lax.add, size, (1, 1), "VALID") / _WINDOW**2
