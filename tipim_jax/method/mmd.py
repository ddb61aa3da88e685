"""Maximum mean discrepancy between protected and original images (paper, eq. 3).

Images are flattened RGB in [0, 255]; kernels are Gaussians of squared pixel distance.
"""

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float


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
