"""Intervals against Wilson's formula, closed forms and textbook values."""

import math

import numpy as np
import pytest

from tipim_jax.identification import Estimate, mean, share


def wilson(successes, count, z=1.959963984540054):
    """Wilson 1927, as in Agresti and Coull, 1998, eq. 2."""
    p = successes / count
    middle = p + z**2 / (2 * count)
    half = z * math.sqrt((p * (1 - p) + z**2 / (4 * count)) / count)
    return (middle - half) / (1 + z**2 / count), (middle + half) / (1 + z**2 / count)


@pytest.mark.parametrize(
    ("successes", "count"), [(0, 1), (1, 1), (0, 7), (7, 7), (3, 10), (60, 60), (411, 500)]
)
def test_shares_have_wilsons_interval(successes, count):
    outcomes = np.arange(count) < successes
    found = share(outcomes)
    assert found.value == successes / count
    assert (found.low, found.high) == pytest.approx(wilson(successes, count), abs=1e-9)
    assert found.low <= found.value <= found.high


@pytest.mark.parametrize(
    ("successes", "count", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (1, 29, 0.0061, 0.1718)],
)
def test_shares_have_the_intervals_in_print(successes, count, low, high):
    """Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I."""
    found = share(np.arange(count) < successes)
    assert (found.low, found.high) == pytest.approx((low, high), abs=6e-5)


def test_a_share_of_few_that_all_succeed_is_not_certain():
    """The mirror image of Newcombe's 0 of 20, which reaches up to 0.1611."""
    found = share(np.ones(20, bool))
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(1 - 0.1611, abs=6e-5)


def test_the_contrary_of_a_share_has_the_contrary_interval():
    outcomes = np.random.default_rng(0).random(40) < 0.3
    found, contrary = share(outcomes), share(~outcomes)
    assert (1 - contrary.high, 1 - contrary.low) == pytest.approx((found.low, found.high))


def test_intervals_of_many_values_are_those_of_the_normal_distribution():
    values = np.random.default_rng(2).normal(5, 2, 400)
    found = mean(values)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert found.high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_intervals_of_few_skewed_values_are_the_percentiles_of_resampled_means():
    few = np.random.default_rng(1).exponential(size=15)
    drawn = np.random.default_rng(3).choice(few, (20_000, 15)).mean(axis=1)
    found = mean(few)
    assert (found.low, found.high) == pytest.approx(np.quantile(drawn, (0.025, 0.975)), abs=0.03)
    middle = (found.low + found.high) / 2
    assert middle > found.value  # as skewed as the values


def test_the_seed_decides_and_nothing_else():
    values = np.random.default_rng(2).normal(size=50)
    assert mean(values, seed=4) == mean(values, seed=4)
    assert mean(values, seed=5) != mean(values, seed=4)


def test_equal_values_and_a_single_one_are_certain():
    assert mean(np.full(7, 0.25)) == Estimate(0.25, 0.25, 0.25)
    assert mean(np.array([4.0])) == Estimate(4, 4, 4)


@pytest.mark.parametrize("estimate", [share, mean])
def test_probes_without_a_value_count_in_no_estimate(estimate):
    values = (np.random.default_rng(1).random(30) < 0.4).astype(float)
    padded = np.concatenate([values, np.full(70, np.nan)])
    assert estimate(padded) == estimate(values)
    assert estimate(np.full(3, np.nan)) is None
    assert estimate(np.zeros(0)) is None


def test_infinite_values_are_refused():
    with pytest.raises(ValueError, match="PSNR of an unchanged image"):
        mean(np.array([30.0, np.inf]))


def test_several_probes_of_a_person_count_as_fewer():
    """Twelve of four people, three each, as four; of people with 3, 1 and 1, as 25 / 11."""
    outcomes = np.arange(12) < 9
    found = share(outcomes, np.arange(12) // 3)
    assert found.value == 0.75
    assert (found.low, found.high) == pytest.approx(wilson(3, 4))
    found = share(np.array([1, 1, 0, 0.5, np.nan, 1]), np.array([7, 7, 7, 2, 2, 5]))
    assert found.value == 0.7
    assert (found.low, found.high) == pytest.approx(wilson(0.7 * 25 / 11, 25 / 11))
    outcomes = np.random.default_rng(0).random(40) < 0.3
    assert share(outcomes, np.arange(40)) == share(outcomes)
