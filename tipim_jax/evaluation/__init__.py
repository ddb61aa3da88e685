"""How well a mask protects (identification) and how little it shows (quality): arrays only."""

from tipim_jax.evaluation.grouping import agreement, group_people
from tipim_jax.evaluation.identification import (
    NOBODY,
    Located,
    identities_at,
    locate,
    nearest,
    normalise,
    rank_n_targeted,
    rank_n_untargeted,
    threshold_at_far,
)
from tipim_jax.evaluation.quality import greatest_difference, psnr, ssim

__all__ = [
    "NOBODY",
    "Located",
    "agreement",
    "greatest_difference",
    "group_people",
    "identities_at",
    "locate",
    "nearest",
    "normalise",
    "psnr",
    "rank_n_targeted",
    "rank_n_untargeted",
    "ssim",
    "threshold_at_far",
]
