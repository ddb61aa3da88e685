"""Protects photos on disk, and writes each one as soon as it is done.

While the device works on a batch, threads find the faces of the next ones and write the photos of
the last; how many depends on whether the device is their own CPU (`threads.Crew`). No more than a
few batches of photos are in memory; of the others it is known where they are and what became of
their faces.
"""

import contextlib
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tipim_jax.engine.found import FAULTS, FoundPhoto, MaskedPhoto, WrittenPhoto, said_of
from tipim_jax.engine.journal import Journal, State
from tipim_jax.engine.protector import READ_AHEAD, Protector
from tipim_jax.engine.threads import Crew, ahead, threads
from tipim_jax.photos import (
    Metadata,
    PhotoError,
    PhotoFile,
    encode_photo,
    write_whole,
)

_UNWRITTEN = 16  # photos that may wait for the disk after Ctrl-C; before, a batch's, too
_PARTIAL = re.compile(r"\.[0-9a-f]{16}\.part")  # as `disk.write_whole` calls it


class Stopped(Exception):
    """The user stopped the run (Ctrl-C); the message says what is done."""


@dataclass(eq=False)
class Outcome:
    """What is on disk now.

    Attributes:
      photos: Photos whose protected copy is there, by source.
      missed: Why there is none of the others, by source.
      spared: Why there is nobody to protect in others, as the user chose, by source.
      faces: Number of faces that were protected in this run; the others were done already.
      seconds: Duration of that, compilation included, from when the first faces were found.
      waiting: Seconds of these, roughly, in which the device had nothing to do, as faces were not
        found or photos not written yet, from when the first face was.
    """

    photos: dict[Path, WrittenPhoto] = field(default_factory=dict)
    missed: dict[Path, str] = field(default_factory=dict)
    spared: dict[Path, str] = field(default_factory=dict)
    faces: int = 0
    seconds: float = 0.0
    waiting: float = 0.0

    def waited(self, seconds: float) -> None:
        """Notes that the device had nothing to do."""
        self.waiting += seconds

    def after(self, earlier: "Outcome") -> "Outcome":
        """The same, with the faces and the times of an earlier part of the run."""
        return replace(
            self,
            faces=earlier.faces + self.faces,
            seconds=earlier.seconds + self.seconds,
            waiting=earlier.waiting + self.waiting,
        )


