"""How well a mask protects, how little it shows, how well networks work: arrays only."""

from tipim_jax.evaluation.cosine import normalise
from tipim_jax.evaluation.distractors import drawn_distractors
from tipim_jax.evaluation.grouping import agreement, group_people
from tipim_jax.evaluation.identification import Located, locate
from tipim_jax.evaluation.impostors import impostor_threshold
from tipim_jax.evaluation.intervals import Interval, interval
from tipim_jax.evaluation.posting import AS_SAVED, POSTINGS, Posting
from tipim_jax.evaluation.protection import (
    cosine_to,
    cumulative_matches,
    not_verified,
    rank_n_targeted,
    rank_n_untargeted,
)
from tipim_jax.evaluation.quality import greatest_difference, psnr, published_mmd, ssim
from tipim_jax.evaluation.search import Nearest, joined, nearest
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
    "AS_SAVED",
    "POSTINGS",
    "CrossValidated",
    "Interval",
    "Located",
    "Nearest",
    "OperatingPoint",
    "Posting",
    "Rates",
    "Verification",
    "agreement",
    "best_threshold",
    "cosine_to",
    "cross_validate",
    "cumulative_matches",
    "drawn_distractors",
    "greatest_difference",
    "group_people",
    "impostor_threshold",
    "interleaved_folds",
    "interval",
    "joined",
    "locate",
    "nearest",
    "normalise",
    "not_verified",
    "psnr",
    "published_mmd",
    "rank_n_targeted",
    "rank_n_untargeted",
    "ssim",
    "verify",
    "verify_all_pairs",
]
