"""Who is found, how surely, how much was changed: arrays; and the judge, who asks recognisers."""

import lazy_loader

# Each name is imported when it is first asked for: settings are read before JAX is there.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "classifier": ["classifier_threats"],
        "cosine": ["normalise"],
        "distractors": ["drawn_distractors"],
        "estimates": ["Estimate", "mean", "share"],
        "experiment": ["Embeddings", "Experiment", "recognitions"],
        "faces": [
            "CropFace",
            "CropFaces",
            "Faces",
            "PhotoFace",
            "PhotoFaces",
            "Shown",
            "Strangers",
        ],
        "grouping": ["agreement", "group_people"],
        "impostors": ["false_match_rates", "impostor_threshold"],
        "judge": [
            "FARS",
            "FIGURES",
            "WITH_THRESHOLD",
            "Judge",
            "Recognition",
            "Threshold",
            "own_threshold",
        ],
        "kept": ["kept_embeddings"],
        "ranking": ["Standings", "standings"],
        "recogniser": ["BATCH", "Recogniser", "embed"],
        "roster": ["Roster"],
        "search": ["Nearest", "nearest"],
        "threats": ["HARMS", "Threat", "threats"],
        "verification": [
            "CrossValidated",
            "OperatingPoint",
            "Verification",
            "VerificationRates",
            "best_threshold",
            "cross_validate",
            "interleaved_folds",
            "verify",
            "verify_all_pairs",
        ],
        "visibility": [
            "SEEN",
            "changes",
            "dssim",
            "face_changes",
            "greatest_difference",
            "psnr",
            "published_mmd",
            "quality",
            "seen",
            "ssim",
        ],
    },
)
