"""Verification against brute force and closed forms."""

import itertools
import math

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, norm

from tipim_jax.identification import (
    best_threshold,
    cross_validate,
    interleaved_folds,
    verify,
    verify_all_pairs,
)


@pytest.fixture(params=[0, 1, 2], ids=["apart", "rounded, with ties", "few"])
def pairs(request):
    """Cosines and whether each is of the same person."""
    random = np.random.default_rng(request.param)
    count = (400, 400, 9)[request.param]
    same = random.permutation(np.arange(count) % 3 == 0)
    cosines = np.clip(np.where(same, 0.6, 0.1) + 0.2 * random.normal(size=count), -1, 1)
    return (np.round(cosines, 1) if request.param == 1 else cosines), same


def accuracy(cosines, same, threshold):
    return sum((c >= threshold) == s for c, s in zip(cosines, same, strict=True)) / len(same)


@pytest.mark.parametrize("limit", [0.3, 0.01, 0.001])
def test_operating_point_has_the_lowest_threshold_that_keeps_to_the_limit(pairs, limit):
    cosines, same = pairs
    point = verify(cosines, same, interleaved_folds(same), limits=[limit]).points[0]
    different = cosines[~same]
    # A rate changes at a cosine alone: between two of them and beyond the last one is all there is.
    candidates = np.append(np.sort(different), 2)
    allowed = [t for t in candidates if (different > t).mean() <= limit]
    assert point.threshold == pytest.approx(min(allowed), abs=1e-12)
    assert point.far == (different > min(allowed)).mean() <= limit
    assert point.tar == (cosines[same] > min(allowed)).mean()


def test_limit_that_is_a_whole_number_of_pairs_admits_that_many():
    """29 of 100, although 0.29 · 100 is less than 29 in binary."""
    cosines = np.concatenate([np.linspace(0, 0.99, 100), [1.0, 1.0]])
    same = np.arange(102) >= 100
    assert verify(cosines, same, interleaved_folds(same), limits=[0.29]).points[0].far == 0.29


def test_operating_point_is_that_of_the_closed_form_for_normal_cosines():
    """FAR = 1 - Phi(threshold / s) gives the threshold; TAR = 1 - Phi((threshold - m) / s)."""
    random = np.random.default_rng(4)
    same = np.arange(400_000) < 200_000
    cosines = 0.1 * random.normal(size=len(same)) + 0.3 * same
    found = verify(cosines, same, interleaved_folds(same), limits=[1e-2, 1e-3])
    for point in found.points:
        threshold = 0.1 * norm.isf(point.limit)
        assert point.threshold == pytest.approx(threshold, abs=0.003)
        assert point.tar == pytest.approx(norm.sf((threshold - 0.3) / 0.1), abs=0.01)
    assert found.auc == pytest.approx(norm.cdf(0.3 / math.hypot(0.1, 0.1)), abs=0.001)
    assert found.cross_validated.accuracy == pytest.approx(norm.cdf(1.5), abs=0.001)


def test_area_under_the_curve_is_mann_whitneys(pairs):
    cosines, same = pairs
    found = verify(cosines, same, interleaved_folds(same))
    u = mannwhitneyu(cosines[same], cosines[~same]).statistic
    assert found.auc == pytest.approx(u / (same.sum() * (~same).sum()))


def test_best_threshold_has_the_greatest_accuracy_of_all(pairs):
    cosines, same = pairs
    best = max(accuracy(cosines, same, t) for t in [*cosines, 2])
    assert accuracy(cosines, same, best_threshold(cosines, same)) == best


def test_best_threshold_of_people_told_apart_lies_half_way():
    threshold = best_threshold(np.array([0.5, 0.1, 0.9, 0.2]), np.array([True, False, True, False]))
    assert threshold == pytest.approx(0.35)


@pytest.mark.parametrize("kind", [True, False])
def test_best_threshold_of_one_kind_of_pairs_judges_all_rightly(kind):
    cosines, same = np.array([0.1, 0.5]), np.array([kind, kind])
    assert accuracy(cosines, same, best_threshold(cosines, same)) == 1


