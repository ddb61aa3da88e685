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
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from tipim_jax.identification.cosine import cosines, normalise

_GALLERY_BLOCK = 4096
_PROBE_BLOCK = 512
# In the rows left over after whole groups XLA sums in another order, and equal images would not be
# equally near.
_ALIGNMENT = 128
_NONE = np.iinfo(np.int32).max


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
    probes = len(own)
    cosine, place = _nearest_asked(parts[0], size, identities, unit, own, targets, excluded)
    rank = 1 + _count_ahead(parts, size, unit, cosine, place, excluded)
    found = np.stack([cosine, rank], axis=1)
    return np.where(place[:, None] >= 0, found, np.nan)[..., :probes].reshape(4, probes)


def _nearest_asked(gallery, size, identities, unit, own, targets, excluded):
    """The nearest image of the own identity, and of the targets: cosine and place, [2, probes].

    Where there is none they are -inf and -1.
    """
    is_target = np.isin(identities, targets)
    asked = np.flatnonzero(is_target | np.isin(identities, own))
    probes = len(own)
    best = np.full((2, len(unit)), -np.inf, np.float32)
    place = np.full((2, len(unit)), -1, np.int32)
    for block, rows in _blocks(gallery, asked, size):
        cosine = np.asarray(_cosines(unit, rows)[0])[:probes, : len(block)]
        searched = block != excluded[:, None]
        for n, match in enumerate((identities[block] == own[:, None], is_target[block][None])):
            wanted = np.where(match & searched, cosine, -np.inf)
            column = wanted.argmax(axis=1)  # of equals the first one
            greatest = np.take_along_axis(wanted, column[:, None], axis=1)[:, 0]
            nearer = np.flatnonzero(greatest > best[n, :probes])
            best[n, nearer], place[n, nearer] = greatest[nearer], block[column[nearer]]
    return best, place


def _count_ahead(parts, size, unit, limits, places, excluded) -> Int[np.ndarray, "2 probes"]:
    """How many images are nearer to each probe than those at some places."""
    excluded = np.pad(excluded, (0, len(unit) - len(excluded)), constant_values=-1)
    count, broken = jnp.zeros(places.shape, jnp.int32), jnp.int32(_NONE)
    first = 0
    for part in parts:
        for block, rows in _blocks(part, np.arange(len(part)), size):
            previous = count
            ahead, faulty = _ahead(
                *_cosines(unit, rows), limits, places, excluded, first + block[0], len(block)
            )
            count, broken = count + ahead, jnp.minimum(broken, faulty)
            jax.block_until_ready(previous)  # or blocks would pile up before a slow device
        first += len(part)
    if broken != _NONE:
        raise ValueError(
            f"the embedding of gallery image {broken} holds NaN or infinity, or is too long for "
            "its square to be a float32; expected finite numbers"
        )
    return np.asarray(count)


def _blocks(part, places, size) -> Iterator[tuple[np.ndarray, Float[np.ndarray, "size dim"]]]:
    """Places of some images of a part of the gallery, and their embeddings, block by block.

    All blocks are padded to one shape, so that the cosine of two embeddings is the same in each.
    """
    for first in range(0, len(places), size):
        block = places[first : first + size]
        neighbours = block[-1] - block[0] + 1 == len(block)
        rows = part[block[0] : block[-1] + 1] if neighbours else part[block]
        rows = np.asarray(rows, np.float32)
        if len(rows) < size:
            rows = np.pad(rows, ((0, size - len(rows)), (0, 0)))
        yield block, rows


@jax.jit
def _cosines(
    unit: Float[Array, "probes dim"], rows: Float[Array, "images dim"]
) -> tuple[Float[Array, "probes images"], Bool[Array, " images"]]:
    """Of each probe to each image; and which images have a finite length."""
    return cosines(unit, normalise(rows)), jnp.isfinite(jnp.linalg.norm(rows, axis=1))


# Not one program with `_cosines`: what is compared must be the same numbers to the last bit.
@jax.jit
def _ahead(cosine, finite, limits, places, excluded, first, count):
    """How many of some neighbouring images are nearer, and the first one that is not finite.

    Args:
      cosine, finite: of the images, padded.
      limits, places: of what they are to be nearer than, [2, probes].
      excluded: places that do not count.
      first, count: place of the first image, and how many there are.
    """
    column = jnp.arange(cosine.shape[1])
    place = first + column
    before = place < places[..., None]
    nearer = (cosine > limits[..., None]) | ((cosine == limits[..., None]) & before)
    counts = (column < count) & (place != excluded[:, None]) & (place != places[..., None])
    broken = jnp.where((column < count) & ~finite, place, _NONE).min()
    return (nearer & counts).sum(axis=2, dtype=jnp.int32), broken


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
