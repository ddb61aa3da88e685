"""Identification: where probes find the people that they are searched for in a gallery.

Conventions that hold for every function here:
  - Embeddings are float32 of any scale, [rows, dim]; similarity is their cosine, in [-1, 1].
  - Identities are numbers.
  - Ranks count from 1, the nearest image. Ties are ordered by index in the gallery: of two equally
    near images the first one is nearer.
  - What does not exist is NaN: cosine and rank of people of whom the gallery has no image. A probe
    that is lost (in whose photo no face is found any more) stands behind all images: at rank
    infinity and cosine -infinity.

Rank-N-T (one of the N nearest images or more is of a target identity: `target_rank` <= N) and
Rank-N-UT (none is of the probe's true identity: `own_rank` > N) are those of section 4.1 of Yang et
al., ICCV 2021 (arXiv 2003.06814).
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from tipim_jax.identification.cosine import cosines, normalise

_GALLERY_BLOCK = 4096
_PROBE_BLOCK = 512
# In the rows left over after whole groups XLA sums in another order, and equal images would not be
# equally near.
_ALIGNMENT = 128


class Standings(NamedTuple):
    """Where probes find their own identity, and where the first of the targets.

    Attributes:
      own_cosine: to the nearest image of the probe's own identity.
      own_rank: of that image among all of the gallery's.
      target_cosine, target_rank: the same for the nearest image of any target identity.
    """

    own_cosine: Float[np.ndarray, " probes"]
    own_rank: Float[np.ndarray, " probes"]
    target_cosine: Float[np.ndarray, " probes"]
    target_rank: Float[np.ndarray, " probes"]

    def lost_but(self, there: Bool[np.ndarray, " probes"], found: "Standings") -> "Standings":
        """Of probes that were as these: those that are `there` as `found`, the others lost."""
        everywhere = []
        for before, after, nowhere in zip(self, found, (-np.inf, np.inf) * 2, strict=True):
            values = np.where(np.isnan(before), np.nan, nowhere)
            values[there] = after
            everywhere.append(values)
        return Standings(*everywhere)


def standings(
    gallery: Float[np.ndarray, "images dim"],
    identities: Int[np.ndarray, " images"],
    probes: Float[np.ndarray, "probes dim"],
    own: Int[np.ndarray, " probes"],
    targets: Int[np.ndarray, " targets"],
    *,
    excluded: Int[np.ndarray, " probes"] | None = None,
    strangers: Sequence[Float[np.ndarray, "some dim"]] = (),
) -> Standings:
    """Searches for probes: exactly, by counting the images that are nearer.

    Memory is that of the probes and of a few blocks, whatever the size of the gallery: memory-maps
    of any floating type will do.

    Args:
      gallery, identities: the images, and who is in each.
      probes, own: what is searched for, and who it is.
      targets: who the probes shall be taken for.
      excluded: for each probe the index of an image that is not searched, its own photo, say; -1
        for none.
      strangers: images that stand behind the gallery's, of people who are nobody of these and can
        only be in the way.

    Raises:
      ValueError: the gallery is empty, the embeddings differ in size, or one is not finite.
    """
    _check(gallery, probes)
    if excluded is None:
        excluded = np.full(len(probes), -1)
    parts = (gallery, *(part for part in strangers if len(part)))
    size = _aligned(min(_GALLERY_BLOCK, max(map(len, parts))))
    found = [
        _of_some(parts, size, identities, unit, own[rows], targets, excluded[rows])
        for rows, unit in _probe_blocks(probes)
    ]
    none = np.zeros((4, 0))
    return Standings(*np.concatenate([none, *found], axis=1))


def _of_some(parts, size, identities, unit, own, targets, excluded) -> Float[np.ndarray, "4 some"]:
    is_target = np.isin(identities, targets)
    asked = np.flatnonzero(is_target | np.isin(identities, own))
    best = [_Best.none(len(own)), _Best.none(len(own))]
    for places, cosine in _compared(parts[0], asked, size, unit, len(own)):
        matches = identities[places] == own[:, None], is_target[places][None]
        searched = places != excluded[:, None]
        best = [
            one.or_else(places, np.where(match & searched, cosine, -np.inf))
            for one, match in zip(best, matches, strict=True)
        ]
    ahead = np.zeros((2, len(own)), int)
    first = 0
    for part in parts:
        for places, cosine in _compared(part, np.arange(len(part)), size, unit, len(own)):
            places = places + first
            for one, count in zip(best, ahead, strict=True):
                count += one.ahead(places, cosine, excluded)
        first += len(part)
    exists = [one.place >= 0 for one in best]
    return np.stack(
        [
            np.where(there, values, np.nan)
            for one, count, there in zip(best, ahead, exists, strict=True)
            for values in (one.cosine, 1 + count)
        ]
    )


class _Best(NamedTuple):
    """The nearest image of those that each probe asks about; place -1 and cosine -inf for none."""

    cosine: Float[np.ndarray, " probes"]
    place: Int[np.ndarray, " probes"]

    @classmethod
    def none(cls, probes: int) -> "_Best":
        return cls(np.full(probes, -np.inf, np.float32), np.full(probes, -1))

    def or_else(self, places, cosine) -> "_Best":
        """With images that come later; those that are not asked about have cosine -inf."""
        column = cosine.argmax(axis=1)  # of equals the first one
        greatest = np.take_along_axis(cosine, column[:, None], axis=1)[:, 0]
        nearer = greatest > self.cosine
        return _Best(
            np.where(nearer, greatest, self.cosine), np.where(nearer, places[column], self.place)
        )

    def ahead(self, places, cosine, excluded) -> Int[np.ndarray, " probes"]:
        """How many of some neighbouring images are nearer than this one."""
        limit, first = self.cosine[:, None], places[0]
        count = np.count_nonzero(cosine > limit, axis=1)
        before = places < self.place[:, None]
        if before[:, 0].any():
            count += np.count_nonzero((cosine == limit) & before, axis=1)
        for left_out in (excluded, self.place):
            probes = np.flatnonzero((left_out >= first) & (left_out <= places[-1]))
            place = left_out[probes]
            one, limits = cosine[probes, place - first], self.cosine[probes]
            count[probes] -= (one > limits) | ((one == limits) & (place < self.place[probes]))
        return count


def _compared(part, places, size, unit, probes) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Some images of a part of the gallery, block by block: places, and cosines of the probes.

    All blocks have one shape, so that the cosine of two embeddings is the same in each.
    """
    for first in range(0, len(places), size):
        block = places[first : first + size]
        contiguous = block[-1] - block[0] + 1 == len(block)
        rows = part[block[0] : block[-1] + 1] if contiguous else part[block]
        rows = np.asarray(rows, np.float32)
        finite = np.isfinite(np.linalg.norm(rows, axis=1))
        if not finite.all():
            raise ValueError(
                f"the embedding of gallery image {block[finite.argmin()]} holds NaN or infinity, "
                "or is too long for its square to be a float32; expected finite numbers"
            )
        padded = np.pad(rows, ((0, size - len(rows)), (0, 0)))
        yield block, np.asarray(_cosines(unit, padded))[:probes, : len(block)]


