"""Identification: a probe is searched for in a gallery of embeddings.

Conventions that hold for every function here:
  - Embeddings are float32 of any scale; similarity is their cosine, in [-1, 1].
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

from tipim_jax.identification.cosine import cosines, normalise


class Located(NamedTuple):
    """Where a probe finds the identities it was asked about.

    cosine: to the nearest of their gallery images; -inf if the gallery has none of them.
    position: of that image among all the gallery's, from 1 (nearest); 0 if there is none.
    """

    cosine: Float[Array, " probes"]
    position: Int[Array, " probes"]


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

    Memory is that of probes times images, as for `excluded`; where only the first places matter,
    `nearest` finds them in a gallery of any size.
    """
    cosine = _cosines(gallery, probes, excluded)
    matches = (gallery_identities[None, :, None] == wanted[:, None, :]).any(axis=2)
    matching = jnp.where(matches, cosine, -jnp.inf)
    first = jnp.argmax(matching, axis=1)[:, None]  # argmax, too, gives the lowest index
    best = jnp.take_along_axis(matching, first, axis=1)
    index = jnp.arange(gallery.shape[0])[None, :]
    ahead = (cosine > best) | ((cosine == best) & (index < first))
    position = 1 + ahead.sum(axis=1)
    return Located(best[:, 0], jnp.where(best[:, 0] == -jnp.inf, 0, position))


def _cosines(gallery, probes, excluded):
    if gallery.shape[0] == 0:
        raise ValueError(
            "the gallery holds no image: a probe needs at least one to be compared with"
        )
    cosine = cosines(normalise(probes), normalise(gallery))
    return cosine if excluded is None else jnp.where(excluded, -jnp.inf, cosine)
