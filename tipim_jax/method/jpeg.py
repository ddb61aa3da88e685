"""What JPEG leaves of an image (ITU-T T.81, colours of T.871), inside compiled programs.

Colour has half the resolution (4:2:0), as in what cameras and sites write. Blocks of 8 × 8 are
transformed all at once, as products with matrices that hold the transform once for each block.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

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
    planes = jnp.round(jnp.einsum("ij,hwj->ihw", _TO_YCC, image, precision="highest"))
    brightness = _coded(planes[:1] - 128, _BRIGHTNESS, quality, 1) + 128
    colours = _coded(planes[1:], _COLOUR, quality, 2)
    planes = jnp.concatenate([brightness, colours])
    found = jnp.einsum("ij,jhw->hwi", np.linalg.inv(_TO_YCC), planes, precision="highest")
    found = jnp.clip(jnp.round(found), 0, 255).astype(image.dtype)
    return image + jax.lax.stop_gradient(found - image)


def _coded(planes, table, quality, smaller):
    """What is left of planes around 0 that are coded at a resolution so many times smaller."""
    table = np.array(table.split(), float).reshape(8, 8)
    scale = jnp.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    steps = jnp.clip(jnp.floor((table * scale + 50) / 100), 1, 255)

    rows, columns = (_matrices(size, smaller) for size in planes.shape[1:])
    steps = jnp.tile(steps, (len(rows.cosines) // 8, len(columns.cosines) // 8))
    samples = jnp.round(_both_ways(rows.down, planes, columns.down))
    coefficients = _both_ways(rows.cosines, samples, columns.cosines)
    coefficients = jnp.round(coefficients / steps) * steps
    samples = jnp.round(_both_ways(rows.cosines.T, coefficients, columns.cosines.T))
    return jnp.round(_both_ways(rows.up, jnp.clip(samples, -128, 127), columns.up))


def _both_ways(rows, planes, columns):
    return jnp.einsum("ui,pij,vj->puv", rows, planes, columns, precision="highest")


class _Matrices(NamedTuple):
    """From a row of pixels to its samples, from these to their coefficients, and back to pixels."""

    down: np.ndarray
    cosines: np.ndarray
    up: np.ndarray


@functools.cache
def _matrices(size, smaller):
    """For a row of so many pixels.

    A sample is the mean of `smaller` pixels, 1 or 2; from 2, libjpeg's triangle filter leads back.
    The last pixel fills a row of whole blocks.
    """
    whole = -(-size // 16) * 16
    down = np.eye(size)[np.minimum(np.arange(whole), size - 1)]
    down = down.reshape(whole // smaller, smaller, size).mean(axis=1)

    samples = np.eye(len(down))
    places = np.arange(whole) // smaller
    beside = places + np.where(np.arange(whole) % 2, 1, -1) * (smaller - 1)
    beside = np.clip(beside, 0, len(samples) - 1)
    up = (0.75 * samples[places] + 0.25 * samples[beside])[:size]

    order, place = np.mgrid[0:8, 0:8]
    cosines = np.cos((2 * place + 1) * order * np.pi / 16) * np.sqrt(np.where(order, 2, 1) / 8)
    cosines = np.kron(np.eye(len(down) // 8), cosines)
    return _Matrices(*(matrix.astype(np.float32) for matrix in (down, cosines, up)))