def protect_files(
    protector: Protector,
    files: Sequence[PhotoFile],
    outputs: Mapping[Path, Path],
    journal: Journal,
    *,
    overwrite: bool = False,
    metadata: Metadata = "dates",
    first_frame: bool = False,
    add_bar: Callable[[str, int, str], Callable[[float], None]],
    found_faces: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """Protects the photos that are not done yet.

    Args:
      protector: makes the masks.
      files: the photos.
      outputs: where each source's protected copy goes.
      journal: the record of what is done.
      overwrite: protect all of them, whatever is there.
      metadata: what of it is written; "dates", as "all", stands for the file's times, too.
      first_frame: of animations protect the first picture; otherwise they are missed.
      add_bar: makes a progress bar of a description, a total and a unit; what it gives is called
        with the amount just done.
      found_faces: called, by threads, with the number of faces to protect in each photo.

    Raises:
      Stopped: on Ctrl-C; what was written stays.
    """
    outcome = Outcome()
    states = _states(files, outputs, journal, overwrite)
    to_do = [file for file in files if states[file.source] == "to do"]
    for file in files:
        target = outputs[file.source]
        if states[file.source] == "done":
            entry = journal.read(target)
            outcome.photos[file.source] = WrittenPhoto(file.source, target, entry.faces)
        elif states[file.source] == "foreign":
            outcome.missed[file.source] = (
                f"{target} is there and not from a run of this command; --overwrite replaces it"
            )
        elif states[file.source] == "another's":
            outcome.missed[file.source] = (
                f"{target} is there, protected from another photo; choose another --output, or "
                "replace it with --overwrite"
            )
    if not to_do:
        return outcome
    crew = Crew.here()
    with (
        threads(crew.writers) as writers,
        threads(crew.finders, one_core_each=crew.one_core_each) as finders,
    ):
        looked = add_bar("finding faces", len(to_do), "photos")
        search = _Search(protector, first_frame, looked, found_faces)
        found = ahead(search, to_do, finders, READ_AHEAD * protector.batch_size)
        writing = _Writing(
            writers,
            lambda masked: _write(
                masked, outputs[masked.photo.source], journal, protector, metadata
            ),
            outcome,
            most=max(_UNWRITTEN, 2 * protector.batch_size),
        )
        advance = add_bar("protecting", len(to_do), "photos")
        photos = _WithFaces(found, outcome, advance)
        try:
            for masked in protector.masked(
                photos,
                expected=len(to_do),
                progress=advance,
                waited=outcome.waited,
                kept=journal.unfinished,
            ):
                outcome.faces += sum(one.protected for one in masked.outcomes)
                writing.add(masked)
            if photos.began:
                outcome.seconds = time.perf_counter() - photos.began
            writing.finish()
        except KeyboardInterrupt:
            writing.stop()
            done = len(outcome.photos)
            possible = len(files) - len(outcome.missed) - len(outcome.spared)
            raise Stopped(
                f"stopped: {done} of {possible} photos are done, in {journal.output}; the same "
                "command goes on from there"
            ) from None
        except Exception:
            writing.finish()  # what is protected is not to be done again
            raise
    return outcome


def clear_partial(output: Path) -> None:
    """Removes what runs that were killed had half written below an output folder.

    To be called by the one process that works there.
    """
    for path in output.rglob(".*.part"):
        if _PARTIAL.fullmatch(path.name):
            with contextlib.suppress(OSError):
                path.unlink()


def _states(files, outputs, journal: Journal, overwrite: bool) -> dict[Path, State]:
    if overwrite:
        return {file.source: "to do" for file in files}
    return {file.source: journal.state(file.source, outputs[file.source]) for file in files}


class _Search:
    """Finds a photo's faces; called by threads."""

    def __init__(
        self,
        protector: Protector,
        first_frame: bool,
        progress: Callable[[float], None],
        found_faces: Callable[[int], None],
    ):
        self._protector, self._first_frame = protector, first_frame
        self._progress, self._found_faces = progress, found_faces

    def __call__(self, file: PhotoFile) -> FoundPhoto:
        found = self._protector.find_or_fault(file.source, first_frame=self._first_frame)
        self._progress(1)
        self._found_faces(len(found.faces))
        return found


class _WithFaces:
    """The photos that have faces; why the others are left out is noted.

    Attributes:
      began: When the first of them was handed over.
    """

    def __init__(self, found: Iterator[FoundPhoto], outcome: Outcome, progress):
        self._found, self._outcome, self._progress = found, outcome, progress
        self.began: float | None = None

    def __iter__(self) -> Iterator[FoundPhoto]:
        for photo in self._found:
            if photo.faces:
                self.began = self.began or time.perf_counter()
                yield photo
            else:
                without = self._outcome.spared if photo.by_choice else self._outcome.missed
                without[photo.source] = photo.without_faces
                self._progress(1)


class _Writing:
    """Photos on their way to the disk."""

    def __init__(self, pool: ThreadPoolExecutor, write: Callable, outcome: Outcome, *, most: int):
        """Takes threads, what one of them does for a photo, and how many photos may wait."""
        self._pool, self._write, self._outcome, self._most = pool, write, outcome, most
        self._under_way: deque[tuple[Path, Future]] = deque()

    def add(self, masked: MaskedPhoto) -> None:
        """Writes a photo beside the device's work; waits where the disk does not keep up."""
        self._under_way.append((masked.photo.source, self._pool.submit(self._write, masked)))
        while self._under_way and (
            self._under_way[0][1].done() or len(self._under_way) > self._most
        ):
            self._settle()

    def finish(self) -> None:
        wait_for([future for _, future in self._under_way])
        while self._under_way:
            self._settle()

    def stop(self) -> None:
        """Waits for what is being written and the next few photos, and keeps what was."""
        for _, future in list(self._under_way)[_UNWRITTEN:]:
            future.cancel()
        wait_for([future for _, future in self._under_way])
        for source, future in self._under_way:
            if not future.cancelled() and future.exception() is None:
                self._outcome.photos[source] = future.result()

    def _settle(self) -> None:
        source, future = self._under_way.popleft()
        try:
            self._outcome.photos[source] = future.result()
        except FAULTS as error:
            self._outcome.missed[source] = said_of(error)
        except OSError as error:
            self._outcome.missed[source] = f"cannot write {error.filename}: {error.strerror}"


def _write(
    masked: MaskedPhoto, target: Path, journal: Journal, protector: Protector, metadata: Metadata
) -> WrittenPhoto:
    """Writes a protected photo: first what it will be into the journal, then the photo."""
    reasons = {one.reason for one in masked.outcomes if not one.protected}
    if not any(one.protected for one in masked.outcomes):
        raise PhotoError("; ".join(sorted(reasons)))
    original = masked.photo.decoded()
    times = masked.photo.source.stat()
    pixels = masked.added_to(original.pixels, protector.method)
    if np.array_equal(pixels, original.pixels):
        raise PhotoError("its masks round to nothing; choose a larger budget")
    encoded = encode_photo(replace(original, pixels=pixels), target, metadata=metadata)
    journal.announce(target, masked.photo.source, masked.photo.digest, encoded, masked.outcomes)
    kept = None if metadata == "none" else (times.st_atime_ns, times.st_mtime_ns)
    with write_whole(target, times=kept) as stream:
        stream.write(encoded)
    return WrittenPhoto(masked.photo.source, target, masked.outcomes)
