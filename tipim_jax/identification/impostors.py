"""Impostor pairs, those of photos of different people: how many of them a threshold lets through.

A threshold accepts a pair whose cosine reaches it: cosine >= threshold. FAR (false accept rate), or
false match rate, is the accepted share of the impostor pairs.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float, Int

_BLOCK = 2**22  # cosines in memory at a time


def impostor_threshold(
    embeddings: Float[np.ndarray, "photos dim"],
    identities: Int[np.ndarray, " photos"],
    far: float | Sequence[float],
) -> Float[np.ndarray, "*fars"]:
    """The lowest threshold at which the FAR among all impostor pairs does not exceed `far`.

    Time grows with the number of pairs, memory with the number that may be accepted: a sample of a
    great gallery will do.

    Args:
      embeddings: of any scale.
      identities: who is in each photo.
      far: one limit of the FAR, or several, in [0, 1). Of fewer than 1 / far pairs none may be
        accepted: the threshold then lies just above the greatest of their cosines.

    Returns:
      As many thresholds as there are limits; a scalar for one number.

    Raises:
      ValueError: an embedding is not finite, there is no impostor pair, or a limit is out of range.
    """
    limits = np.ravel(far)
    if not ((limits >= 0) & (limits < 1)).all():
        raise ValueError(f"found a limit of the FAR of {far}, expected shares in [0, 1)")
    unit, ends = sorted_by_person(embeddings, identities)
    impostors = Impostors(int((len(unit) - ends).sum()), limits)
    if impostors.count < 1:
        raise ValueError(
            "found photos of one person alone: a threshold needs pairs of different people"
        )
    for cosines in impostor_cosines(unit, ends):
        impostors.add(cosines)
    thresholds = [impostors.threshold(limit) for limit in limits]
    return np.reshape(thresholds, np.shape(far))[()]


def false_match_rates(
    embeddings: Float[np.ndarray, "photos dim"],
    identities: Int[np.ndarray, " photos"],
    thresholds: Sequence[float],
) -> list[float | None]:
    """The share of the impostor pairs that each threshold accepts: what chance gives there.

    Args:
      embeddings: of any scale.
      identities: who is in each photo.
      thresholds: cosines that were chosen elsewhere.

    Returns:
      One rate for each threshold; None where all photos are of one person.

    Raises:
      ValueError: an embedding is not finite.
    """
    unit, ends = sorted_by_person(embeddings, identities)
    count = int((len(unit) - ends).sum())
    if not count:
        return [None] * len(thresholds)
    accepted = np.zeros(len(thresholds), int)
    for cosines in impostor_cosines(unit, ends):
        accepted += [np.count_nonzero(cosines >= threshold) for threshold in thresholds]
    return (accepted / count).tolist()


def sorted_by_person(
    embeddings: Float[np.ndarray, "photos dim"], identities: Int[np.ndarray, " photos"]
) -> tuple[Float[np.ndarray, "photos dim"], Int[np.ndarray, " photos"]]:
    """Unit embeddings in float32, and for each the index after the last photo of its person.

    Raises:
      ValueError: an embedding is not finite.
    """
    if not np.isfinite(embeddings).all():
        raise ValueError("an embedding holds NaN or infinity")
    order = np.argsort(identities, kind="stable")
    identities, embeddings = identities[order], embeddings[order].astype(np.float32)
    length = np.linalg.norm(embeddings, axis=1, keepdims=True)
    unit = embeddings / np.where(length > 0, length, 1)
    return unit, np.searchsorted(identities, identities, side="right")


def impostor_cosines(
    unit: Float[np.ndarray, "photos dim"], ends: Int[np.ndarray, " photos"]
) -> Iterator[Float[np.ndarray, " some"]]:
    """The cosine of every impostor pair once, some at a time; arguments as `sorted_by_person`."""
    count = len(unit)
    rows = max(1, _BLOCK // max(1, count))
    for first in range(0, count, rows):
        cosines = unit[first : first + rows] @ unit[first:].T
        # People are sorted: whoever comes after the last photo of a row's person is somebody else.
        yield cosines[np.arange(first, count) >= ends[first : first + rows, None]]


class Impostors:
    """Keeps of cosines, as they come, the greatest ones: as many as the limits may admit."""

    def __init__(self, count: int, limits: Sequence[float]):
        """For `count` impostor pairs in all, and limits of the FAR."""
        self.count = count
        self._kept = 1 + max((self._allowed(limit) for limit in limits), default=0)
        self._greatest = np.zeros(0, np.float32)

    def add(self, cosines: Float[np.ndarray, " some"]) -> None:
        """Takes the cosines of some of the pairs."""
        if len(self._greatest) == self._kept:
            cosines = cosines[cosines > self._greatest[0]]
        both = np.concatenate([self._greatest, cosines])
        if len(both):
            cut = max(0, len(both) - self._kept)
            self._greatest = np.partition(both, cut)[cut:]  # the least of them comes first

    def threshold(self, limit: float) -> float:
        """The lowest one at which the FAR keeps to one of the limits."""
        ranked = np.sort(self._greatest)[::-1]
        # The greatest cosine that must not be accepted; whatever equals it is not accepted either.
        return float(np.nextafter(ranked[self._allowed(limit)], np.inf, dtype=ranked.dtype))

    def far(self, threshold: float) -> float:
        """The FAR at a `threshold` of one of the limits."""
        return float((self._greatest >= threshold).sum() / self.count)

    def _allowed(self, limit: float) -> int:
        """How many pairs a limit admits."""
        # 0.29 · 100 is a little less than 29 in binary.
        return min(math.floor(limit * self.count * (1 + 1e-12)), self.count - 1)
