"""One run of the command: the engine protects, the judge measures, the report shows."""

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from tipim_jax.attack.gallery import gallery_files
from tipim_jax.attack.measure import measure, results
from tipim_jax.attack.plan import FacesFound, plan, seconds_for
from tipim_jax.attack.prepare import already_there, input_files, load_protector, make_output
from tipim_jax.attack.saved import ProtectedPhoto
from tipim_jax.attack.settings import Attack
from tipim_jax.attack.watch import arrivals
from tipim_jax.backend import backend
from tipim_jax.configuration import SettingsError
from tipim_jax.console import Console
from tipim_jax.datasets.crops import CropCache
from tipim_jax.datasets.portraits import find_portraits
from tipim_jax.engine import Journal, Outcome, Process, Protector, clear_partial, protect_files
from tipim_jax.engine.threads import Crew, ahead, threads
from tipim_jax.identification import Recogniser
from tipim_jax.photos import (
    NO_FACE,
    YUNET,
    FoundFiles,
    PhotoFile,
    output_paths,
    write_whole,
)
from tipim_jax.progress import Bars
from tipim_jax.report import (
    FacePictures,
    LeftAlone,
    NotProtected,
    Results,
    TargetResult,
    picture,
    report,
)
from weights_convert import home, obtain


def run(settings: Attack, command: str, console: Console, process: Process) -> Results | None:
    """Protects, measures, and writes results.json and report.html beside the photos.

    Of several processes each protects its share of the photos, and the first, when all have,
    measures all of them.

    Args:
      settings: the command's.
      command: as it was given, for the report.
      console: for what is said meanwhile.
      process: this one, of those that share the run.

    Returns:
      what was measured; None but in the first process.

    Raises:
      SettingsError, PhotoError, ConversionError: nothing can be done at all.
      Stopped: on Ctrl-C; photos that were written stay.
    """
    began = time.perf_counter()
    given = input_files(settings)
    one = Run.begin(settings, command, console, process, given.photos)
    done = one.photos(given, began=began)
    if done is None:
        return None
    summary, pictures = done
    targets = one.protector.targets
    target_pictures = {
        name: picture(face.pixels) for name, face in zip(targets.names, targets.faces, strict=True)
    }
    page = report(summary, pictures, target_pictures)
    try:
        for name, text in (("results.json", summary.to_json()), ("report.html", page)):
            with write_whole(settings.output / name) as stream:
                stream.write(text.encode())
    except OSError as error:  # what became of the photos is said nevertheless
        console.error(error)
    return summary


def watch(settings: Attack, command: str, console: Console, process: Process) -> Iterator[Results]:
    """Protects and measures what is in a folder, and then what arrives, until Ctrl-C.

    No report is written, as each would be of a few photos; else as `run`.

    Yields:
      what was measured, of what has arrived.
    """
    folder = settings.watch
    if folder.resolve() == settings.output.resolve():
        raise SettingsError(f"--watch {folder} is --output, too; expected another folder")
    one = Run.begin(settings, command, console, process, None)
    console.print(watching := f"watching {folder}; Ctrl-C ends it")
    for given, there in arrivals(folder, settings.output):
        found = one.photos(given, among=there)
        if found:
            yield found[0]
        console.print(watching)


