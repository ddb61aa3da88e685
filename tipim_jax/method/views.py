"""How an image is seen: through a window, and through random views of it.

Images are float [height, width, channels] of any range. Everything here is linear in the image but
JPEG, whose gradient is taken to be the identity's.

The official views (TIP-IM, input_diversify.py) are two warps of the crop; pixels whose source lies
outside it become 0. Ours is what a recogniser might see of the photo once it is posted: one warp to
a crop aligned as another detector might have done it, outside the image its border going on; then
what scaling down and up again leaves of it, and JPEG of that.

Points are (x, y) in pixels, (0, 0) in the centre of the top left one. A window is the affine map
from the points of what is seen to those of the image; None: the image itself is what is seen. Sizes
are (height, width) in pixels.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from tipim_jax.method.jpeg import compressed
from tipim_jax.pieces import computed_once

# The two standard deviations, of the affine noise and of the angle in radians, are drawn anew for
# every view from this interval (run.py).
SIGMA_RANGE = (0.01, 0.1)
# A pixel is kept when at least this share of its bilinear weights lies inside (input_diversify.py).
_INSIDE = 0.9999

# Standard deviations of how another alignment differs: turn in radians, shear, the logarithm of the
# scale, and the shift as a share of half the crop (1.7 of 112 pixels).
_TURN, _SCALE, _SHEAR, _SHIFT = 0.06, 0.05, 0.03, 0.03

# Of the crop's resolution, what scaling down leaves of it at least.
_LEAST_SCALE = 0.4
_QUALITIES = (50.0, 95.0)  # of the JPEG that a site might write

Image = Float[Array, "height width channels"]
Warps = Float[Array, "2 2 3"]
Window = Float[Array, "2 3"]
Size = tuple[int, int]


class View(NamedTuple):
    """A way to see an image.

    Attributes:
      see: linear map of images of any number of channels.
      code: what then becomes of RGB in [0, 255]; its gradient is taken to be the identity's.
    """

    see: Callable[[Image], Image]
    code: Callable[[Image], Image]


def plain_view(key: Key[Array, ""], window: Window | None, size: Size) -> View:
    """The image through the window, whatever the key."""
    return View(partial(through, window=window, size=size), _as_it_is)


def official_view(key: Key[Array, ""], window: Window | None, size: Size) -> View:
    """The official code's: a random affine view and a random rotation, one after the other."""
    warps = draw_warps(key)
    return View(lambda image: warped(through(image, window, size), warps), _as_it_is)


def posted_view(key: Key[Array, ""], window: Window | None, size: Size) -> View:
    """As another detector might have aligned it, scaled down and up, and compressed as JPEG."""
    alignment_key, scale_key, quality_key = jax.random.split(key, 3)
    scale = jax.random.uniform(scale_key, minval=_LEAST_SCALE)
    low, high = _QUALITIES
    quality = jax.random.uniform(quality_key, minval=low, maxval=high)

    def see(image):
        shape = image.shape[:2] if window is None else size
        drawn = draw_alignment(alignment_key, shape)
        if window is not None:
            drawn = _after(window, drawn)
        return rescaled(sample(image, drawn, shape), scale)

    return View(see, partial(compressed, quality=quality))


def _as_it_is(crop):
    return crop


def through(image: Image, window: Window | None, size: Size) -> Image:
    """What a window shows of an image, without any random view."""
    return image if window is None else sample(image, window, size)


def draw_warps(key: Key[Array, ""]) -> Warps:
    """Draws an official view: the matrix of an affine noise, then that of a rotation.

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


def warped(image: Image, warps: Warps) -> Image:
    """Applies two warps one after the other, each with its own interpolation."""
    for matrix in warps:
        image = warp(image, matrix)
    return image


def warp(image: Image, matrix: Float[Array, "2 3"]) -> Image:
    """Bilinear affine warp: torch's affine_grid and grid_sample with align_corners=False."""
    height, width, _ = image.shape

    def corners(matrix):
        xs = (2 * jnp.arange(width, dtype=matrix.dtype) + 1) / width - 1
        ys = (2 * jnp.arange(height, dtype=matrix.dtype) + 1) / height - 1
        x, y = _affine(matrix, xs[None], ys[:, None])
        x, y = ((x + 1) * width - 1) / 2, ((y + 1) * height - 1) / 2
        return _corners(x, y, (height, width), least=_INSIDE)

    return _interpolated(image, computed_once(corners, matrix))


class _Corners(NamedTuple):
    """Where the four pixels around points lie, and what each of them counts there.

    Attributes:
      index: of the upper left one, in an image whose pixels stand in one row.
      weights: of the upper left, upper right, lower left and lower right one; 0 outside the image.
    """

    index: Int[Array, "height width"]
    weights: Float[Array, "4 height width"]


def _corners(x, y, size: Size, least: float = 0.0) -> _Corners:
    """Of points (x, y) in an image of some size.

    Args:
      least: share of the weights that has to lie inside it for any to count.
    """
    height, width = size
    # Numbers are made whole before they are limited: of NaN, too, an index comes that is one.
    columns = jnp.clip(jnp.floor(x).astype(jnp.int32), 0, width - 2)
    rows = jnp.clip(jnp.floor(y).astype(jnp.int32), 0, height - 2)
    left, top = columns.astype(x.dtype), rows.astype(y.dtype)
    across = [jnp.maximum(0, 1 - jnp.abs(x - left - step)) for step in (0, 1)]
    down = [jnp.maximum(0, 1 - jnp.abs(y - top - step)) for step in (0, 1)]
    inside = sum(across) * sum(down)
    down = [jnp.where(inside >= least, weight, 0) for weight in down]
    weights = jnp.stack([vertical * horizontal for vertical in down for horizontal in across])
    return _Corners(rows * width + columns, weights)


