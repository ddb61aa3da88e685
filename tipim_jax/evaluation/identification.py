"""Identification: a probe is searched for in a gallery of embeddings.

Conventions that hold for every function here:
  - Embeddings are float32 of any scale; similarity is their cosine, in [-1, 1]. Ranking by cosine
    is ranking by the distance D_f of the paper (eq. 2): on the unit sphere D_f = 2 - 2 cosine.
  - Identities are integers from 0 on; -1 (`NOBODY`) is no identity and matches nothing.
  - Ties are ordered by index in the gallery: of two equally near images the first one is nearer.
  - `excluded[p, g]` takes gallery image g out of the search for probe p (the probe's own photo,
    say, where it is in the gallery); None excludes nothing.

Rank-N-T and Rank-N-UT are those of section 4.1 of Yang et al., ICCV 2021 (arXiv 2003.06814).
"""

from fractions import Fraction
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

NOBODY = -1


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


@partial(jax.jit, static_argnames="count")
def nearest(
    gallery: Float[Array, "images dim"],
    probes: Float[Array, "probes dim"],
    count: int,
    excluded: Bool[Array, "probes images"] | None = None,
) -> tuple[Float[Array, "probes {count}"], Int[Array, "probes {count}"]]:
    """The `count` gallery images nearest to each probe, nearest first: an exact search.

    Returns:
      Their cosines and their indices in the gallery. Where fewer than `count` images are left to a
      probe, the places at the end hold -inf and -1.
    """
    cosines = _cosines(gallery, probes, excluded)
    missing = max(0, count - gallery.shape[0])
    cosines = jnp.pad(cosines, ((0, 0), (0, missing)), constant_values=-jnp.inf)
    best, indices = jax.lax.top_k(cosines, count)  # of equal values the lower index comes first
    return best, jnp.where(best == -jnp.inf, -1, indices)


def identities_at(
    gallery_identities: Int[Array, " images"], indices: Int[Array, "probes count"]
) -> Int[Array, "probes count"]:
    """The identities of the images that `nearest` found; `NOBODY` where it found none."""
    return jnp.where(indices >= 0, jnp.asarray(gallery_identities)[indices], NOBODY)


@jax.jit
def rank_n_targeted(
    neighbour_identities: Int[Array, "probes n"], targets: Int[Array, " targets"]
) -> Bool[Array, " probes"]:
    """Rank-N-T: at least one of the N nearest gallery images is of a target identity."""
    is_target = jnp.isin(neighbour_identities, targets) & (neighbour_identities != NOBODY)
    return is_target.any(axis=1)


@jax.jit
def rank_n_untargeted(
    neighbour_identities: Int[Array, "probes n"], probe_identities: Int[Array, " probes"]
) -> Bool[Array, " probes"]:
    """Rank-N-UT: none of the N nearest gallery images is of the probe's true identity.

    More neighbours can only find the true identity: Rank-5-UT <= Rank-1-UT, always.
    """
    is_own = neighbour_identities == probe_identities[:, None]
    return ~(is_own & (neighbour_identities != NOBODY)).any(axis=1)


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
    matches &= gallery_identities[None, :] != NOBODY
    matching = jnp.where(matches, cosines, -jnp.inf)
    first = jnp.argmax(matching, axis=1)[:, None]  # argmax, too, gives the lowest index
    best = jnp.take_along_axis(matching, first, axis=1)
    index = jnp.arange(gallery.shape[0])[None, :]
    ahead = (cosines > best) | ((cosines == best) & (index < first))
    position = 1 + ahead.sum(axis=1)
    return Located(best[:, 0], jnp.where(best[:, 0] == -jnp.inf, 0, position))


def threshold_at_far(impostor_cosines: Float[Array, " pairs"], far: float) -> float:
    """The lowest threshold that no more than `far` of the impostor pairs exceed.

    A pair is accepted as one person when its cosine is *greater* than the threshold.

    Args:
      impostor_cosines: cosines of pairs of different people.
      far: false-accept rate, in (0, 1).

    Raises:
      ValueError: a cosine is not finite, or the pairs are too few to measure `far` (1 / far).
    """
    cosines = np.asarray(impostor_cosines).ravel()
    if not 0 < far < 1:
        raise ValueError(f"false-accept rate is {far}, expected between 0 and 1")
    if not np.isfinite(cosines).all():
        raise ValueError("an impostor cosine is not finite: an embedding holds NaN or infinity")
    # As decimal fractions: in binary floating point 0.29 * 100 is less than 29.
    accepted = int(Fraction(str(float(far))) * cosines.size)
    if accepted < 1:
        raise ValueError(
            f"{cosines.size} impostor pairs cannot measure a false-accept rate of {far}: "
            f"give at least {-int(-1 // Fraction(str(float(far))))} pairs"
        )
    return float(np.partition(cosines, -accepted - 1)[-accepted - 1])


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
