"""The losses as gradients (paper, eq. 2 and 4).

Embeddings are float arrays whose last axis is the embedding, on the unit sphere but for the offset
of `surrogate.normalise`.
"""

from jaxtyping import Array, Float


def identity_cotangents(
    original: Float[Array, " dim"],
    targets: Float[Array, "targets dim"],
    self_weight: Float[Array, ""] | float = 1.0,
) -> Float[Array, "targets dim"]:
    """∂L_iden/∂f(x^p) for every target, but for what the normalisation of f takes from it (eq. 2).

    L_iden = ‖f(x^p) − f(x^t)‖² − w ‖f(x^p) − f(x^r)‖² has the derivative
    2 (w f(x^r) − f(x^t)) + 2 (1 − w) f(x^p). At w = 1 the second part is zero. Else it is radial,
    along f = e / s with s = sqrt(‖e‖² + 1e-5), and the normalisation's own derivative
    (I − f fᵀ) / s, through which it goes next, leaves (1 − ‖f‖²) f / s of it. Were f exactly a unit
    vector that would be nothing; the offset leaves a share of 1e-5 / s², 1e-5 where embeddings have
    length 1 and less than float32 can tell where they have 10. So the first part is all that
    counts, and it needs no forward pass.

    Args:
      self_weight: w.
    """
    return 2.0 * (self_weight * original[None] - targets)


def mean_identity_cotangents(
    original: Float[Array, " dim"],
    targets: Float[Array, "targets dim"],
    self_weight: Float[Array, ""] | float = 1.0,
) -> Float[Array, "targets dim"]:
    """The same of distances that are means over the embedding, as the official code has them."""
    return identity_cotangents(original, targets, self_weight) / original.shape[-1]


def total_gradient(
    identity: Float[Array, "*targets height width 3"],
    mmd: Float[Array, "height width 3"],
    gamma: Float[Array, ""],
) -> Float[Array, "*targets height width 3"]:
    """N ∇L of one of N images, where L = (1/N) Σ_i L_iden + γ · MMD (eq. 4).

    Args:
      identity: ∇L_iden, perhaps towards each of several targets.
      mmd: N · ∂MMD/∂x^p.
      gamma: γ.
    """
    return identity + gamma * mmd
