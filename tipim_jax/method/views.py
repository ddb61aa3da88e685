"""Random views of an image: the official code's input diversity (TIP-IM, input_diversify.py).

Images are float [height, width, channels] of any range. A view is linear in the image; pixels whose
source lies outside the image become 0.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

# The two standard deviations, of the affine noise and of the angle in radians, are drawn anew for
# every view from this interval (run.py).
SIGMA_RANGE = (0.01, 0.1)
# A pixel is kept when at least this share of its bilinear weights lies inside (input_diversify.py).
_INSIDE = 0.9999

Matrices = Float[Array, "2 2 3"]


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


def unview(
    gradients: Float[Array, "batch height width channels"], matrices: Matrices
) -> Float[Array, "batch height width channels"]:
    """The transpose of `view`, for many gradients at once: their images become channels of one.

    The warp's transpose is a scatter; its cost is per pixel, hardly per channel.
    """
    batch, height, width, channels = gradients.shape
    stacked = jnp.moveaxis(gradients, 0, 2).reshape(height, width, batch * channels)
    transpose = jax.linear_transpose(lambda image: view(image, matrices), stacked)
    (stacked,) = transpose(stacked)
    return jnp.moveaxis(stacked.reshape(height, width, batch, channels), 2, 0)