def test_accuracy_is_measured_on_pairs_that_the_threshold_has_not_seen(pairs):
    cosines, same = pairs
    folds = interleaved_folds(same)
    accuracies = []
    for fold in range(max(folds) + 1):
        threshold = best_threshold(cosines[folds != fold], same[folds != fold])
        accuracies.append(accuracy(cosines[folds == fold], same[folds == fold], threshold))
    mean = sum(accuracies) / len(accuracies)
    spread = math.sqrt(sum((p - mean) ** 2 for p in accuracies) / (len(accuracies) - 1))
    found = cross_validate(cosines, same, folds)
    assert found.accuracy == pytest.approx(mean)
    assert found.standard_error == pytest.approx(spread / math.sqrt(len(accuracies)))


def test_noise_is_no_better_than_chance_however_the_threshold_is_chosen():
    random = np.random.default_rng(5)
    same = np.arange(2000) % 2 == 0
    found = verify(random.normal(size=2000) / 9, same, interleaved_folds(same))
    assert abs(found.cross_validated.accuracy - 0.5) < 4 * math.sqrt(0.25 / 2000)
    assert abs(found.auc - 0.5) < 0.05


def test_folds_have_their_share_of_either_kind():
    same = np.arange(743) < 654
    folds = interleaved_folds(same)
    for kind in (same, ~same):
        counts = np.bincount(folds[kind])
        assert len(counts) == 10
        assert np.ptp(counts) <= 1


def test_given_thresholds_are_judged(pairs):
    cosines, same = pairs
    found = verify(cosines, same, interleaved_folds(same), thresholds=[0.3])
    assert found.rates[0].tar == (cosines[same] >= 0.3).mean()
    assert found.rates[0].far == (cosines[~same] >= 0.3).mean()
    assert found.rates[0].accuracy == pytest.approx(accuracy(cosines, same, 0.3))


@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_all_pairs_are_those_of_a_list_of_all(rows, monkeypatch):
    count = 61
    monkeypatch.setattr("tipim_jax.identification.impostors._BLOCK", rows * count)
    random = np.random.default_rng(6)
    identities = random.integers(0, 9, count)
    centres = random.normal(size=(9, 16))
    embeddings = 3 * (centres[identities] + random.normal(size=(count, 16))).astype(np.float32)
    listed = list(itertools.combinations(range(count), 2))
    first, second = np.array(listed).T
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    same = identities[first] == identities[second]
    cosines = (unit[first] * unit[second]).sum(1)
    settings = {"limits": [0.1, 0.01], "thresholds": [0.31]}
    expected = verify(cosines, same, interleaved_folds(same), **settings)
    found = verify_all_pairs(embeddings, identities, **settings)
    assert (found.same, found.different) == (expected.same, expected.different)
    assert found.auc == pytest.approx(expected.auc, abs=1e-6)
    assert found.rates == expected.rates
    for ours, theirs in zip(found.points, expected.points, strict=True):
        assert (ours.far, ours.tar) == (theirs.far, theirs.tar)
        assert ours.threshold == pytest.approx(theirs.threshold, abs=1e-6)
    assert found.cross_validated is None


@pytest.mark.parametrize("same", [[True] * 9, [False] * 9, [True, False, False], []])
def test_too_few_pairs_of_one_kind_are_refused_with_their_number(same):
    same = np.array(same, bool)
    with pytest.raises(ValueError, match=f"found {same.sum()} pairs of the same person and"):
        verify(np.zeros(len(same)), same, interleaved_folds(same))


def test_cosine_that_is_no_number_is_refused():
    same = np.arange(8) % 2 == 0
    with pytest.raises(ValueError, match="NaN"):
        verify(np.where(same, np.nan, 0), same, interleaved_folds(same))
    with pytest.raises(ValueError, match="NaN"):
        verify_all_pairs(np.full((4, 3), np.nan), np.array([0, 0, 0, 1]))
