"""Bootstrap intervals against closed forms and SciPy's bootstrap."""

import numpy as np
import pytest
from scipy import stats

from tipim_jax.identification import interval, intervals


@pytest.fixture(scope="module")
def values():
    random = np.random.default_rng(2)
    return np.stack([random.random(400) < 0.3, random.normal(5, 2, 400)], axis=1)


def test_intervals_of_many_probes_are_those_of_the_normal_distribution(values):
    found = interval(values)
    half = 1.96 * values.std(axis=0) / np.sqrt(len(values))
    np.testing.assert_allclose(found.mean, values.mean(axis=0))
    np.testing.assert_allclose(found.low, values.mean(axis=0) - half, atol=0.1 * half.max())
    np.testing.assert_allclose(found.high, values.mean(axis=0) + half, atol=0.1 * half.max())


def test_intervals_of_few_skewed_values_are_scipys():
    few = np.random.default_rng(1).exponential(size=15)
    expected = stats.bootstrap((few,), np.mean, method="percentile", rng=3).confidence_interval
    found = interval(few)
    assert found.low == pytest.approx(expected.low, abs=0.03)
    assert found.high == pytest.approx(expected.high, abs=0.03)


def test_a_figure_that_is_the_same_for_every_probe_is_certain():
    assert interval(np.ones(7, bool)) == (1, 1, 1)


def test_columns_keep_their_shape_and_one_figure_gives_numbers(values):
    cube = values.reshape(100, 4, 2)
    assert interval(cube).low.shape == (4, 2)
    np.testing.assert_array_equal(interval(cube).high[1, 0], interval(cube[:, 1, 0]).high)
    assert np.ndim(interval(values[:, 0]).mean) == 0


def test_all_columns_are_resampled_together(values):
    """The contrary of a figure has the contrary interval, and a sum that is constant has none."""
    found = interval(np.stack([values[:, 0], 1 - values[:, 0]], axis=1))
    np.testing.assert_allclose(found.low, 1 - found.high[::-1])


def test_the_seed_decides_and_the_size_of_the_blocks_does_not(values, monkeypatch):
    before = interval(values, seed=4)
    monkeypatch.setattr(intervals, "_BLOCK", 999 * len(values))
    np.testing.assert_allclose(interval(values, seed=4), before)
    assert (interval(values, seed=5).low != before.low).any()


def test_probes_without_a_figure_count_in_no_mean(values):
    """As many probes more, all without a figure: the interval gets hardly wider."""
    padded = np.concatenate([values, np.full_like(values, np.nan)])
    found, expected = interval(padded), interval(values)
    np.testing.assert_allclose(found.mean, expected.mean)
    np.testing.assert_allclose(found.low, expected.low, atol=0.03)
    np.testing.assert_allclose(found.high, expected.high, atol=0.03)


def test_a_column_is_not_touched_by_what_another_lacks(values):
    lacking = values.copy()
    lacking[::3, 1] = np.nan
    assert interval(lacking).low[0] == interval(values).low[0]


def test_a_figure_that_one_probe_has_or_none():
    values = np.full((3, 2), np.nan)
    values[1, 0] = 4
    found = interval(values)  # one resample in three does not draw that probe
    for bound in found:
        np.testing.assert_array_equal(bound, [4, np.nan])


def test_infinite_values_and_no_probes_are_refused():
    with pytest.raises(ValueError, match="PSNR of an unchanged image"):
        interval(np.array([30.0, np.inf]))
    with pytest.raises(ValueError, match="found no probe"):
        interval(np.zeros((0, 2)))
