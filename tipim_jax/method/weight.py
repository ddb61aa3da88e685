"""How much of the budget ε each pixel of an image may change by.

Images are RGB float [height, width, 3] in [0, 255].
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tipim_jax.method.views import CROP, mapped

# Of the crop's pixels: over so many of them, at its edges, a mask fades, lest one sees a square.
_FADE = 8.0
# Standard deviation of the brightness around a pixel from which a mask of ε is lost in it.
_TEXTURED = 20.0
_WINDOW = 7  # pixels, each way
_LUMA = (0.299, 0.587, 0.114)


def weight(
    image: Float[Array, "height width 3"],
    alignment: Float[Array, "2 3"] | None,
    epsilon: Float[Array, ""] | float,
    smooth_epsilon: float,
) -> Float[Array, "height width 1"]:
    """The product of `face_weight` and of what lies between `smooth_epsilon` / ε and 1."""
    least = jnp.where(smooth_epsilon < epsilon, smooth_epsilon / epsilon, 1)
    texture = least + (1 - least) * contrast(image)
    return texture if alignment is None else texture * face_weight(image.shape[:2], alignment)


def face_weight(
    shape: tuple[int, int], alignment: Float[Array, "2 3"]
) -> Float[Array, "height width 1"]:
    """1 within the aligned crop, 0 outside, and in between as a smooth step.

    Args:
      shape: height and width of the image.
      alignment: from the image's points to the crop's, in pixels.
    """
    points = mapped(alignment, shape)
    middle = (CROP - 1) / 2
    inside = jnp.clip((CROP / 2 - jnp.abs(points - middle)) / _FADE, 0, 1)  # of x and of y
    smooth = inside * inside * (3 - 2 * inside)
    return jnp.prod(smooth, axis=0)[:, :, None]


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
