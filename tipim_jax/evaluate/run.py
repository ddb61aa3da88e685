"""One run of the command: align, ask the recognisers, write figures and tables."""

import itertools
from collections.abc import Sequence

import numpy as np

import weights_convert
from tipim_jax.configuration import SettingsError
from tipim_jax.console import Console
from tipim_jax.evaluate.aligner import Aligner
from tipim_jax.evaluate.pairs import Pairs, align_faces, align_pairs
from tipim_jax.evaluate.posted import Posted, conditions
from tipim_jax.evaluate.settings import Evaluate
from tipim_jax.identification import Faces, Judge, Row, Seen, Trial, quality
from tipim_jax.identification.recogniser import Recogniser
from tipim_jax.photos import YUNET, FaceDetector, write_whole
from tipim_jax.photos.posting import AS_SAVED
from tipim_jax.progress import Bars
from tipim_jax.report.tables import csv_table, latex_tables, text_tables

SHOWN = 20  # photos that are left out


def run(settings: Evaluate, console: Console) -> tuple[Pairs, list[Row], list[tuple[Row, Row]]]:
    """Judges the photos, and writes the figures.

    Returns:
      The photos, the rows of the clean and of the protected ones, and, where they were to be
      posted, such a pair of rows for each condition.

    Raises:
      SettingsError, ConversionError, OSError: nothing can be done at all.
    """
    detector = None if settings.aligned else FaceDetector(weights_convert.obtain(YUNET))
    aligner = Aligner(detector)
    with Bars(console) as bars:

        def bar(what):
            return lambda count: bars.add(what, count, "photos")

        ways = conditions(aligner) if settings.posting else ()
        pairs = align_pairs(settings.protected, settings.clean, aligner, bar("aligning"), ways)
        gallery, left_out = align_faces(
            settings.gallery, "--gallery", aligner, bar("gallery"), skip=pairs.contents
        )
        targets = Faces((), (), np.zeros((0, 112, 112, 3), np.uint8))
        if settings.targets:
            targets, none = align_faces(settings.targets, "--targets", aligner, bar("targets"))
            left_out |= none
        for name, reason in list(left_out.items())[:SHOWN]:
            console.print(f"left out: {name}: {reason}")
        if len(left_out) > SHOWN:
            console.print(f"left out: {len(left_out) - SHOWN} more")
        strangers = None
        if settings.distractor_photos:
            # Here, as it imports Grain, for which others need not wait.
            from tipim_jax.datasets.distractor_photos import load_strangers

            parts = pairs.clean.crops, pairs.protected, pairs.compared, gallery.crops, targets.crops
            known = itertools.chain.from_iterable(parts)
            strangers = load_strangers(
                settings.distractor_photos, known, bars, ready=settings.aligned
            )
        trial = Trial(
            pairs.clean,
            targets,
            gallery,
            strangers=strangers,
            drawn=settings.drawn_distractors,
            approximate=settings.approximate_search,
        )
        saved = Posted(str(AS_SAVED), pairs.clean.crops, pairs.protected, (), pairs.lost)
        shown = (saved, *pairs.posted)
        seen = _judged(settings, trial, shown, bars)
    unprotected = {"method": "clean", **trial.about}
    about = {
        "surrogates": list(settings.surrogate) or ["unknown"],
        "method": settings.protected.name,
        "gallery": len(gallery),
        **trial.about,
    }
    faults = {"no_face_found": list(pairs.lost), "not_judged": pairs.left_out}
    changed = quality(pairs.clean.crops, pairs.compared)
    count = len(pairs.clean)
    rows = [
        Row(unprotected, count, {}, seen[0][0]),
        Row({**about, **faults}, count, changed, seen[0][1]),
    ]
    rows[0].write(settings.output / "clean.json")
    rows[1].write(settings.output / "results.json")
    for name, make in (("txt", text_tables), ("csv", csv_table), ("tex", latex_tables)):
        with write_whole(settings.output / f"tables.{name}") as stream:
            stream.write(make(rows).encode())
    if not settings.posting:
        return pairs, rows, []
    # Here, as it imports matplotlib, for which others need not wait.
    from tipim_jax.evaluate.outcome import write_posting

    posted_rows = [
        tuple(
            Row({**row, "posting": posted.name, "no_face_found": list(lost)}, count, {}, figures)
            for row, lost, figures in zip(
                (unprotected, about), (posted.lost_clean, posted.lost), both, strict=True
            )
        )
        for posted, both in zip(shown, seen, strict=True)
    ]
    write_posting(posted_rows, settings.output)
    return pairs, rows, posted_rows


def _judged(
    settings: Evaluate, trial: Trial, shown: Sequence[Posted], bars: Bars
) -> list[tuple[dict[str, Seen], dict[str, Seen]]]:
    """What each recogniser makes of the clean and of the protected faces, in each condition."""
    seen = [({}, {}) for _ in shown]
    probes = 2 * len(trial.probes)
    for name in settings.recognisers:
        faces = len(trial.gallery) + len(trial.strangers or ()) + probes * len(shown)
        advance = bars.add(name, faces, "faces")
        try:
            judge = Judge.of(Recogniser.load(name), trial, progress=advance)
        except ValueError as error:
            raise SettingsError(f"--gallery {settings.gallery}: {error}") from None
        held_out = name not in settings.surrogate
        for posted, (clean, protected) in zip(shown, seen, strict=True):
            clean[name] = judge(posted.clean, held_out=held_out)
            protected[name] = judge(posted.protected, held_out=held_out)
            advance(probes)
    return seen
