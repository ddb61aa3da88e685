"""The identity loss and the gain: functions of embeddings alone (paper, eq. 2 and 7).

Embeddings are float arrays whose last axis is the embedding; `normalise` puts them on the unit
sphere. With several surrogates each has its own embedding size, so distances, not embeddings, are
averaged over surrogates.
"""

from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float

Distance = Literal["sum", "mean"]
GainDistance = Literal["squared", "euclidean"]
Gain = Literal["max", "sum", "min"]

# Added to Σe² by the official networks (RobFR networks/FaceModel.py), so that zero has a norm.
_NORM_OFFSET = 1e-5


def normalise(embeddings: Float[Array, "*batch dim"]) -> Float[Array, "*batch dim"]:
    """f = e / sqrt(Σe² + 1e-5), as the official code does."""
    squares = jnp.sum(embeddings**2, axis=-1, keepdims=True)
    return embeddings / jnp.sqrt(squares + _NORM_OFFSET)


def identity_cotangents(
    original: Float[Array, " dim"],
    targets: Float[Array, "targets dim"],
    self_weight: Float[Array, ""] | float,
    distance: Distance,
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
    scale = 2.0 if distance == "sum" else 2.0 / original.shape[-1]
    return scale * (self_weight * original[None] - targets)


def gain_distances(
    embeddings: Float[Array, "candidates dim"],
    references: Float[Array, "references dim"],
    kind: GainDistance,
) -> Float[Array, "candidates references"]:
    """Distances D_f as the gain uses them: squared ℓ2 (paper) or ℓ2 (official code)."""
    squared = jnp.sum((embeddings[:, None] - references[None]) ** 2, axis=-1)
    return squared if kind == "squared" else jnp.sqrt(squared)


def gains(
    to_original: Float[Array, " candidates"],
    to_targets: Float[Array, "candidates targets"],
    reduction: Gain,
) -> Float[Array, " candidates"]:
    """G = log(1 + max_k exp(D(x, x^r) − D(x, x^t_k))) for every candidate x (eq. 7).

    `reduction` "sum" is the paper's Center-Opt; "min" is a variant of the official code (Gain2).
    """
    ratios = jnp.exp(to_original[:, None] - to_targets)
    reduced = {"max": jnp.max, "sum": jnp.sum, "min": jnp.min}[reduction](ratios, axis=-1)
    return jnp.log1p(reduced)
