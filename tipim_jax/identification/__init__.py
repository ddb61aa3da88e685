"""Who is found, how surely, how much was changed: arrays; and the judge, who asks recognisers."""

import lazy_loader

# Each name is imported when it is first asked for: settings are read before JAX is there.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "cosine": ["normalise"],
        "distractors": ["drawn_distractors"],
        "faces": ["Faces", "Strangers"],
        "grouping": ["agreement", "group_people"],
        "impostors": ["impostor_threshold"],
        "intervals": ["Interval", "interval"],
        "judge": ["FARS", "FIGURES", "Judge", "Trial", "quality"],
        "located": ["Located", "locate"],
        "protection": [
            "cosine_to",
            "cumulative_matches",
            "not_verified",
            "rank_n_targeted",
            "rank_n_untargeted",
        ],
        "visibility": ["greatest_difference", "psnr", "published_mmd", "ssim"],
        "row": ["Figure", "Row", "Seen", "figure"],
        "search": ["Nearest", "joined", "nearest"],
        "verification": [
            "CrossValidated",
            "OperatingPoint",
            "Rates",
            "Verification",
            "best_threshold",
            "cross_validate",
            "interleaved_folds",
            "verify",
            "verify_all_pairs",
        ],
    },
)
