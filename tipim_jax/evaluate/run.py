"""One run of the command: align, ask the recognisers, write figures and tables."""

import itertools

import numpy as np
from rich.console import Console

import weights_convert
from tipim_jax.configuration import SettingsError
from tipim_jax.evaluate.pairs import Aligner, Pairs, align_faces, align_pairs
from tipim_jax.evaluate.settings import Evaluate
from tipim_jax.photos import YUNET, FaceDetector, write_whole
from tipim_jax.progress import Bars
from tipim_jax.recogniser import Recogniser
from tipim_jax.trial import Faces, Judge, Row, Trial, quality
from tipim_jax.trial.tables import csv_table, latex_tables, text_tables

SHOWN = 20  # photos that are left out


def run(settings: Evaluate, console: Console) -> tuple[Pairs, list[Row]]:
    """Judges the photos, and writes the figures.

    Raises:
      SettingsError, ConversionError, OSError: nothing can be done at all.
    """
    detector = None if settings.aligned else FaceDetector(weights_convert.obtain(YUNET))
    aligner = Aligner(detector)
    with Bars(console) as bars:

        def bar(what):
            return lambda count: bars.add(what, count, "photos")

        pairs = align_pairs(settings.protected, settings.clean, aligner, bar("aligning"))
        gallery, left_out = align_faces(
            settings.gallery, "--gallery", aligner, bar("gallery"), skip=pairs.contents
        )
        targets = Faces((), (), np.zeros((0, 112, 112, 3), np.uint8))
        if settings.targets:
            targets, none = align_faces(settings.targets, "--targets", aligner, bar("targets"))
            left_out |= none
        for name, reason in list(left_out.items())[:SHOWN]:
            console.print(f"left out: {name}: {reason}", markup=False, highlight=False)
        if len(left_out) > SHOWN:
            console.print(f"left out: {len(left_out) - SHOWN} more")
        strangers = None
        if settings.distractor_photos:
            # Here, as it imports Grain, for which others need not wait.
            from tipim_jax.distractor_photos import load_strangers

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
        clean, protected = {}, {}
        for name in settings.recognisers:
            advance = bars.add(name, len(gallery) + len(strangers or ()), "faces")
            try:
                judge = Judge.of(Recogniser.load(name), trial, progress=advance)
            except ValueError as error:
                raise SettingsError(f"--gallery {settings.gallery}: {error}") from None
            held_out = name not in settings.surrogate
            clean[name] = judge(pairs.clean.crops, held_out=held_out)
            protected[name] = judge(pairs.protected, held_out=held_out)
    about = {
        "surrogates": list(settings.surrogate) or ["unknown"],
        "method": settings.protected.name,
        "gallery": len(gallery),
        **trial.about,
        "no_face_found": list(pairs.lost),
        "not_judged": pairs.left_out,
    }
    rows = [
        Row({"method": "clean", **trial.about}, len(pairs.clean), {}, clean),
        Row(about, len(pairs.clean), quality(pairs.clean.crops, pairs.compared), protected),
    ]
    rows[0].write(settings.output / "clean.json")
    rows[1].write(settings.output / "results.json")
    for name, make in (("txt", text_tables), ("csv", csv_table), ("tex", latex_tables)):
        with write_whole(settings.output / f"tables.{name}") as stream:
            stream.write(make(rows).encode())
    return pairs, rows
