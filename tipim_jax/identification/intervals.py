"""How far a mean over probes may be trusted: bootstrap intervals."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

_LEVEL = 0.95
_RESAMPLES = 10_000
_BLOCK = 2**22  # draws in memory at a time


class Interval(NamedTuple):
    """Means over the probes, and between what bounds they lie with a confidence of 95 %.

    NaN throughout for a column that has no value at all.
    """

    mean: Float[np.ndarray, "*columns"]
    low: Float[np.ndarray, "*columns"]
    high: Float[np.ndarray, "*columns"]


def interval(values: Float[np.ndarray, "probes ..."], seed: int = 0) -> Interval:
    """The mean of each column over the probes, with its bootstrap percentile interval.

    10 000 times as many probes as there are are drawn with replacement, the same ones for all
    columns; the interval holds the middle 95 % of the means (chapter 13 of Efron and Tibshirani,
    "An Introduction to the Bootstrap", 1993). Depends on `values` and `seed` alone.

    Args:
      values: figures, booleans or numbers. NaN says that a figure does not exist for a probe: each
        mean is over the probes for which it does, those of the resamples as well, and a resample
        that has drawn none of them counts for nothing.

    Raises:
      ValueError: there is no probe, or a value is infinite.
    """
    values = np.asarray(values, np.float64)
    if len(values) == 0:
        raise ValueError("found no probe: a mean needs at least one")
    if np.isinf(values).any():
        raise ValueError(
            "found an infinite value (the PSNR of an unchanged image?): make it NaN to leave it out"
        )
    columns = values.reshape(len(values), -1)
    exists = ~np.isnan(columns)
    # Sums of the values and of the probes that have them, in one product.
    summed = np.concatenate([np.where(exists, columns, 0), exists], axis=1)
    means = np.concatenate([_means(counts @ summed) for counts in _resamples(len(values), seed)])
    low, high = np.full((2, columns.shape[1]), np.nan)
    tail = (1 - _LEVEL) / 2
    for number in np.flatnonzero(exists.any(axis=0)):
        column = means[~np.isnan(means[:, number]), number]
        low[number], high[number] = np.quantile(column, (tail, 1 - tail))
    mean = _means(summed.sum(axis=0, keepdims=True))[0]
    return Interval(*(figure.reshape(values.shape[1:])[()] for figure in (mean, low, high)))


def _resamples(probes: int, seed: int):
    """How often each resample drew each probe, some resamples at a time."""
    random = np.random.default_rng(seed)
    size = max(1, _BLOCK // probes)
    for first in range(0, _RESAMPLES, size):
        rows = min(size, _RESAMPLES - first)
        drawn = random.integers(0, probes, (rows, probes)) + probes * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * probes).reshape(rows, probes)


def _means(summed):
    """Sums of values divided by the numbers of them; NaN for none."""
    sums, numbers = np.split(summed, 2, axis=1)
    return np.divide(sums, numbers, out=np.full_like(sums, np.nan), where=numbers > 0)
