"""Verification: do two photos show the same person?

Conventions that hold for every function here:
  - A pair has a cosine in [-1, 1], and its photos are of the same person or of different ones.
  - A threshold accepts a pair whose cosine reaches it: cosine >= threshold.
  - TAR (true accept rate) is the accepted share of the pairs of the same person, FAR (false accept
    rate) that of the pairs of different people, accuracy the share of all pairs that are judged
    rightly.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from tipim_jax.identification.impostors import Impostors, impostor_cosines, sorted_by_person

LIMITS = (1e-2, 1e-3)


@dataclass(frozen=True)
class OperatingPoint:
    """The lowest threshold at which the FAR keeps to a limit, and what is accepted there.

    With fewer than 1 / limit pairs of different people none of them may be accepted: the threshold
    then lies just above the greatest of their cosines.
    """

    limit: float
    threshold: float
    far: float
    tar: float


@dataclass(frozen=True)
class VerificationRates:
    """What a threshold that was chosen elsewhere does here."""

    threshold: float
    far: float
    tar: float
    accuracy: float


@dataclass(frozen=True)
class CrossValidated:
    """Accuracy by LFW's protocol: the mean over the folds, and the standard error of that mean."""

    accuracy: float
    standard_error: float
    folds: int


@dataclass(frozen=True)
class Verification:
    """How well cosines tell the same person from different people.

    Attributes:
      same, different: numbers of pairs.
      points: one for each limit of the FAR.
      auc: area under the ROC curve, the share of (pair of the same person, pair of different
        people) in which the first has the greater cosine; equal ones count as half.
      rates: one for each given threshold.
      cross_validated: None where there are no folds.
    """

    same: int
    different: int
    points: tuple[OperatingPoint, ...]
    auc: float
    rates: tuple[VerificationRates, ...]
    cross_validated: CrossValidated | None


def verify(
    cosines: Float[np.ndarray, " pairs"],
    same: Bool[np.ndarray, " pairs"],
    folds: Int[np.ndarray, " pairs"],
    *,
    limits: Sequence[float] = LIMITS,
    thresholds: Sequence[float] = (),
) -> Verification:
    """Everything about a list of pairs.

    Args:
      cosines, same: of each pair; there are two pairs or more of either kind.
      folds: the number of each pair's fold, see `cross_validate`.
      limits: of the FAR.
      thresholds: given ones, whose rates are wanted.

    Raises:
      ValueError: a cosine is not finite, or there are too few pairs of one kind.
    """
    cosines = np.asarray(cosines, np.float64)
    tally = _Tally(cosines[same], int((~same).sum()), limits, thresholds)
    tally.add(cosines[~same])
    return tally.result(cross_validate(cosines, same, folds))


def verify_all_pairs(
    embeddings: Float[np.ndarray, "photos dim"],
    identities: Int[np.ndarray, " photos"],
    *,
    limits: Sequence[float] = LIMITS,
    thresholds: Sequence[float] = (),
) -> Verification:
    """As `verify`, of every pair of photos; memory does not grow with the number of pairs.

    (That of the pairs of the same person excepted, which are few beside all.)

    Args:
      embeddings: of any scale.
      identities: who is in each photo.

    Raises:
      ValueError: an embedding is not finite, or there are too few pairs of one kind.
    """
    unit, ends = sorted_by_person(embeddings, identities)
    same = [unit[first + 1 : end] @ unit[first] for first, end in enumerate(ends)]
    same = np.concatenate([np.zeros(0, np.float32), *same])
    tally = _Tally(same, math.comb(len(unit), 2) - len(same), limits, thresholds)
    for cosines in impostor_cosines(unit, ends):
        tally.add(cosines)
    return tally.result(None)


