"""How much of the budget ε each pixel of an image may change by.

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
