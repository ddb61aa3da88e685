"""Rank-N, CMC and verification of protected probes against their definitions."""

import itertools

import numpy as np
import pytest

from tipim_jax.identification import (
    Nearest,
    cosine_to,
    cumulative_matches,
    impostor_threshold,
    locate,
    nearest,
    not_verified,
    rank_n_targeted,
    rank_n_untargeted,
)

TARGETS = np.array([3, 5])


@pytest.fixture(scope="module")
def people():
    """Embeddings of a gallery and of probes around one centre per identity, and who is who."""
    random = np.random.default_rng(3)
    centres = random.normal(size=(12, 16))
    identities = [random.integers(0, 12, number) for number in (90, 40)]
    gallery, probes = (
        (centres[who] + 2 * random.normal(size=(len(who), 16))).astype(np.float32)
        for who in identities
    )
    return gallery, identities[0], probes, identities[1]


def unit(embeddings):
    embeddings = embeddings.astype(np.float64)
    return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)


def test_ranks_of_three_probes_worked_out_by_hand():
    found = Nearest(np.zeros((3, 3)), np.array([[2, 0, 1], [1, 3, 2], [0, -1, -1]]))
    gallery, own = np.array([7, 3, 4, 5]), np.array([7, 5, 4])
    # By probe, the identities found are 4 7 3, 3 5 4 and 7 alone.
    expected = {
        1: ([False, True, False], [True, True, True]),
        2: ([False, True, False], [False, False, True]),
        3: ([True, True, False], [False, False, True]),
    }
    for n, (targeted, untargeted) in expected.items():
        assert rank_n_targeted(found, gallery, TARGETS, n).tolist() == targeted
        assert rank_n_untargeted(found, gallery, own, n).tolist() == untargeted
    curve = cumulative_matches(found, gallery, own).mean(axis=0)
    np.testing.assert_allclose(curve, [0, 2 / 3, 2 / 3])


def test_empty_places_are_of_nobody_not_of_the_last_image():
    found = Nearest(np.full((1, 2), -np.inf), np.array([[-1, -1]]))
    assert not rank_n_targeted(found, np.array([1, 3]), TARGETS, 2).any()
    assert rank_n_untargeted(found, np.array([1, 3]), np.array([3]), 2).all()


@pytest.mark.parametrize("n", [1, 5, 20])
def test_ranks_agree_with_the_position_that_locate_gives(people, n):
    gallery, identities, probes, own = people
    found = nearest(gallery, probes, 20)
    to_own = locate(gallery, identities, probes, own[:, None]).position
    to_targets = locate(gallery, identities, probes, np.tile(TARGETS, (len(probes), 1))).position
    untargeted = rank_n_untargeted(found, identities, own, n)
    targeted = rank_n_targeted(found, identities, TARGETS, n)
    np.testing.assert_array_equal(untargeted, (to_own == 0) | (to_own > n))
    np.testing.assert_array_equal(targeted, (to_targets >= 1) & (to_targets <= n))
    assert targeted.sum() > 0  # or nothing was tested
    assert untargeted.sum() > 0


def test_a_longer_list_holds_more_targets_and_more_of_the_probes_themselves(people):
    gallery, identities, probes, own = people
    found = nearest(gallery, probes, 30)
    targeted = [rank_n_targeted(found, identities, TARGETS, n) for n in range(1, 31)]
    untargeted = [rank_n_untargeted(found, identities, own, n) for n in range(1, 31)]
    assert (np.diff(np.mean(targeted, axis=1)) >= 0).all()
    assert (np.diff(np.mean(untargeted, axis=1)) <= 0).all()
    matches = cumulative_matches(found, identities, own)
    np.testing.assert_array_equal(matches, ~np.array(untargeted).T)


def test_n_beyond_what_the_search_kept_is_refused(people):
    gallery, identities, probes, own = people
    found = nearest(gallery, probes, 4)
    with pytest.raises(ValueError, match="N is 5, expected 1 to 4"):
        rank_n_untargeted(found, identities, own, 5)
    with pytest.raises(ValueError, match="N is 0"):
        rank_n_targeted(found, identities, TARGETS, 0)


def test_the_cosine_to_identities_is_the_greatest_to_any_of_their_images(people):
    gallery, identities, probes, own = people
    cosines = unit(probes) @ unit(gallery).T
    wanted = np.stack([own, np.full_like(own, 3)], axis=1)
    found = cosine_to(gallery, identities, probes, wanted)
    for probe, who in enumerate(wanted):
        expected = max(c for c, i in zip(cosines[probe], identities, strict=True) if i in who)
        assert found[probe] == pytest.approx(expected, abs=1e-6)


def test_the_cosine_to_somebody_who_is_not_in_the_gallery_does_not_exist(people):
    gallery, identities, probes, own = people
    wanted = own[:, None].copy()
    wanted[::2] = 99
    found = cosine_to(gallery, identities, probes, wanted)
    np.testing.assert_array_equal(np.isnan(found), np.arange(len(probes)) % 2 == 0)
    assert np.isnan(cosine_to(gallery, identities, probes, np.full_like(wanted, 99))).all()


def test_verification_fails_below_the_threshold_and_does_not_exist_without_images():
    failed = not_verified(np.array([0.2, 0.5, np.nan]), [0.5, 0.6])
    np.testing.assert_array_equal(failed, [[1, 1], [0, 1], [np.nan, np.nan]])


@pytest.mark.parametrize("rows", [1, 7, 1000])
@pytest.mark.parametrize("far", [0, 0.001, 0.01, 0.3])
def test_the_impostor_threshold_is_the_lowest_that_keeps_to_the_far(people, far, rows, monkeypatch):
    gallery, identities, _, _ = people
    monkeypatch.setattr("tipim_jax.identification.impostors._BLOCK", rows * len(gallery))
    cosines = unit(gallery) @ unit(gallery).T
    pairs = itertools.combinations(range(len(gallery)), 2)
    impostors = np.array([cosines[a, b] for a, b in pairs if identities[a] != identities[b]])
    threshold = impostor_threshold(gallery, identities, far)
    # A rate changes at a cosine alone; around one, float32 decides.
    assert (impostors >= threshold + 1e-6).mean() <= far
    assert (impostors >= threshold - 1e-6).mean() > far


def test_impostor_thresholds_rise_as_the_far_falls_and_come_in_the_order_asked_for(people):
    gallery, identities, _, _ = people
    thresholds = impostor_threshold(gallery, identities, [0.1, 0.001, 0.01])
    assert thresholds[0] < thresholds[2] < thresholds[1]
    assert thresholds[2] == impostor_threshold(gallery, identities, 0.01)


def test_a_gallery_with_one_photo_of_everybody_has_a_threshold():
    embeddings = np.array([[1, 0], [0, 1], [1, 1]], np.float32)
    threshold = impostor_threshold(embeddings, np.arange(3), 0.4)
    assert threshold == pytest.approx(np.sqrt(0.5), abs=1e-6)
    assert threshold > np.float32(np.sqrt(0.5))  # two pairs are equally near: neither may pass


def test_a_threshold_needs_pairs_of_different_people_and_a_share():
    embeddings = np.eye(3, dtype=np.float32)
    with pytest.raises(ValueError, match="photos of one person alone"):
        impostor_threshold(embeddings, np.zeros(3, int), 0.01)
    with pytest.raises(ValueError, match=r"FAR of 1.0, expected shares in \[0, 1\)"):
        impostor_threshold(embeddings, np.arange(3), 1.0)
    with pytest.raises(ValueError, match="NaN or infinity"):
        impostor_threshold(embeddings * np.nan, np.arange(3), 0.01)