@dataclass(frozen=True, eq=False)
class Run:
    """What one run of the command has loaded.

    Attributes:
      searched: where the gallery comes from, and its photos with the names of those they show.
    """

    settings: Attack
    command: str
    console: Console
    process: Process
    protector: Protector
    searched: tuple[str, list[tuple[str, PhotoFile]]]

    @classmethod
    def begin(
        cls,
        settings: Attack,
        command: str,
        console: Console,
        process: Process,
        files: Sequence[PhotoFile] | None,
    ) -> "Run":
        """Says what it will do and loads what it takes; errors as `run`.

        Args:
          files: the photos; None: whatever arrives.
        """
        make_output(settings.output)
        searched = gallery_files(settings.gallery)  # refused now, not after hours of work
        if process.count == 1:
            clear_partial(settings.output)
        if process.index == 0:
            there = already_there(settings, files or ())
            photos = None if files is None else len(files)
            for line in plan(settings, photos, there, backend()):
                console.print(line)
        with console.status("getting ready", spinner="line"):  # of signs that every console has
            protector = load_protector(settings)
        for photo, reason in protector.targets.left_out.items():
            console.one_line(f"left out of the targets: {photo}: {reason}")
        return cls(settings, command, console, process, protector, searched)

    def photos(
        self,
        given: FoundFiles,
        *,
        among: Sequence[PhotoFile] | None = None,
        began: float | None = None,
    ) -> tuple[Results, Mapping[str, Sequence[FacePictures]]] | None:
        """Protects and measures some photos.

        Args:
          among: all that their copies' names are to be told apart from; None: these.
          began: when the run did; None: now.

        Returns:
          what was measured, and pictures of the faces; None but in the first process.
        """
        began = began or time.perf_counter()
        with Bars(self.console) as bars:
            outcome = _protect(
                self.settings, self.protector, given.photos, self.process, bars, among=among
            )
            if self.process.index > 0:
                return None
            return self._measure(given, outcome, bars, began)

    @cached_property
    def _recognisers(self) -> dict[str, Recogniser]:
        loaded = self.protector.surrogates
        return {
            name: loaded.get(name) or Recogniser.load(name) for name in self.settings.recognisers
        }

    def _measure(self, given: FoundFiles, outcome: Outcome, bars: Bars, began: float):
        settings, protector, console = self.settings, self.protector, self.console
        kept = CropCache(home() / "crops", obtain(YUNET))
        origin, named = self.searched
        crew = Crew.here()
        with threads(crew.finders, one_core_each=crew.one_core_each) as pool:
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
            self._recognisers,
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
        missed = [
            NotProtected(str(file.relative), reason, failed=reason != NO_FACE)
            for file in given.photos
            if (reason := outcome.missed.get(file.source))
        ]
        missed += [
            NotProtected(str(file.relative), kind, failed=False) for file, kind in given.others
        ]
        missed += [
            NotProtected(str(file.relative), reason)
            for file, photo in written
            if (reason := photo.left_alone)
        ]
        spared = [
            LeftAlone(str(file.relative), reason)
            for file in given.photos
            if (reason := outcome.spared.get(file.source))
        ]
        spared += [
            LeftAlone(str(file.relative), reason)
            for file, photo in written
            if (reason := photo.by_choice)
        ]
        imitated = TargetResult(protector.targets.origin, protector.targets.names)
        found = results(
            settings, self.command, imitated, measured, missed, spared, seconds, protector.work
        )
        return found, measured.pictures


def _protect(
    settings: Attack,
    protector: Protector,
    files: Sequence[PhotoFile],
    process: Process,
    bars: Bars,
    *,
    among: Sequence[PhotoFile] | None = None,
) -> Outcome:
    """Protects this process's share; in the first one, what the others could not, once more."""
    among = files if among is None else among
    outputs = output_paths(among, settings.output, saved_as=settings.format)
    outputs = dict(zip((file.source for file in among), outputs, strict=True))
    written_how = f"{settings.format} {settings.metadata}"
    journal = Journal(settings.output, f"{protector.decides} {written_how}")
    seconds = partial(seconds_for, settings, backend())
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
            found_faces=FacesFound(bars.say, seconds),
        )

    outcome = protected(own, settings.overwrite)
    process.wait()
    if process.index == 0:
        if process.count > 1:
            outcome = protected(files, False).after(outcome)
        # Of batches that were killed and came together otherwise, or with other settings, since.
        shutil.rmtree(journal.unfinished, ignore_errors=True)
    return outcome
