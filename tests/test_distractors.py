"""Drawn distractors against the moments of what they were drawn after."""

import numpy as np
import pytest

from tipim_jax.identification import distractors, drawn_distractors, normalise


@pytest.fixture(scope="module")
def embeddings():
    """Of any length, around one direction, with unequal spreads that do not lie along the axes."""
    random = np.random.default_rng(8)
    mixing = random.normal(size=(12, 12)) * np.linspace(0.02, 0.2, 12)
    faces = np.full(12, 0.8) + random.normal(size=(600, 12)) @ mixing
    return (faces * random.uniform(1, 30, (600, 1))).astype(np.float32)


def joined(embeddings, count, seed):
    return np.concatenate([np.zeros((0, 12)), *drawn_distractors(embeddings, count, seed)])


def test_distractors_are_unit_vectors_and_as_many_as_wanted(embeddings, monkeypatch):
    monkeypatch.setattr(distractors, "_BLOCK", 100)
    blocks = list(drawn_distractors(embeddings, 250, 0))
    assert [block.shape for block in blocks] == [(100, 12), (100, 12), (50, 12)]
    assert {block.dtype for block in blocks} == {np.dtype(np.float32)}
    np.testing.assert_allclose(np.linalg.norm(np.concatenate(blocks), axis=1), 1, atol=1e-6)
    assert len(joined(embeddings, 0, 0)) == 0


def test_distractors_have_the_mean_and_the_covariance_of_the_embeddings(embeddings):
    """Of the unit embeddings; the division by the length afterwards moves them a little."""
    unit = np.asarray(normalise(embeddings))
    found = joined(embeddings, 50_000, 1)
    np.testing.assert_allclose(found.mean(axis=0), unit.mean(axis=0), atol=0.02)
    covariance = np.cov(unit, rowvar=False)
    difference = np.cov(found, rowvar=False) - covariance
    assert np.linalg.norm(difference) < 0.1 * np.linalg.norm(covariance)


def test_distractors_of_few_embeddings_lie_in_the_subspace_of_these(embeddings):
    few = embeddings[:4]
    found = joined(few, 200, 2)
    basis = np.linalg.svd(few, full_matrices=False)[2]
    np.testing.assert_allclose(found @ basis.T @ basis, found, atol=1e-5)


def test_the_seed_decides_and_the_size_of_the_blocks_does_not(embeddings, monkeypatch):
    before = joined(embeddings, 300, 5)
    assert (joined(embeddings, 300, 6) != before).any()
    np.testing.assert_array_equal(joined(embeddings, 200, 5), before[:200])
    monkeypatch.setattr(distractors, "_BLOCK", 70)
    np.testing.assert_allclose(joined(embeddings, 300, 5), before, atol=1e-6)


def test_what_has_no_covariance_is_refused_at_once(embeddings):
    with pytest.raises(ValueError, match=r"embeddings \[1, 12\], expected two or more"):
        drawn_distractors(embeddings[:1], 5, 0)
    with pytest.raises(ValueError, match="NaN or infinity"):
        drawn_distractors(embeddings * np.float32(np.nan), 5, 0)
    with pytest.raises(ValueError, match="count is -1"):
        drawn_distractors(embeddings, -1, 0)
