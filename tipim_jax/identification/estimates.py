"""What is found of some probes, and how far it may be trusted: 95 % intervals.

The value of a probe is NaN where it does not exist (the cosine to somebody of whom there is no
image, say); such probes are left out.
"""

import math
import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

_LEVEL = 0.95
_DEVIATIONS = 1.959963984540054  # of the normal distribution, between which 95 % of it lie
_IN_MEMORY = 2**22  # draws of the bootstrap at a time


@dataclass(frozen=True)
class Estimate:
    """A share or a mean over the probes, and the bounds of its 95 % confidence interval."""

    value: float
    low: float
    high: float


def share(
    outcomes: Bool[np.ndarray, " probes"] | Float[np.ndarray, " probes"],
    people: Int[np.ndarray, " probes"] | None = None,
) -> Estimate | None:
    """The share of the probes for which something holds, with Wilson's interval.

    That of 7 out of 7 reaches down to 0.65: all of few probes is not all of everybody's (E. B.
    Wilson, "Probable inference, the law of succession, and statistical inference", 1927).

    Args:
      outcomes: booleans, or numbers in [0, 1] and NaN.
      people: who is in each probe, where there are several probes of a person. They are alike, so
        the interval is that of a smaller sample: as if the probes of one person all told the same
        (L. Kish, "Survey sampling", 1965: (sum of n)^2 / (sum of n^2) of n probes a person). It is
        too wide rather than too narrow.

    Returns:
      None where no probe has an outcome.
    """
    outcomes = np.asarray(outcomes, np.float64)
    there = ~np.isnan(outcomes)
    count = int(there.sum())
    if not count:
        return None
    value = float(outcomes[there].mean())
    if people is not None:
        each = np.unique(np.asarray(people)[there], return_counts=True)[1]
        count = count**2 / float((each**2).sum())
    extra = _DEVIATIONS**2 / count
    middle = value + extra / 2
    half = math.sqrt(extra * (value * (1 - value) + extra / 4))
    low, high = (middle - half) / (1 + extra), (middle + half) / (1 + extra)
    # Of none and of all one bound is the share itself, but for rounding.
    return Estimate(value, min(max(low, 0.0), value), max(min(high, 1.0), value))


def mean(values: Float[np.ndarray, " probes"], seed: int = 0) -> Estimate | None:
    """The mean over the probes, with its bootstrap percentile interval.

    For values that are no shares: decibels, cosines, shares that are means themselves. Equal values
    of all probes are certain, as is that of one alone.

    Returns:
      None where no probe has a value.

    Raises:
      ValueError: a value is infinite.
    """
    values = _existing(values)
    if np.isinf(values).any():
        raise ValueError(
            "found an infinite value (the PSNR of an unchanged image?): make it NaN to leave it out"
        )
    if not len(values):
        return None
    middle = float(values.mean())
    if len(values) == 1:
        return Estimate(middle, middle, middle)
    from scipy.stats import bootstrap

    with warnings.catch_warnings():  # that equal values give no distribution
        warnings.simplefilter("ignore")
        interval = bootstrap(
            (values,),
            np.mean,
            confidence_level=_LEVEL,
            method="percentile",
            batch=max(1, _IN_MEMORY // len(values)),
            rng=seed,
        ).confidence_interval
    return Estimate(middle, float(interval.low), float(interval.high))


def _existing(values) -> Float[np.ndarray, " some"]:
    values = np.asarray(values, np.float64)
    return values[~np.isnan(values)]
