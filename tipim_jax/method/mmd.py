"""Maximum mean discrepancy between protected and original images (paper, eq. 3).

Kernels are Gaussians of squared pixel distance.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from tipim_jax.method.surrogate import Images
from tipim_jax.method.traced import TipIm
from tipim_jax.method.views import draw_view, view


def mmd(
    protected: Float[Array, "images pixels"],
    original: Float[Array, "images pixels"],
    weights: Float[Array, " images"],
    bandwidths: Sequence[float],
) -> Float[Array, ""]:
    """Squared MMD of the two sets, Σ_σ mean k(p, p) + mean k(r, r) − 2 mean k(p, r).

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


def naturalness_gradients(
    original: Images,
    protected: Images,
    keys: Key[Array, " batch"],
    valid: Bool[Array, " batch"],
    gamma: Float[Array, " batch"],
    settings: TipIm,
) -> Images:
    """γ · ∂MMD/∂x^p, times N: eq. 4 averages L_iden over N images, and each image's sum is free.

    Args:
      keys: decide the views by which a batch smaller than a set is filled.
      valid: see `Problem`.
    """
    batch, group = len(protected), settings.mmd_group_size
    source = jnp.arange(max(batch, group)) % batch
    copied = source[batch:]
    weights = valid[source].reshape(-1, group).astype(protected.dtype)
    averaged = valid.reshape(-1, min(group, batch)).sum(-1)

    def grouped(images, matrices):
        if copied.size:
            images = jnp.concatenate([images, jax.vmap(view)(images[copied], matrices)])
        return images.reshape(-1, group, images[0].size)

    def loss(images, matrices):
        values = jax.vmap(mmd, (0, 0, 0, None))(
            grouped(images, matrices),
            grouped(original, matrices),
            weights,
            settings.mmd_bandwidths,
        )
        if settings.mmd_divided_by_group:
            values = values / jnp.maximum(weights.sum(-1), 1)
        return jnp.sum(averaged * values)

    def gradients():
        copies = jax.vmap(jax.random.fold_in)(keys[copied], jnp.arange(copied.size) + 1)
        matrices = jax.vmap(draw_view)(copies) if copied.size else None
        return gamma[:, None, None, None] * jax.grad(loss)(protected, matrices)

    return jax.lax.cond(jnp.any(gamma != 0), gradients, lambda: jnp.zeros_like(protected))
