"""The step of TIP-IM as an optax gradient transformation (paper, eq. 5; official run.py).

Gradients and updates are one image, float [height, width, 3]; updates are in pixels.
"""

import math

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from tipim_jax.method.traced import TipIm


def tip_im_update(settings: TipIm) -> optax.GradientTransformation:
    """g ← μ·g + ∇ / mean|∇|; the update is −α · direction(g)."""
    return optax.chain(
        scale_by_mean_absolute(),
        optax.trace(decay=settings.momentum),
        optax.scale_by_sign() if settings.norm == "linf" else scale_by_rms_norm(),
        optax.scale(-settings.step_size),
    )


def colour_clipped(
    change: Float[Array, "height width 3"], most: float
) -> Float[Array, "height width 3"]:
    """Brings the channels of a pixel within `most` of their middle, (least + greatest) / 2."""
    least, greatest = (limit(change, axis=-1, keepdims=True) for limit in (jnp.min, jnp.max))
    middle = (least + greatest) / 2
    return jnp.clip(change, middle - most, middle + most)


def scale_by_mean_absolute() -> optax.GradientTransformation:
    """`mean_absolute_normalised` for each array."""
    return _stateless(mean_absolute_normalised)


def mean_absolute_normalised(g: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """g divided by the mean of its absolute values; zero stays zero."""
    return g / jnp.maximum(jnp.mean(jnp.abs(g)), jnp.finfo(g.dtype).tiny)


def scale_by_rms_norm() -> optax.GradientTransformation:
    """Divides each array by its root mean square, g / ‖g‖₂ · sqrt(size); zero stays zero."""

    def normalised(g):
        norm = jnp.maximum(jnp.linalg.norm(g.ravel()), jnp.finfo(g.dtype).tiny)
        return g / norm * math.sqrt(g.size)

    return _stateless(normalised)


def _stateless(function) -> optax.GradientTransformation:
    return optax.stateless(lambda updates, _: jax.tree.map(function, updates))
