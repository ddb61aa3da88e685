"""What JPEG leaves of an image (ITU-T T.81, colours of T.871), inside compiled programs.

Colour has half the resolution (4:2:0), as in what cameras and sites write. Blocks of 8 × 8 are
transformed all at once, as rows of 64 pixels in one product.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tipim_jax.pieces import computed_once

# Annex K.1, which libjpeg scales by quality.
_BRIGHTNESS = """
16 11 10 16 24 40 51 61  12 12 14 19 26 58 60 55  14 13 16 24 40 57 69 56  14 17 22 29 51 87 80 62
18 22 37 56 68 109 103 77  24 35 55 64 81 104 113 92  49 64 78 87 103 121 120 101
72 92 95 98 112 100 103 99
"""
_COLOUR = """
17 18 24 47 99 99 99 99  18 21 26 66 99 99 99 99  24 26 56 99 99 99 99 99  47 66 99 99 99 99 99 99
99 99 99 99 99 99 99 99  99 99 99 99 99 99 99 99  99 99 99 99 99 99 99 99  99 99 99 99 99 99 99 99
"""
_TO_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
)


def compressed(
    image: Float[Array, "height width 3"], quality: Float[Array, ""] | float
) -> Float[Array, "height width 3"]:
    """What is read from the JPEG that libjpeg writes of an RGB image in [0, 255].

    Its gradient is that of the identity (straight through): rounding has none of its own.

    Args:
      quality: libjpeg's, in [1, 100].
    """
    found = computed_once(_compressed, jax.lax.stop_gradient(image), jnp.asarray(quality))
    return image + jax.lax.stop_gradient(found - image)


def _compressed(image, quality):
    brightness, *colours = (
        jnp.round(plane) for plane in _mixed(_TO_YCC, jnp.unstack(image, axis=-1))
    )
    (brightness,) = _coded((brightness - 128,), _BRIGHTNESS, quality, 1)
    colours = _coded(colours, _COLOUR, quality, 2)
    found = jnp.stack(_mixed(np.linalg.inv(_TO_YCC), (brightness + 128, *colours)), axis=-1)
    return jnp.clip(jnp.round(found), 0, 255).astype(image.dtype)


def _mixed(matrix, planes):
    """Sums of three planes; written out, as a product of three terms is slower than its passes."""
    return [sum(float(m) * plane for m, plane in zip(row, planes, strict=True)) for row in matrix]


def _coded(planes, table, quality, smaller):
    """What is left of planes around 0 that are coded at a resolution so many times smaller."""
    table = np.array(table.split(), np.float32)
    scale = jnp.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    steps = jnp.clip(jnp.floor((table * scale + 50) / 100), 1, 255)

    height, width = planes[0].shape
    samples = jnp.stack([jnp.round(_smaller(plane, smaller)) for plane in planes])
    blocks = computed_once(_blocks, samples)
    coefficients = jnp.matmul(blocks, _COSINES.T, precision="highest")
    coefficients = jnp.round(coefficients / steps) * steps
    blocks = jnp.round(jnp.matmul(coefficients, _COSINES, precision="highest"))
    samples = computed_once(lambda blocks: _joined(blocks, samples.shape), blocks)
    samples = jnp.clip(samples, -128, 127)
    return [jnp.round(_larger(plane, smaller)[:height, :width]) for plane in samples]


def _smaller(plane, times):
    """The means of `times` × `times` pixels; the last ones fill whole blocks."""
    edges = [(0, -size % 16) for size in plane.shape]
    plane = jnp.pad(plane, edges, mode="edge")
    height, width = (size // times for size in plane.shape)
    return plane.reshape(height, times, width, times).mean(axis=(1, 3))


def _larger(plane, times):
    """libjpeg's way back from means of `times`, 1 or 2: a triangle filter."""
    if times == 1:
        return plane
    for axis in (0, 1):
        size = plane.shape[axis]
        before, after = (
            jnp.take(plane, np.clip(np.arange(size) + step, 0, size - 1), axis) for step in (-1, 1)
        )
        pair = jnp.stack([0.75 * plane + 0.25 * side for side in (before, after)], axis + 1)
        plane = pair.reshape(*plane.shape[:axis], 2 * size, *plane.shape[axis + 1 :])
    return plane


def _blocks(planes):
    """Blocks of 8 × 8 as rows of 64."""
    count, height, width = planes.shape
    apart = planes.reshape(count, height // 8, 8, width // 8, 8)
    return apart.transpose(0, 1, 3, 2, 4).reshape(-1, 64)


def _joined(blocks, shape):
    """Planes of a shape from their blocks."""
    count, height, width = shape
    apart = blocks.reshape(count, height // 8, width // 8, 8, 8)
    return apart.transpose(0, 1, 3, 2, 4).reshape(shape)


def _cosines():
    """The transform of a block, from its pixels to its coefficients."""
    order, place = np.mgrid[0:8, 0:8]
    one_way = np.cos((2 * place + 1) * order * np.pi / 16) * np.sqrt(np.where(order, 2, 1) / 8)
    return np.kron(one_way, one_way).astype(np.float32)


_COSINES = _cosines()
