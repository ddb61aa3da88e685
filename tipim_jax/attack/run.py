"""One run of the command: find, protect, save, read back, measure, report."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

import weights_convert
from tipim_jax import people
from tipim_jax.attack.gallery import bundled_file, gallery_files, portraits, target_files
from tipim_jax.attack.measure import measure, results
from tipim_jax.attack.save import save_protected
from tipim_jax.attack.scan import scan
from tipim_jax.attack.settings import Attack
from tipim_jax.configuration import SettingsError
from tipim_jax.method import Surrogate
from tipim_jax.photos import (
    YUNET,
    FaceDetector,
    PhotoFile,
    find_photos,
    output_paths,
    read_photo,
    write_whole,
)
from tipim_jax.progress import Bars
from tipim_jax.recogniser import Recogniser
from tipim_jax.report import Results, picture, report


def run(settings: Attack, command: str, console: Console) -> Results:
    """Protects, measures, and writes results.json and report.html beside the photos.

    Args:
      settings: the command's.
      command: as it was given, for the report.
      console: for progress bars.

    Raises:
      SettingsError, PhotoError, ConversionError: nothing can be done at all.
      Stopped: on Ctrl-C; photos that were written stay.
    """
    began = time.perf_counter()
    files = _input_files(settings)
    _make_output(settings.output)
    outputs = output_paths(files, settings.output, keep_format=settings.format == "keep")
    outputs = dict(zip((file.source for file in files), outputs, strict=True))
    with Bars(console) as bars:
        needed = dict.fromkeys((*settings.surrogates, *settings.recognisers))
        loaded = {name: Recogniser.load(name) for name in needed}
        surrogates = {name: loaded[name] for name in settings.surrogates}
        recognisers = {name: loaded[name] for name in settings.recognisers}
        detector = FaceDetector(weights_convert.obtain(YUNET))

        photos, missed = scan(files, detector, bars.add("finding faces", len(files), "photos"))
        origin, named = target_files(settings.targets)
        targets = portraits(
            origin, named, detector, bars.add("targets", len(named), "photos"), console
        )
        target_pictures = {name: picture(read_photo(file.source).pixels) for name, file in named}
        origin, named = gallery_files(settings.gallery)
        gallery = portraits(
            origin, named, detector, bars.add("gallery", len(named), "photos"), console
        )

        saved = save_protected(
            settings,
            {name: Surrogate(r.network.embed, r.variables) for name, r in surrogates.items()},
            targets,
            photos,
            outputs,
            bars,
        )
        measured = measure(
            settings,
            recognisers,
            surrogates,
            targets,
            gallery,
            saved.photos,
            outputs,
            detector,
            bars,
        )
    seconds = {"total": time.perf_counter() - began, "attack": saved.seconds}
    if saved.faces:
        seconds["per_image_iteration"] = saved.seconds / (saved.faces * settings.method.iterations)
    found = results(settings, command, targets, measured, (*missed, *saved.failed), seconds)
    page = report(found, measured.pictures, target_pictures)
    for name, text in (("results.json", found.to_json()), ("report.html", page)):
        with write_whole(settings.output / name) as stream:
            stream.write(text.encode())
    return found


def _input_files(settings: Attack) -> Sequence[PhotoFile]:
    if not settings.paths:
        return [bundled_file(path) for path in people.probe_photos()]
    files = find_photos(settings.paths, skip=settings.output)
    if not files:
        raise SettingsError(
            f"no photos in {', '.join(map(str, settings.paths))}; "
            "expected .jpg, .jpeg, .png or .webp files"
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
