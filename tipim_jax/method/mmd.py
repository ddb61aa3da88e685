"""Maximum mean discrepancy between protected and original images (paper, eq. 3).

Kernels are Gaussians of squared pixel distance.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from tipim_jax.method.surrogate import Images
from tipim_jax.method.views import draw_warps, warped


def mmd(
    protected: Float[Array, "images pixels"],
    original: Float[Array, "images pixels"],
    weights: Float[Array, " images"],
    bandwidths: Sequence[float],
) -> Float[Array, ""]:
    """Squared MMD of two sets (eq. 3): Σ_σ mean k(p, p) + mean k(r, r) − 2 mean k(p, r).

    k(a, b) = exp(−‖a − b‖² / 2σ), means over all N×N pairs, a set with itself included (the biased
    estimate; TIP-IM, mmd.py, before its last division by N).

    Args:
      protected, original: the two sets, X^p and X^r.
      weights: 1 for images that count, 0 for padding.
      bandwidths: the widths σ, in squared pixels.
    """
    widths = jnp.asarray(bandwidths, protected.dtype)
    pairs = weights[:, None] * weights[None, :]
    pairs = pairs / jnp.maximum(jnp.sum(pairs), 1)  # a group of padding alone: 0, not NaN

    def mean_kernel(a, b):
        # Differences are taken before squaring: ‖a‖² + ‖b‖² − 2ab cancels to noise of ±60 in
        # float32 at 10⁹, where kernels of width 1e-6 need the zero of an image with itself.
        squared = jnp.sum((a[:, None] - b[None]) ** 2, axis=-1)
        kernels = jnp.exp(-squared[..., None] / (2 * widths)).sum(-1)
        return jnp.sum(pairs * kernels)

    return (
        mean_kernel(protected, protected)
        + mean_kernel(original, original)
        - 2 * mean_kernel(protected, original)
    )


def mmd_gradients(
    original: Images,
    protected: Images,
    keys: Key[Array, " batch"],
    valid: Bool[Array, " batch"],
    *,
    bandwidths: Sequence[float],
    group_size: int,
    divided_by_group: bool,
) -> Images:
    """N · ∂MMD/∂x^p of every image: eq. 4 is N times as large here, and each image's sum is free.

    Args:
      keys: decide the views by which a batch smaller than a set is filled.
      valid: see `Problem`.
      bandwidths, group_size, divided_by_group: see `TipIm.mmd_bandwidths` and those after it.
    """
    batch = len(protected)
    source = jnp.arange(max(batch, group_size)) % batch
    copied = source[batch:]
    weights = valid[source].reshape(-1, group_size).astype(protected.dtype)
    averaged = valid.reshape(-1, min(group_size, batch)).sum(-1)

    copies = jax.vmap(jax.random.fold_in)(keys[copied], jnp.arange(copied.size) + 1)
    warps = jax.vmap(draw_warps)(copies)

    def loss(images):
        sets = (_sets(each, copied, warps, group_size) for each in (images, original))
        values = jax.vmap(mmd, (0, 0, 0, None))(*sets, weights, bandwidths)
        if divided_by_group:
            values = values / jnp.maximum(weights.sum(-1), 1)
        return jnp.sum(averaged * values)

    return jax.grad(loss)(protected)


def _sets(images, copied, warps, group_size):
    """Images and the views that fill their set, `sets group_size pixels`."""
    filled = jnp.concatenate([images, jax.vmap(warped)(images[copied], warps)])
    return filled.reshape(-1, group_size, images[0].size)
