"""Results of runs that never were, for the tests of what shows them."""

import dataclasses

import numpy as np

from tipim_jax import report
from tipim_jax.identification import Judge, Standings, Threshold

THRESHOLDS = {"mobileface": 0.301, "sface": 0.363, "dlib": 0.912}


def standing(cosine, rank=1, target_rank=2):
    return report.Standing(cosine, rank, 0.25, target_rank)


def face(before=0.95, after=0.1, name="Ann", **ranks):
    scores = report.Scores(standing(before), standing(after, **({"rank": 9} | ranks)))
    return report.Face(
        (40, 30, 50, 60), name, "Person_007", 31.24, 0.93, 0.0312, dict.fromkeys(THRESHOLDS, scores)
    )


def rates(scores, threshold):
    """Before and after, as the judge takes them from where probes stand."""
    before = standings([s.clean for s in scores])
    there = np.array([s.protected is not None for s in scores], bool)
    found = standings([s.protected for s in scores if s.protected])
    judge = Judge(None, np.zeros((9, 4)), (), {"recognised": Threshold(threshold, 0.0123)})
    return [report.Rates.of(judge, found) for found in (before, before.lost_but(there, found))]


def standings(each):
    rows = [dataclasses.astuple(one) for one in each]
    return Standings(*np.array(rows, float).reshape(-1, 4).T)


def results(photos, not_protected=(), left_alone=()):
    faces = [f for photo in photos for f in photo.faces]
    recognisers = [
        report.RecogniserResult(
            name,
            "MobileFaceNet",
            name == "dlib",
            threshold,
            0.0123,
            *rates([f.recognisers[name] for f in faces], threshold),
        )
        for name, threshold in THRESHOLDS.items()
    ]
    return report.Results(
        created="2026-03-01T12:00:00+00:00",
        command="python -m tipim_jax.attack --output out",
        device="cpu x 1",
        versions={"jax": "0.10.1"},
        settings={"epsilon": 12.0, "views": False, "config": None, "norms": ("linf", "l2")},
        surrogates=("mobileface", "sface"),
        targets=report.TargetResult("bundled people", ("Person_007", "Person_008")),
        gallery=report.GalleryResult("bundled people", 140, 70),
        recognisers=tuple(recognisers),
        quality=report.Quality(31.24, 0.9312, 0.0312, 0.0512, 12.0, 12),
        seconds={"total": 312.4, "per_image_iteration": 0.0803},
        photos=tuple(photos),
        not_protected=tuple(not_protected),
        left_alone=tuple(left_alone),
    )  # fmt: skip


def photo(index, faces=1):
    name = f"trip/photo_{index:03d}"
    return report.Photo(f"{name}.jpg", f"{name}.png", (face(),) * faces)


def pictures(photos, seed=0):
    random = np.random.default_rng(seed)
    original = np.full((120, 160, 3), (180, 120, 90), np.uint8)
    mask = np.zeros(original.shape, np.int16)
    mask[30:90, 40:90] = random.integers(-12, 13, (60, 50, 3))
    shown = report.face_pictures(original, (original + mask).astype(np.uint8), (40, 30, 50, 60))
    return {p.output: (shown,) * len(p.faces) for p in photos}
