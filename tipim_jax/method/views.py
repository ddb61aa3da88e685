"""How an image is seen: aligned, and through random views.

Images are float [height, width, channels] of any range. Everything here is linear in the image but
JPEG, whose gradient is taken to be the identity's.

The official views (TIP-IM, input_diversify.py) are two warps of the crop; pixels whose source lies
outside it become 0. Ours is what a recogniser might see of the photo once it is posted: one warp to
a crop aligned as another detector might have done it, outside the image its border going on; then
what scaling down and up again leaves of it, and JPEG of that.
"""

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from tipim_jax.method.jpeg import compressed

# The two standard deviations, of the affine noise and of the angle in radians, are drawn anew for
# every view from this interval (run.py).
SIGMA_RANGE = (0.01, 0.1)
# A pixel is kept when at least this share of its bilinear weights lies inside (input_diversify.py).
_INSIDE = 0.9999

CROP = 112  # pixels, each way, of a crop
# Standard deviations of how another alignment differs: turn in radians, shear, the logarithm of the
# scale, and the shift as a share of half the crop (1.7 pixels).
_TURN, _SCALE, _SHEAR, _SHIFT = 0.06, 0.05, 0.03, 0.03

# Of the crop's resolution, what scaling down leaves of it at least.
_LEAST_SCALE = 0.4
_QUALITIES = (50.0, 95.0)  # of the JPEG that a site might write

Matrices = Float[Array, "2 2 3"]
View = Callable[[Float[Array, "height width n"]], Float[Array, "size size n"]]


def draw_view(key: Key[Array, ""]) -> Matrices:
    """Draws a view: the matrix of an affine noise, then that of a rotation.

    A matrix maps output to source coordinates, both in [−1, 1] over the image's width and height.
    """
    sigma_key, noise_key, angle_key = jax.random.split(key, 3)
    low, high = SIGMA_RANGE
    sigmas = jax.random.uniform(sigma_key, (2,), minval=low, maxval=high)
    affine = jnp.eye(2, 3) + sigmas[0] * jax.random.normal(noise_key, (2, 3))
    angle = sigmas[1] * jax.random.normal(angle_key)
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    rotation = jnp.array([[cos, sin, 0.0], [-sin, cos, 0.0]])
    return jnp.stack([affine, rotation])


def view(
    image: Float[Array, "height width channels"], matrices: Matrices
) -> Float[Array, "height width channels"]:
    """Applies the view's two warps one after the other, each with its own interpolation."""
    for matrix in matrices:
        image = warp(image, matrix.astype(image.dtype))
    return image


def warp(
    image: Float[Array, "height width channels"], matrix: Float[Array, "2 3"]
) -> Float[Array, "height width channels"]:
    """Bilinear affine warp: torch's affine_grid and grid_sample with align_corners=False."""
    height, width, _ = image.shape
    xs = (2 * jnp.arange(width) + 1) / width - 1
    ys = (2 * jnp.arange(height) + 1) / height - 1
    grid = jnp.stack([*jnp.meshgrid(xs, ys), jnp.ones((height, width))]).astype(matrix.dtype)
    x, y = jnp.tensordot(matrix, grid, axes=1, precision=jax.lax.Precision.HIGHEST)
    x = ((x + 1) * width - 1) / 2
    y = ((y + 1) * height - 1) / 2

    offsets = jnp.array([[0, 0], [0, 1], [1, 0], [1, 1]])[:, :, None, None]
    row, column = jnp.floor(y) + offsets[:, 0], jnp.floor(x) + offsets[:, 1]
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    weight = inside * (1 - jnp.abs(x - column)) * (1 - jnp.abs(y - row))
    weight = weight * (weight.sum(0) >= _INSIDE)
    corners = image.at[row.astype(int), column.astype(int)].get(mode="clip")
    return jnp.sum(corners * weight[..., None].astype(image.dtype), axis=0)


def draw_alignment(key: Key[Array, ""], size: int) -> Float[Array, "2 3"]:
    """Draws how another alignment's crop differs: from its points to the crop's, in pixels.

    Points are (x, y), (0, 0) in the centre of the top left pixel.

    Args:
      size: of the crop, in pixels.
    """
    turn, scale, shear, x, y = jax.random.normal(key, (5,))
    cos, sin = jnp.cos(_TURN * turn), jnp.sin(_TURN * turn)
    sheared = jnp.array([[1.0, 0.0], [0.0, 1.0]]) + _SHEAR * shear * jnp.array([[0.0, 1.0], [0, 0]])
    linear = jnp.exp(_SCALE * scale) * jnp.array([[cos, sin], [-sin, cos]]) @ sheared
    middle = (size - 1) / 2
    shift = _SHIFT * size / 2 * jnp.stack([x, y])
    return jnp.column_stack([linear, middle + shift - linear @ jnp.full(2, middle)])