def cross_validate(
    cosines: Float[np.ndarray, " pairs"],
    same: Bool[np.ndarray, " pairs"],
    folds: Int[np.ndarray, " pairs"],
) -> CrossValidated:
    """Accuracy on each fold at the threshold that is best on the others.

    Section 5 ("View 2") of Huang et al., "Labeled Faces in the Wild", University of Massachusetts,
    Amherst, Technical Report 07-49, 2007: of the accuracies p_i of n folds the mean and the
    standard error sigma / sqrt(n), sigma² = sum of (p_i - mean)² / (n - 1).

    Raises:
      ValueError: there are fewer than two folds.
    """
    numbers = np.unique(folds)
    if len(numbers) < 2:
        raise ValueError(f"found {len(numbers)} folds, expected two or more")
    accuracies = []
    for fold in numbers:
        held_out = folds == fold
        threshold = best_threshold(cosines[~held_out], same[~held_out])
        accuracies.append(np.mean((cosines[held_out] >= threshold) == same[held_out]))
    error = np.std(accuracies, ddof=1) / math.sqrt(len(accuracies))
    return CrossValidated(float(np.mean(accuracies)), float(error), len(accuracies))


def best_threshold(cosines: Float[np.ndarray, " pairs"], same: Bool[np.ndarray, " pairs"]) -> float:
    """The threshold of the greatest accuracy: half-way between two neighbouring cosines.

    Where several are equally good it is the middle one; it accepts all or none where that is best.
    """
    order = np.argsort(-cosines, kind="stable")
    ranked, same = cosines[order], same[order]
    # Number k accepts the k pairs with the greatest cosines.
    right = np.concatenate([[0], np.cumsum(np.where(same, 1, -1))])
    edges = np.concatenate([[np.inf], ranked, [-np.inf]])
    right = np.where(edges[:-1] > edges[1:], right, right.min() - 1)  # equal ones go together
    best = np.flatnonzero(right == right.max())
    number = best[len(best) // 2]
    above, below = edges[number], edges[number + 1]
    if np.isinf(above):
        return float(np.nextafter(below, np.inf))
    return float(above if np.isinf(below) else (above + below) / 2)


def interleaved_folds(
    same: Bool[np.ndarray, " pairs"], count: int = 10
) -> Int[np.ndarray, " pairs"]:
    """Deals pairs out to folds in turn, those of the same person and the others separately.

    There are no more folds than pairs of either kind.
    """
    count = max(1, min(count, int(same.sum()), int((~same).sum())))
    folds = np.empty(len(same), int)
    for kind in (same, ~same):
        folds[kind] = np.arange(kind.sum()) % count
    return folds


class _Tally:
    """Counts pairs of different people as they come, against those of the same person."""

    def __init__(self, same, different: int, limits, thresholds):
        if min(len(same), different) < 2:
            raise ValueError(
                f"found {len(same)} pairs of the same person and {different} of different people, "
                "expected two or more of each"
            )
        self.same = np.sort(same)
        self.different = different
        self.impostors = Impostors(different, limits)
        self.limits = limits
        self.thresholds = thresholds
        self.accepted = [0] * len(thresholds)
        self.twice_won = 0
        self._check(same)

    def add(self, different) -> None:
        """Takes some cosines of pairs of different people."""
        self._check(different)
        self.impostors.add(different)
        for number, threshold in enumerate(self.thresholds):
            self.accepted[number] += np.count_nonzero(different >= threshold)
        lost = sum(np.searchsorted(self.same, different, side).sum() for side in ("left", "right"))
        self.twice_won += 2 * len(self.same) * len(different) - int(lost)

    def result(self, cross_validated) -> Verification:
        return Verification(
            same=len(self.same),
            different=self.different,
            points=tuple(self._point(limit) for limit in self.limits),
            auc=self.twice_won / (2 * len(self.same) * self.different),
            rates=tuple(map(self._rates, self.thresholds, self.accepted)),
            cross_validated=cross_validated,
        )

    def _point(self, limit: float) -> OperatingPoint:
        threshold = self.impostors.threshold(limit)
        return OperatingPoint(limit, threshold, self.impostors.far(threshold), self._tar(threshold))

    def _rates(self, threshold: float, accepted: int) -> VerificationRates:
        far, tar = accepted / self.different, self._tar(threshold)
        right = tar * len(self.same) + self.different - accepted
        return VerificationRates(threshold, far, tar, right / (len(self.same) + self.different))

    def _tar(self, threshold) -> float:
        return float((self.same >= threshold).mean())

    def _check(self, cosines) -> None:
        if not np.isfinite(cosines).all():
            raise ValueError("a cosine is NaN or infinite, expected numbers in [-1, 1]")
