"""Identification: a probe is searched for in a gallery of embeddings.

Conventions that hold for every function here:
  - Embeddings are float32 of any scale; similarity is their cosine, in [-1, 1]. Ranking by cosine
    is ranking by the distance D_f of the paper (eq. 2): on the unit sphere D_f = 2 - 2 cosine.
  - Identities are integers.
  - Ties are ordered by index in the gallery: of two equally near images the first one is nearer.
  - `excluded[p, g]` takes gallery image g out of the search for probe p (the probe's own photo,
    say, where it is in the gallery); None excludes nothing.

Rank-N-T (one of the N nearest images or more is of a target identity) and Rank-N-UT (none is of the
probe's true identity) are those of section 4.1 of Yang et al., ICCV 2021 (arXiv 2003.06814).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


class Located(NamedTuple):
    """Where a probe finds the identities it was asked about.

    cosine: to the nearest of their gallery images; -inf if the gallery has none of them.
    position: of that image among all the gallery's, from 1 (nearest); 0 if there is none.
    """

    cosine: Float[Array, " probes"]
    position: Int[Array, " probes"]


def normalise(embeddings: Float[Array, "*batch dim"]) -> Float[Array, "*batch dim"]:
    """Embeddings divided by their L2 norm; an embedding of zeros stays zeros."""
    length = jnp.linalg.norm(embeddings, axis=-1, keepdims=True)
    return embeddings / jnp.where(length > 0, length, 1)


@jax.jit
def locate(
    gallery: Float[Array, "images dim"],
    gallery_identities: Int[Array, " images"],
    probes: Float[Array, "probes dim"],
    wanted: Int[Array, "probes wanted"],
    excluded: Bool[Array, "probes images"] | None = None,
) -> Located:
    """The first gallery image of any of the identities that each probe asks about.

    For `wanted` the probe's own identity alone, Rank-N-UT is `position` = 0 or > N; for all the
    targets, Rank-N-T is 1 <= `position` <= N.
    """
    cosines = _cosines(gallery, probes, excluded)
    matches = (gallery_identities[None, :, None] == wanted[:, None, :]).any(axis=2)
    matching = jnp.where(matches, cosines, -jnp.inf)
    first = jnp.argmax(matching, axis=1)[:, None]  # argmax, too, gives the lowest index
    best = jnp.take_along_axis(matching, first, axis=1)
    index = jnp.arange(gallery.shape[0])[None, :]
    ahead = (cosines > best) | ((cosines == best) & (index < first))
    position = 1 + ahead.sum(axis=1)
    return Located(best[:, 0], jnp.where(best[:, 0] == -jnp.inf, 0, position))


def _cosines(gallery, probes, excluded):
    if gallery.shape[0] == 0:
        raise ValueError(
            "the gallery holds no image: a probe needs at least one to be compared with"
        )
    cosines = jnp.matmul(
        normalise(probes),
        normalise(gallery).T,
        # Accelerators would round the factors to 10 or 8 bits: enough to swap near neighbours.
        precision=jax.lax.Precision.HIGHEST,
    )
    return cosines if excluded is None else jnp.where(excluded, -jnp.inf, cosines)
