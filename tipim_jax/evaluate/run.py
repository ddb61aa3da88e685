"""One run of the command: show the faces to the recognisers, write figures and tables."""

from collections.abc import Container
from pathlib import Path

from tipim_jax.configuration import SettingsError
from tipim_jax.console import Console
from tipim_jax.datasets import CropCache, ReadyCrops, face_key, find_portraits, person
from tipim_jax.evaluate.finding import CentralFace
from tipim_jax.evaluate.pairs import EmbeddedPairs, content, pair_photos, photos, show_pairs
from tipim_jax.evaluate.posted import conditions
from tipim_jax.evaluate.programs.environment import interpreter
from tipim_jax.evaluate.programs.judging import Judged
from tipim_jax.evaluate.programs.photos import judge_photos
from tipim_jax.evaluate.settings import Evaluate
from tipim_jax.evaluate.windows import through_all_windows, window_tables
from tipim_jax.identification import (
    Experiment,
    PhotoFaces,
    Recogniser,
    Strangers,
    quality,
    recognitions,
)
from tipim_jax.photos import YUNET, FaceDetector, write_whole
from tipim_jax.progress import Bars
from tipim_jax.report import Measurement
from tipim_jax.report.tables import csv_table, latex_tables, text_tables
from weights_convert import home, obtain

SHOWN = 20  # photos that are left out


def run(
    settings: Evaluate, console: Console
) -> tuple[EmbeddedPairs, list[Measurement], list[tuple[Measurement, Measurement]]]:
    """Judges the photos, and writes the figures.

    Returns:
      What was seen of the photos, the measurements of the clean and of the protected ones, and,
      where they were to be posted, such a pair of measurements for each condition.

    Raises:
      SettingsError, ConversionError, OSError: nothing can be done at all.
    """
    if settings.programs:
        interpreter()  # it says so now where there are none
    detector = None if settings.aligned else FaceDetector(obtain(YUNET))
    finder = CentralFace(detector)
    with Bars(console) as bars:
        pairs = pair_photos(settings.protected, settings.clean)
        skip = {content(pair.clean) for pair in pairs if pair.clean}
        gallery, left_out = _people(settings.gallery, "--gallery", settings.aligned, bars, skip)
        targets = PhotoFaces.none()
        if settings.targets:
            targets, none = _people(settings.targets, "--targets", settings.aligned, bars)
            left_out |= none
        for name, reason in list(left_out.items())[:SHOWN]:
            console.one_line(f"left out: {name}: {reason}")
        if len(left_out) > SHOWN:
            console.print(f"left out: {len(left_out) - SHOWN} more")
        recognisers = {name: Recogniser.load(name) for name in settings.recognisers}
        if settings.all_windows:
            recognisers = through_all_windows(recognisers)
        masked_for = tuple(
            name for name, one in recognisers.items() if one.network.name in settings.surrogate
        )
        ways = conditions(finder) if settings.posting else ()
        advance = bars.add("pairs", len(pairs), "photos")
        seen = show_pairs(pairs, recognisers, finder, ways, advance)
        experiment = Experiment(
            seen.clean,
            targets,
            gallery,
            strangers=_strangers(settings, seen, gallery, targets, bars),
            drawn=settings.drawn_distractors,
        )
        try:
            judges = experiment.judges(
                recognisers,
                lambda what, count: bars.add(f"embedding {what}", count, "faces"),
                seen.posted[0].clean,
            )
        except ValueError as error:
            raise SettingsError(f"--gallery {settings.gallery}: {error}") from None
        found = [
            tuple(
                recognitions(judges, faces, masked_for)
                for faces in (posted.clean, posted.protected)
            )
            for posted in seen.posted
        ]
        by_programs = Judged.nothing()
        if settings.programs:
            by_programs = judge_photos(settings, pairs, seen.clean, gallery, targets, bars)
    unprotected = {"method": "clean", **experiment.about}
    about = {
        "surrogates": list(settings.surrogate) or ["unknown"],
        "method": settings.protected.name,
        "gallery": len(gallery),
        **experiment.about,
    }
    lost = list(seen.posted[0].lost)
    faults = {"no_face_found": lost, "not_judged": seen.left_out, **by_programs.told}
    count = len(seen.clean)
    clean, protected = found[0][0] | by_programs.clean, found[0][1] | by_programs.protected
    measured = [
        Measurement(unprotected, count, {}, clean),
        Measurement({**about, **faults}, count, quality(seen.changes), protected),
    ]
    for name, one in zip(("clean", "results"), measured, strict=True):
        one.write(settings.output / f"{name}.json")
    for suffix, make in (("txt", text_tables), ("csv", csv_table), ("tex", latex_tables)):
        with write_whole(settings.output / f"tables.{suffix}") as stream:
            stream.write(make(measured).encode(errors="backslashreplace"))
    if settings.all_windows:
        tables = window_tables(measured, settings.recognisers)
        with write_whole(settings.output / "windows.txt") as stream:
            stream.write(tables.encode(errors="backslashreplace"))
    if settings.threats:
        # Here, as only what it judges needs it.
        from tipim_jax.evaluate.threats import write_threats

        write_threats(judges, seen.posted[0], masked_for, settings.output)
    if not settings.posting:
        return seen, measured, []
    # Here, as it imports matplotlib, for which others need not wait.
    from tipim_jax.evaluate.outcome import write_posting

    posted_pairs = [
        tuple(
            Measurement(
                {**what, "posting": posted.name, "no_face_found": list(lost)}, count, {}, by
            )
            for what, lost, by in zip(
                (unprotected, about), (posted.lost_clean, posted.lost), both, strict=True
            )
        )
        for posted, both in zip(seen.posted, found, strict=True)
    ]
    write_posting(posted_pairs, settings.output)
    return seen, measured, posted_pairs


def _people(
    folder: Path, flag: str, aligned: bool, bars: Bars, skip: Container[str] = ()
) -> tuple[PhotoFaces, dict[str, str]]:
    """One face of each photo of known people, and the photos that are left out, with the reason.

    Args:
      aligned: the photos are canonical crops already.
      skip: hashes of photos that are passed over.

    Raises:
      SettingsError: there is no face at all.
    """
    files = photos(folder, flag)
    clean = [file for file in files if content(file) in skip]
    named = [(person(file), file) for file in files if file not in clean]
    kept = ReadyCrops() if aligned else CropCache(home() / "crops", obtain(YUNET))
    advance = bars.add(flag.removeprefix("--"), len(named), "photos")
    faces, left_out = find_portraits(named, kept, "central", progress=advance)
    reason = "is one of the clean photos, which would be found by itself"
    left_out |= {str(file.relative): reason for file in clean}
    if not len(faces):
        name, reason = next(iter(left_out.items()))
        raise SettingsError(
            f"{flag} {folder}: none of its {len(files)} photos can be used ({name}: {reason})"
        )
    return faces, left_out


def _strangers(
    settings: Evaluate, seen: EmbeddedPairs, gallery: PhotoFaces, targets: PhotoFaces, bars: Bars
) -> Strangers | None:
    if not settings.distractor_photos:
        return None
    # Here, as it imports Grain, for which others need not wait.
    from tipim_jax.datasets.distractor_photos import load_strangers

    known = seen.keys | {face_key(face.crop) for part in (gallery, targets) for face in part}
    return load_strangers(settings.distractor_photos, known, bars, ready=settings.aligned)
