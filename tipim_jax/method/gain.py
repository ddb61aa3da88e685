"""Which target an image takes: functions of embeddings' distances alone (paper, eq. 6 and 7)."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def squared_distances(
    embeddings: Float[Array, "candidates dim"], references: Float[Array, "references dim"]
) -> Float[Array, "candidates references"]:
    """D_f = ‖f(a) − f(b)‖²₂, as the paper's gain has it."""
    return jnp.sum((embeddings[:, None] - references[None]) ** 2, axis=-1)


def euclidean_distances(
    embeddings: Float[Array, "candidates dim"], references: Float[Array, "references dim"]
) -> Float[Array, "candidates references"]:
    """‖f(a) − f(b)‖₂, as the official code's gain has it."""
    return jnp.sqrt(squared_distances(embeddings, references))


def gains(
    to_original: Float[Array, " candidates"],
    to_targets: Float[Array, "candidates targets"],
    reduction=jnp.max,
) -> Float[Array, " candidates"]:
    """G = log(1 + max_k exp(D(x, x^r) − D(x, x^t_k))) for every candidate x (eq. 7).

    Args:
      reduction: in place of max_k; a sum is the paper's Center-Opt, the minimum a variant of the
        official code (Gain2).
    """
    return jnp.log1p(reduction(jnp.exp(to_original[:, None] - to_targets), axis=-1))


def best_candidate(gains: Float[Array, " candidates"]) -> Int[Array, ""]:
    """argmax_k G(x_k), the first of equals (eq. 6)."""
    return jnp.argmax(gains)
