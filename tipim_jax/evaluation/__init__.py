"""How well a mask protects (identification) and how little it shows (quality): arrays only."""

from tipim_jax.evaluation.grouping import agreement, group_people
from tipim_jax.evaluation.identification import (
    Located,
    locate,
    normalise,
)
from tipim_jax.evaluation.quality import greatest_difference, psnr, ssim

__all__ = [
    "Located",
    "agreement",
    "greatest_difference",
    "group_people",
    "locate",
    "normalise",
    "psnr",
    "ssim",
]
