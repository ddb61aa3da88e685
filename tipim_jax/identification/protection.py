"""What the search for protected probes finds: whom they are taken for, and whether it is them.

Conventions that hold for every function here:
  - Identities are integers; those of the gallery are by image, `own` and `targets` say whom the
    probes show and whom the masks imitate.
  - Figures are given by probe, so that shares and their intervals (`interval`) can be taken later:
    a share is the mean over the probes.
  - `found` is what `nearest` gives; where it found fewer than N images, they are the top N.

Rank-N-T and Rank-N-UT are those of section 4.1 of Yang et al., ICCV 2021 (arXiv 2003.06814).
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from tipim_jax.identification.located import locate
from tipim_jax.identification.search import Nearest


def rank_n_targeted(
    found: Nearest,
    gallery_identities: Int[np.ndarray, " images"],
    targets: Int[np.ndarray, " targets"],
    n: int,
) -> Bool[np.ndarray, " probes"]:
    """Rank-N-T: one of the N nearest images or more is of a target identity."""
    wanted = np.broadcast_to(targets, (len(found.index), len(targets)))
    return _is_of(found, gallery_identities, wanted, n).any(axis=1)


def rank_n_untargeted(
    found: Nearest,
    gallery_identities: Int[np.ndarray, " images"],
    own: Int[np.ndarray, " probes"],
    n: int,
) -> Bool[np.ndarray, " probes"]:
    """Rank-N-UT: none of the N nearest images is of the probe's own identity."""
    return ~_is_of(found, gallery_identities, np.asarray(own)[:, None], n).any(axis=1)


def cumulative_matches(
    found: Nearest,
    gallery_identities: Int[np.ndarray, " images"],
    own: Int[np.ndarray, " probes"],
) -> Bool[np.ndarray, "probes count"]:
    """Whether the probe's own identity is among the N nearest images, for N = 1, 2, ... count.

    The mean over the probes is the CMC (cumulative match characteristic) curve; column N - 1 is
    the contrary of Rank-N-UT.
    """
    matches = _is_of(found, gallery_identities, np.asarray(own)[:, None], found.index.shape[1])
    return np.logical_or.accumulate(matches, axis=1)


def cosine_to(
    gallery: Float[np.ndarray, "images dim"],
    gallery_identities: Int[np.ndarray, " images"],
    probes: Float[np.ndarray, "probes dim"],
    wanted: Int[np.ndarray, "probes wanted"],
) -> Float[np.ndarray, " probes"]:
    """The greatest cosine of each probe to a gallery image of one of the identities it asks about.

    Memory is that of the probes times the images of all those identities together, whatever else
    the gallery holds.

    Args:
      gallery, probes: embeddings of any scale.
      wanted: the probe's own identity alone, say, or all targets, the same for every probe.

    Returns:
      NaN for a probe of whose identities the gallery has no image.
    """
    asked = np.flatnonzero(np.isin(gallery_identities, wanted))
    if not asked.size:
        return np.full(len(probes), np.nan, np.float32)
    located = locate(gallery[asked], gallery_identities[asked], probes, wanted)
    cosine = np.asarray(located.cosine)
    return np.where(np.isneginf(cosine), np.float32(np.nan), cosine)


def not_verified(
    own_cosine: Float[np.ndarray, " probes"], thresholds: Sequence[float]
) -> Float[np.ndarray, "probes thresholds"]:
    """Whether verification fails: no gallery image of the probe's identity reaches the threshold.

    The mean over the probes is the protection success rate at the FAR for which
    `impostor_threshold` chose the threshold.

    Args:
      own_cosine: `cosine_to` the probe's own identity.

    Returns:
      1 or 0; NaN for a probe whose cosine is NaN, since nobody could have accepted it.
    """
    cosine = np.asarray(own_cosine)[:, None]
    return np.where(np.isnan(cosine), np.nan, cosine < np.asarray(thresholds))


def _is_of(found, gallery_identities, wanted, n) -> Bool[np.ndarray, "probes n"]:
    """Whether each of the N nearest images is of an identity that the probe asks about."""
    count = found.index.shape[1]
    if not 1 <= n <= count:
        raise ValueError(f"N is {n}, expected 1 to {count}: the search kept {count} images a probe")
    index = found.index[:, :n]
    identities = np.asarray(gallery_identities)[index]
    return (identities[:, :, None] == wanted[:, None, :]).any(axis=2) & (index >= 0)
