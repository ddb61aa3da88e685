"""Whole programs as judges: what is made of what they see."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from tipim_jax.evaluate.programs.environment import Seen
from tipim_jax.evaluate.programs.judging import comparable, judge


def seen(embeddings, detected=None, failed=None, distance="cosine", threshold=0.3):
    embeddings = np.asarray(embeddings, float)
    detected = np.ones(len(embeddings), bool) if detected is None else np.array(detected, bool)
    failed = np.full(len(embeddings), "") if failed is None else np.array(failed)
    embeddings = np.where(detected[:, None], embeddings, np.nan)
    return Seen(detected, embeddings, failed, {"program": "1"}, distance, threshold)


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_euclidean_distances_of_vectors_of_any_length_are_compared_exactly(scale):
    random = np.random.default_rng(0)
    faces = scale * random.normal(size=(60, 8)) * random.uniform(0.5, 2, (60, 1))
    faces[1] = faces[0]  # a photo that is there twice
    distances = cdist(faces, faces)
    for limit in np.quantile(distances, [0.05, 0.5, 0.9]):
        least, vectors = comparable(faces, "euclidean", limit)
        cosines = vectors @ vectors.T
        np.testing.assert_allclose(np.diag(cosines), 1, atol=1e-6)
        near = distances <= limit
        np.testing.assert_array_equal(cosines >= least, near)
        pairs = np.triu_indices(len(faces), 2)
        ranked = distances[pairs][np.argsort(-cosines[pairs])]
        ranked = ranked[ranked < 2 * limit]  # beyond that all cosines are small, for float32 too
        assert np.diff(ranked).min() > -1e-5 * limit
    unit = faces / np.linalg.norm(faces, axis=1, keepdims=True)
    assert not np.array_equal(cdist(unit, unit) <= limit, near)  # as if their lengths were nothing


def test_a_cosine_distance_is_one_less_the_cosine():
    faces = np.random.default_rng(0).normal(size=(20, 4))
    least, vectors = comparable(faces, "cosine", 0.593)
    assert least == pytest.approx(0.407)
    np.testing.assert_allclose(vectors, faces, rtol=1e-6)
    with pytest.raises(ValueError, match="'angular'; expected 'cosine' or 'euclidean'"):
        comparable(faces, "angular", 0.3)


def test_a_protected_photo_without_a_face_is_not_found_and_a_clean_one_is_left_out():
    at = np.eye(6)
    gallery, targets, probes = "ABCDX", "X", "ABCDE"
    # B's clean photo shows no face to this program, E's cannot be read, D's in the gallery is none.
    known = seen(
        [*at[:4], at[5], at[5], at[0], at[1], at[2], at[3], at[4]],
        detected=[1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 0],
        failed=[*[""] * 10, "damaged"],
    )
    # A is known again, C is no face any more, D is taken for the target.
    protected = seen([at[0], at[1], at[2], at[5], at[4]], detected=[1, 1, 0, 1, 1])
    clean, hidden, about = judge(known, protected, gallery, targets, probes, held_out=True)
    assert about["photos"] == 5 and about["judged"] == 3
    assert about["gallery"] == 5 and about["gallery_without_face"] == 1
    assert about["no_face_in_clean"] == 1 and about["not_readable"] == 1
    assert about["no_face_in_protected"] == 1
    assert clean.figures["detected"].value == hidden.figures["detected"].value == 3 / 4
    # Of A, C and D, the gallery has A and C.
    for name, before, after in (
        ("recognised", 1, 1 / 2),
        ("rank1_ut", 0, 1 / 2),
        ("rank5_ut", 0, 1 / 2),
        ("rank1_t", 0, 1 / 3),
    ):
        assert clean.figures[name].value == before, name
        assert hidden.figures[name].value == pytest.approx(after), name
    assert clean.thresholds["recognised"].cosine == pytest.approx(0.7)
    assert clean.thresholds["recognised"].false_match_rate == 0


def test_where_no_protected_photo_shows_a_face_none_is_found():
    nothing = Seen(np.zeros(2, bool), np.full((2, 1), np.nan), np.full(2, ""), {}, "cosine", 0.3)
    at = np.eye(4)[[0, 1, 0, 1]]
    for distance in ("cosine", "euclidean"):
        known = seen(at, distance=distance)
        clean, hidden, _ = judge(known, nothing, "AB", "", "AB", held_out=True)
        for name, before, after in (("detected", 1, 0), ("recognised", 1, 0), ("rank5_ut", 0, 1)):
            assert clean.figures[name].value == before, name
            assert hidden.figures[name].value == after, name


def test_a_program_that_measures_distances_judges_as_these_say():
    """Two faces in one direction are one person's for a cosine, and far apart for a distance."""
    known = [[1, 0], [0, 1], [1.1, 0], [0, 1.1]]
    protected = [[2, 0], [0, 1.2]]
    for distance, after in (("cosine", 1), ("euclidean", 1 / 2)):
        both = (seen(some, distance=distance, threshold=0.6) for some in (known, protected))
        clean, hidden, _ = judge(*both, "AB", "", "AB", held_out=True)
        assert clean.figures["recognised"].value == 1
        assert hidden.figures["recognised"].value == after
        assert (hidden.figures["own_cosine"] is None) == (distance == "euclidean")


def test_a_program_that_finds_no_clean_face_does_not_judge():
    nothing = seen(np.eye(4), detected=[1, 1, 0, 0])
    with pytest.raises(ValueError, match="finds a face in none of the 2 clean photos"):
        judge(nothing, seen(np.eye(4)[2:]), "AB", "", "AB", held_out=True)
