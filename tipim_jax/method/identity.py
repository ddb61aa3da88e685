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
    original: Float[Array, " dim"], targets: Float[Array, "targets dim"], distance: Distance
) -> Float[Array, "targets dim"]:
    """∂L_iden/∂f(x^p) for every target (eq. 2).

    L_iden = ‖f(x^p) − f(x^t)‖² − ‖f(x^p) − f(x^r)‖² is linear in f(x^p) but for two squares that
    cancel, so its derivative 2 (f(x^r) − f(x^t)) needs no forward pass.
    """
    scale = 2.0 if distance == "sum" else 2.0 / original.shape[-1]
    return scale * (original[None] - targets)


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