def _interpolated(image: Image, corners: _Corners) -> Image:
    """The image at the points whose corners these are.

    One gather of pixels, channel by channel, whose transpose is one scatter: the cheapest form. Two
    matrix products would do only were rows to stay rows, and a dense matrix from all pixels to all
    is thousands of times as much work.
    """

    def gathered(image, corners):
        width, channels = image.shape[1:]
        planes = image.reshape(-1, channels).T
        index = corners.index + jnp.array([0, 1, width, width + 1])[:, None, None]
        around = planes.at[:, index].get(mode="promise_in_bounds")
        return jnp.moveaxis((around * corners.weights.astype(image.dtype)).sum(axis=1), 0, -1)

    return computed_once(gathered, image, corners)


def _affine(matrix, x, y):
    """Where an affine map takes points."""
    (xx, xy, x0), (yx, yy, y0) = matrix
    return xx * x + xy * y + x0, yx * x + yy * y + y0


def draw_alignment(key: Key[Array, ""], size: Size) -> Float[Array, "2 3"]:
    """Draws how another alignment's crop differs: from its points to the crop's.

    Crops of another size are drawn to differ alike, as a share of their size.
    """
    turn, scale, shear, x, y = jax.random.normal(key, (5,))
    cos, sin = jnp.cos(_TURN * turn), jnp.sin(_TURN * turn)
    sheared = jnp.array([[1.0, 0.0], [0.0, 1.0]]) + _SHEAR * shear * jnp.array([[0.0, 1.0], [0, 0]])
    turned = jnp.exp(_SCALE * scale) * jnp.array([[cos, sin], [-sin, cos]])
    linear = _product(turned, sheared)
    height, width = size
    middle = jnp.array([(width - 1) / 2, (height - 1) / 2])
    shift = jnp.array([_SHIFT * width / 2, _SHIFT * height / 2]) * jnp.stack([x, y])
    return jnp.column_stack([linear, middle + shift - _product(linear, middle)])


def mapped(matrix: Float[Array, "2 3"], size: Size) -> Float[Array, "2 height width"]:
    """Where an affine map takes the points of the pixels of an image of some size: x, then y."""
    height, width = size
    columns, rows = (jnp.arange(count, dtype=matrix.dtype) for count in (width, height))
    return jnp.stack(_affine(matrix, columns[None], rows[:, None]))


def inverse(alignment: Float[Array, "2 3"]) -> Float[Array, "2 3"]:
    """Of an affine map of points."""
    linear = jnp.linalg.inv(alignment[:, :2])
    return jnp.column_stack([linear, _product(-linear, alignment[:, 2])])


def _after(outer, inner):
    """The affine map that is `inner`, then `outer`."""
    linear = outer[:, :2]
    shift = _product(linear, inner[:, 2]) + outer[:, 2]
    return jnp.column_stack([_product(linear, inner[:, :2]), shift])


def _product(left, right):
    """An accelerator would round points to a tenth of a pixel."""
    return jnp.matmul(left, right, precision="highest")


def sample(image: Image, window: Window, size: Size) -> Image:
    """Bilinear sampling of what a window shows, as recognisers align a face (cv2.warpAffine).

    Args:
      size: of what is seen.
    """
    height, width, _ = image.shape

    def corners(window):
        x, y = mapped(window, size)
        return _corners(jnp.clip(x, 0, width - 1), jnp.clip(y, 0, height - 1), (height, width))

    return _interpolated(image, computed_once(corners, window))


def rescaled(image: Image, scale: Float[Array, ""]) -> Image:
    """What is left of an image that was scaled down to `scale` in (0, 1], and up again.

    Each pixel becomes the mean of those around it, with the weights of a triangle of half-width
    1 / scale, as Pillow's bilinear filter has it.
    """
    rows, columns = (_triangles(count, scale).astype(image.dtype) for count in image.shape[:2])
    return jnp.einsum("ij,jkc,lk->ilc", rows, image, columns, precision="highest")


def _triangles(count, scale):
    places = jnp.arange(count)
    weights = jnp.maximum(0, 1 - scale * jnp.abs(places[:, None] - places[None]))
    return weights / weights.sum(axis=1, keepdims=True)


def transposed(
    see: Callable[[Image], Image],
    gradients: Float[Array, "batch seen_height seen_width channels"],
    size: Size,
) -> Float[Array, "batch height width channels"]:
    """The transpose of a linear map of images, for many gradients: they become channels of one.

    A warp's transpose is a scatter; its cost is per pixel, hardly per channel.

    Args:
      see: see `View`.
      size: of its input.
    """
    batch, *seen, channels = gradients.shape
    stacked = jnp.moveaxis(gradients, 0, 2).reshape(*seen, batch * channels)
    image = jax.ShapeDtypeStruct((*size, batch * channels), gradients.dtype)
    (stacked,) = jax.linear_transpose(see, image)(stacked)
    return jnp.moveaxis(stacked.reshape(*size, batch, channels), 2, 0)