@jax.jit
def _cosines(
    unit: Float[Array, "probes dim"], rows: Float[Array, "images dim"]
) -> Float[Array, "probes images"]:
    return cosines(unit, normalise(rows))


def _probe_blocks(probes) -> Iterator[tuple[slice, Float[np.ndarray, "block dim"]]]:
    """Rows of the probes, and these of length 1, padded to blocks of one size."""
    size = _aligned(min(_PROBE_BLOCK, max(1, len(probes))))
    for first in range(0, len(probes), size):
        rows = np.asarray(probes[first : first + size], np.float32)
        padded = np.pad(rows, ((0, size - len(rows)), (0, 0)))
        yield slice(first, first + size), np.asarray(normalise(padded))


def _aligned(count: int) -> int:
    return _ALIGNMENT * math.ceil(count / _ALIGNMENT)


def _check(gallery, probes) -> None:
    if gallery.ndim != 2 or probes.ndim != 2 or gallery.shape[1] != probes.shape[1]:
        raise ValueError(
            f"the gallery is {list(gallery.shape)} and the probes are {list(probes.shape)}: "
            "expected embeddings of one size, [images, dim] and [probes, dim]"
        )
    if len(gallery) == 0:
        raise ValueError(
            "the gallery holds no image: a probe needs at least one to be compared with"
        )
    if not np.isfinite(np.linalg.norm(np.asarray(probes, np.float32), axis=1)).all():
        raise ValueError("the embedding of a probe holds NaN or infinity, expected finite numbers")
