"""One run of the command: the engine protects, the judge measures, the report shows."""

import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tipim_jax.attack.gallery import bundled_file, gallery_files
from tipim_jax.attack.measure import measure, results
from tipim_jax.attack.saved import ProtectedPhoto
from tipim_jax.attack.settings import Attack
from tipim_jax.configuration import SettingsError
from tipim_jax.console import Console
from tipim_jax.datasets import bundled
from tipim_jax.datasets.crops import CropCache
from tipim_jax.datasets.portraits import find_portraits
from tipim_jax.engine import Journal, Outcome, Process, Protector, clear_partial, protect_files
from tipim_jax.engine.protector import FINDERS
from tipim_jax.engine.threads import ahead, threads
from tipim_jax.identification import Recogniser
from tipim_jax.photos import (
    NO_FACE,
    YUNET,
    FoundFiles,
    PhotoFile,
    find_files,
    output_paths,
    write_whole,
)
from tipim_jax.progress import Bars
from tipim_jax.report import NotProtected, Results, TargetResult, picture, report
from weights_convert import home, obtain


def run(settings: Attack, command: str, console: Console, process: Process) -> Results | None:
    """Protects, measures, and writes results.json and report.html beside the photos.

    Of several processes each protects its share of the photos, and the first, when all have,
    measures all of them.

    Args:
      settings: the command's.
      command: as it was given, for the report.
      console: for progress bars.
      process: this one, of those that share the run.

    Returns:
      what was measured; None but in the first process.

    Raises:
      SettingsError, PhotoError, ConversionError: nothing can be done at all.
      Stopped: on Ctrl-C; photos that were written stay.
    """
    began = time.perf_counter()
    given = _input_files(settings)
    files = given.photos
    _make_output(settings.output)
    searched = gallery_files(settings.gallery)  # refused now, not after hours of work
    if process.count == 1:
        clear_partial(settings.output)
    protector = Protector(
        settings.method,
        surrogates=settings.surrogates,
        targets=settings.targets,
        seed=settings.seed,
        batch_size=settings.batch_size,
        dtype=settings.dtype,
    )
    for photo, reason in protector.targets.left_out.items():
        console.one_line(f"left out of the targets: {photo}: {reason}")
    with Bars(console) as bars:
        outcome = _protect(settings, protector, files, process, bars)
        if process.index > 0:
            return None
        found = _measure(
            settings, protector, given, searched, outcome, command, console, bars, began
        )
    target_pictures = {
        name: picture(face.pixels)
        for name, face in zip(protector.targets.names, protector.targets.faces, strict=True)
    }
    measured, summary = found
    page = report(summary, measured.pictures, target_pictures)
    try:
        for name, text in (("results.json", summary.to_json()), ("report.html", page)):
            with write_whole(settings.output / name) as stream:
                stream.write(text.encode())
    except OSError as error:  # what became of the photos is said nevertheless
        console.error(error)
    return summary


def _protect(
    settings: Attack,
    protector: Protector,
    files: Sequence[PhotoFile],
    process: Process,
    bars: Bars,
) -> Outcome:
    """Protects this process's share; in the first one, what the others could not, once more."""
    outputs = output_paths(files, settings.output, saved_as=settings.format)
    outputs = dict(zip((file.source for file in files), outputs, strict=True))
    written_how = f"{settings.format} {settings.metadata}"
    journal = Journal(settings.output, f"{protector.decides} {written_how}")
    own = [file for group in process.part_of([files]) for file in group]

    def protected(some, overwrite):
        return protect_files(
            protector,
            some,
            outputs,
            journal,
            overwrite=overwrite,
            metadata=settings.metadata,
            first_frame=settings.first_frame,
            add_bar=bars.add,
        )

    outcome = protected(own, settings.overwrite)
    process.wait()
    if process.index == 0:
        if process.count > 1:
            outcome = protected(files, False)
        # Of batches that were killed and came together otherwise, or with other settings, since.
        shutil.rmtree(journal.unfinished, ignore_errors=True)
    return outcome


def _measure(settings, protector, given, searched, outcome, command, console, bars, began):
    recognisers = {
        name: protector.surrogates.get(name) or Recogniser.load(name)
        for name in settings.recognisers
    }
    kept = CropCache(home() / "crops", obtain(YUNET))
    origin, named = searched
    with threads(FINDERS) as pool:
        gallery, left_out = find_portraits(
            named,
            kept,
            "largest",
            each=lambda find, some: ahead(find, some, pool, len(some)),
            progress=bars.add("gallery", len(named), "photos"),
        )
    for photo, reason in left_out.items():
        console.one_line(f"left out of {origin}: {photo}: {reason}")
    if not len(gallery):
        raise SettingsError(f"{origin}: no face was found in any of its {len(named)} photos")
    written = [
        (file, photo)
        for file in given.photos
        if (photo := outcome.photos.get(file.source)) is not None
    ]
    photos = [
        ProtectedPhoto(
            file,
            photo.saved,
            tuple(one.face for one in photo.outcomes if one.protected),
            tuple(one.target for one in photo.outcomes if one.protected),
        )
        for file, photo in written
    ]
    measured = measure(
        photos,
        recognisers,
        protector.targets.faces,
        gallery,
        protector.detector,
        surrogates=settings.surrogates,
        gallery_origin=origin if settings.gallery else None,
        epsilon=settings.method.epsilon,
        output=settings.output,
        bars=bars,
    )
    seconds = {
        "total": time.perf_counter() - began,
        "attack": outcome.seconds,
        "waiting": outcome.waiting,
    }
    if outcome.faces:
        iterations = outcome.faces * settings.method.iterations
        seconds["per_image_iteration"] = outcome.seconds / iterations
    work = {"dtype": protector.dtype, "layout": str(protector.layout(settings.batch_size))}
    missed = [
        NotProtected(str(file.relative), reason, failed=reason != NO_FACE)
        for file in given.photos
        if (reason := outcome.missed.get(file.source))
    ]
    missed += [NotProtected(str(file.relative), kind, failed=False) for file, kind in given.others]
    missed += [
        NotProtected(str(file.relative), reason)
        for file, photo in written
        if (reason := photo.left_alone)
    ]
    imitated = TargetResult(protector.targets.origin, protector.targets.names)
    return measured, results(settings, command, imitated, measured, missed, seconds, work)


def _input_files(settings: Attack) -> FoundFiles:
    if not settings.paths:
        return FoundFiles([bundled_file(path) for path in bundled.demonstration_photos()], [])
    files = find_files(settings.paths, skip=settings.output)
    if not files.photos:
        others = f"{len(files.others)} other files" if files.others else "nothing"
        raise SettingsError(
            f"no photos in {', '.join(map(str, settings.paths))}; expected JPEG, PNG, HEIC or "
            f"other pictures, found {others}"
        )
    return files


def _make_output(folder: Path) -> None:
    """Finds out now, not after hours of work, that nothing can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SettingsError(
            f"--output {folder} is no folder that can be written to: {error.strerror}"
        ) from None
