"""Embeddings are compared by their cosine.

Conventions that hold for every function here:
  - Embeddings are float32 of any scale, [rows, dim]; `unit` ones have length 1.
  - Ranking by cosine is ranking by the distance D_f of the paper (eq. 2): on the unit sphere
    D_f = 2 - 2 cosine.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def normalise(embeddings: Float[Array, "*batch dim"]) -> Float[Array, "*batch dim"]:
    """Embeddings divided by their L2 norm; an embedding of zeros stays zeros."""
    length = jnp.linalg.norm(embeddings, axis=-1, keepdims=True)
    return embeddings / jnp.where(length > 0, length, 1)


def cosines(
    unit_probes: Float[Array, "probes dim"], unit_gallery: Float[Array, "images dim"]
) -> Float[Array, "probes images"]:
    """The cosine of every probe with every image of the gallery."""
    # Accelerators would round the factors to 10 or 8 bits: enough to swap near neighbours.
    return jnp.matmul(unit_probes, unit_gallery.T, precision=jax.lax.Precision.HIGHEST)
