"""One run of the command: find, protect, save, read back, measure, report."""

import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import jax

import weights_convert
from tipim_jax.attack.finished import Finished
from tipim_jax.attack.gallery import bundled_file, gallery_files, portraits, target_files
from tipim_jax.attack.measure import measure, results
from tipim_jax.attack.plan import make_plan, what_decides
from tipim_jax.attack.save import save_protected
from tipim_jax.attack.scan import scan
from tipim_jax.attack.settings import Attack
from tipim_jax.configuration import SettingsError
from tipim_jax.console import Console
from tipim_jax.datasets import bundled as people
from tipim_jax.engine.share import Share
from tipim_jax.engine.threads import threads
from tipim_jax.identification.recogniser import Recogniser
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
from tipim_jax.report import Results, picture, report

# Threads that find faces. On a machine whose CPU is the device they are to leave it alone.
_FINDERS = max(1, min(8, (os.cpu_count() or 1) // 2))
# Batches whose faces are found before their turn comes; a photo has one face more often than not.
_READ_AHEAD = 2


def run(settings: Attack, command: str, console: Console, share: Share) -> Results | None:
    """Protects, measures, and writes results.json and report.html beside the photos.

    Of several processes each protects its share of the photos, and the first, when all have,
    measures all of them.

    Args:
      settings: the command's.
      command: as it was given, for the report.
      console: for progress bars.
      share: this process's.

    Returns:
      what was measured; None but in the first process.

    Raises:
      SettingsError, PhotoError, ConversionError: nothing can be done at all.
      Stopped: on Ctrl-C; photos that were written stay.
    """
    began = time.perf_counter()
    files = _input_files(settings)
    _make_output(settings.output)
    outputs = output_paths(files, settings.output, keep_format=settings.format == "keep")
    outputs = dict(zip((file.source for file in files), outputs, strict=True))
    measures = share.index == 0
    origin, named = target_files(settings.targets)
    gallery_origin, gallery_named = gallery_files(settings.gallery)
    with Bars(console) as bars, threads(_FINDERS) as finders, threads(1) as writer:
        detector = FaceDetector(weights_convert.obtain(YUNET))
        found = _scanned(named, detector, bars, "targets", finders)
        targets = portraits(origin, named, found, console)
        finished = Finished(settings.output, what_decides(settings, targets, _dtype(settings)))

        def scanned(files, overwrite):
            plan = make_plan(files, outputs, finished, overwrite=overwrite)
            bar = bars.add("finding faces", len(files), "photos")
            most = _READ_AHEAD * settings.batch_size
            return plan, scan(plan.order, detector, bar, finders, most)

        own = [file for group in share.of([files]) for file in group]
        plan, stream = scanned(own, settings.overwrite)
        needed = (*settings.surrogates, *(settings.recognisers if measures else ()))
        loaded = {name: Recogniser.load(name) for name in dict.fromkeys(needed)}
        surrogates = {name: loaded[name] for name in settings.surrogates}

        def save(plan, stream):
            return save_protected(
                settings,
                tuple(_surrogate(r, _dtype(settings)) for r in surrogates.values()),
                targets,
                finished,
                plan,
                stream,
                outputs,
                writer,
                bars,
            )

        saved = save(plan, stream)
        seconds = {"attack": saved.seconds, "waiting": saved.waiting}
        if saved.faces:
            iterations = saved.faces * settings.method.iterations
            seconds["per_image_iteration"] = saved.seconds / iterations
        share.wait()
        if not measures:
            return None
        if share.count > 1:  # what the others could not protect is tried once more, by this one
            saved = save(*scanned(files, overwrite=False))
        gallery = _scanned(gallery_named, detector, bars, "gallery", finders)
        target_pictures = {name: picture(read_photo(file.source).pixels) for name, file in named}
        sources = [file.source for file in files]
        measured = measure(
            settings,
            {name: loaded[name] for name in settings.recognisers},
            surrogates,
            targets,
            portraits(gallery_origin, gallery_named, gallery, console),
            [saved.photos[source] for source in sources if source in saved.photos],
            outputs,
            detector,
            bars,
        )
    seconds = {"total": time.perf_counter() - began} | seconds
    work = {"dtype": _dtype(settings), "layout": str(saved.layout)}
    missed = [saved.missed[source] for source in sources if source in saved.missed]
    found = results(settings, command, targets, measured, missed, seconds, work)
    page = report(found, measured.pictures, target_pictures)
    for name, text in (("results.json", found.to_json()), ("report.html", page)):
        with write_whole(settings.output / name) as stream:
            stream.write(text.encode())
    return found


def _dtype(settings: Attack) -> str:
    if settings.dtype != "auto":
        return settings.dtype
    return "float32" if jax.default_backend() == "cpu" else "bfloat16"


def _surrogate(recogniser: Recogniser, dtype: str) -> Surrogate:
    embed = recogniser.network.embed
    if dtype != "float32":
        embed = partial(embed, dtype=dtype)
    return Surrogate(embed, recogniser.variables)


def _scanned(named, detector, bars: Bars, what: str, pool: ThreadPoolExecutor):
    files = [file for _, file in named]
    return scan(files, detector, bars.add(what, len(files), "photos"), pool)


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