def mapped(matrix: Float[Array, "2 3"], shape: tuple[int, int]) -> Float[Array, "2 height width"]:
    """Where an affine map takes the points of an image's pixels: x, then y.

    Args:
      shape: height and width of the image.
    """
    height, width = shape
    grid = jnp.stack([*jnp.meshgrid(jnp.arange(width), jnp.arange(height)), jnp.ones(shape)])
    return jnp.tensordot(matrix, grid.astype(matrix.dtype), axes=1, precision="highest")


def inverse(alignment: Float[Array, "2 3"]) -> Float[Array, "2 3"]:
    """Of an affine map of points."""
    linear = jnp.linalg.inv(alignment[:, :2])
    return jnp.column_stack([linear, -linear @ alignment[:, 2]])


def sample(
    image: Float[Array, "height width channels"], matrix: Float[Array, "2 3"], size: int
) -> Float[Array, "size size channels"]:
    """Bilinear sampling of a crop, as recognisers' pipelines align it (cv2.warpAffine).

    Args:
      matrix: from the crop's points to the image's, in pixels; see `draw_alignment`.
      size: of the crop, in pixels.
    """
    height, width, _ = image.shape
    x, y = mapped(matrix.astype(image.dtype), (size, size))
    x, y = jnp.clip(x, 0, width - 1), jnp.clip(y, 0, height - 1)
    left, top = jnp.minimum(jnp.floor(x), width - 2), jnp.minimum(jnp.floor(y), height - 2)
    x, y = (x - left)[..., None], (y - top)[..., None]
    left, top = left.astype(int), top.astype(int)
    upper = image[top, left] * (1 - x) + image[top, left + 1] * x
    lower = image[top + 1, left] * (1 - x) + image[top + 1, left + 1] * x
    return upper * (1 - y) + lower * y


def rescaled(
    image: Float[Array, "size size channels"], scale: Float[Array, ""]
) -> Float[Array, "size size channels"]:
    """What is left of an image that was scaled down to `scale` in (0, 1], and up again.

    Each pixel becomes the mean of those around it, with the weights of a triangle of half-width
    1 / scale, as Pillow's bilinear filter has it.
    """
    places = jnp.arange(len(image))
    weights = jnp.maximum(0, 1 - scale * jnp.abs(places[:, None] - places[None]))
    weights = (weights / weights.sum(axis=1, keepdims=True)).astype(image.dtype)
    return jnp.einsum("ij,jkc,lk->ilc", weights, image, weights, precision="highest")


def aligned(
    image: Float[Array, "height width channels"], alignment: Float[Array, "2 3"] | None
) -> Float[Array, "size size channels"]:
    """The crop that networks see: `sample` at the alignment; None: the image is the crop."""
    return image if alignment is None else sample(image, alignment, CROP)


def random_view(
    key: Key[Array, ""],
    kind: Literal["official", "posted"],
    alignment: Float[Array, "2 3"] | None,
) -> tuple[View, Callable[[Float[Array, "size size 3"]], Float[Array, "size size 3"]]]:
    """Draws a view of a crop: a linear map of images, and what then becomes of the crop.

    Args:
      kind, alignment: see `TipIm.view` and `aligned`.
    """
    if kind == "official":
        matrices = draw_view(key)
        return lambda image: view(aligned(image, alignment), matrices), lambda crop: crop

    alignment_key, scale_key, quality_key = jax.random.split(key, 3)
    scale = jax.random.uniform(scale_key, minval=_LEAST_SCALE)
    low, high = _QUALITIES
    quality = jax.random.uniform(quality_key, minval=low, maxval=high)

    def see(image):
        size = len(image) if alignment is None else CROP
        drawn = draw_alignment(alignment_key, size)
        if alignment is not None:
            linear, shift = alignment[:, :2], alignment[:, 2]
            drawn = jnp.column_stack([linear @ drawn[:, :2], linear @ drawn[:, 2] + shift])
        return rescaled(sample(image, drawn, size), scale)

    return see, lambda crop: compressed(crop, quality)


def transposed(
    see: View,
    gradients: Float[Array, "batch size size channels"],
    shape: tuple[int, int],
) -> Float[Array, "batch height width channels"]:
    """The transpose of a linear map of images, for many gradients: they become channels of one.

    A warp's transpose is a scatter; its cost is per pixel, hardly per channel.

    Args:
      see: takes images of any number of channels.
      shape: height and width of its input.
    """
    batch, *size, channels = gradients.shape
    stacked = jnp.moveaxis(gradients, 0, 2).reshape(*size, batch * channels)
    image = jax.ShapeDtypeStruct((*shape, batch * channels), gradients.dtype)
    (stacked,) = jax.linear_transpose(see, image)(stacked)
    return jnp.moveaxis(stacked.reshape(*shape, batch, channels), 2, 0)
