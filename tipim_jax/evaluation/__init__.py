"""How well a mask protects, how little it shows, how well networks work: arrays only."""

from tipim_jax.evaluation.grouping import agreement, group_people
from tipim_jax.evaluation.identification import (
    Located,
    locate,
    normalise,
)
from tipim_jax.evaluation.quality import greatest_difference, psnr, ssim
from tipim_jax.evaluation.verification import (
    CrossValidated,
    OperatingPoint,
    Rates,
    Verification,
    best_threshold,
    cross_validate,
    interleaved_folds,
    verify,
    verify_all_pairs,
)

__all__ = [
    "CrossValidated",
    "Located",
    "OperatingPoint",
    "Rates",
    "Verification",
    "agreement",
    "best_threshold",
    "cross_validate",
    "greatest_difference",
    "group_people",
    "interleaved_folds",
    "locate",
    "normalise",
    "psnr",
    "ssim",
    "verify",
    "verify_all_pairs",
]
