"""Thresholds and false match rates against every pair, one by one."""

import itertools

import numpy as np
import pytest

from tipim_jax.identification import false_match_rates, impostor_threshold


@pytest.fixture(scope="module")
def people():
    """Embeddings around one centre per identity, and who is who."""
    random = np.random.default_rng(3)
    centres = random.normal(size=(12, 16))
    identities = random.integers(0, 12, 90)
    gallery = centres[identities] + 2 * random.normal(size=(90, 16))
    return gallery.astype(np.float32), identities


def impostors(gallery, identities):
    """The cosine of every pair of photos of different people."""
    unit = gallery.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    pairs = itertools.combinations(range(len(gallery)), 2)
    return np.array([unit[a] @ unit[b] for a, b in pairs if identities[a] != identities[b]])


@pytest.mark.parametrize("rows", [1, 7, 1000])
@pytest.mark.parametrize("far", [0, 0.001, 0.01, 0.3])
def test_the_impostor_threshold_is_the_lowest_that_keeps_to_the_far(people, far, rows, monkeypatch):
    gallery, identities = people
    monkeypatch.setattr("tipim_jax.identification.impostors._BLOCK", rows * len(gallery))
    threshold = impostor_threshold(gallery, identities, far)
    cosines = impostors(gallery, identities)
    # A rate changes at a cosine alone; around one, float32 decides.
    assert (cosines >= threshold + 1e-6).mean() <= far
    assert (cosines >= threshold - 1e-6).mean() > far


def test_impostor_thresholds_rise_as_the_far_falls_and_come_in_the_order_asked_for(people):
    gallery, identities = people
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


@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_false_match_rates_count_every_pair_of_different_people_once(people, rows, monkeypatch):
    gallery, identities = people
    monkeypatch.setattr("tipim_jax.identification.impostors._BLOCK", rows * len(gallery))
    cosines = impostors(gallery, identities)
    thresholds = [-1.1, -0.2, 0.1, 0.4, 1.1]
    expected = [(cosines >= threshold).mean() for threshold in thresholds]
    assert false_match_rates(gallery, identities, thresholds) == pytest.approx(expected)
    assert 0 < expected[3] < expected[2] < 1


def test_at_the_threshold_of_a_far_the_false_match_rate_keeps_to_it(people):
    gallery, identities = people
    (rate,) = false_match_rates(
        gallery, identities, [impostor_threshold(gallery, identities, 0.01)]
    )
    assert 0.009 < rate <= 0.01


def test_photos_of_one_person_have_no_false_match_rate(people):
    gallery, _ = people
    assert false_match_rates(gallery, np.zeros(90, int), [0.1, 0.2]) == [None, None]
    assert false_match_rates(gallery[:0], np.zeros(0, int), [0.1]) == [None]
