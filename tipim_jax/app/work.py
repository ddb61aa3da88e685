"""What is done to one photo, or to a few together; `jobs` says when.

A photo's fields are written under the lock that is given, as browsers are told of them meanwhile.
"""

import contextlib
import logging
import shutil
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import RLock

from tipim_jax.app import pictures
from tipim_jax.app.engine import Chosen, Engine, Masked
from tipim_jax.app.limits import Limits
from tipim_jax.app.pages import Photo, Trial
from tipim_jax.engine.found import FAULTS, said_of
from tipim_jax.photos import NO_FACE, UNSURE
from tipim_jax.photos import Photo as Decoded
from weights_convert import ConversionError

_log = logging.getLogger(__name__)


class Work:
    """Finds faces, protects and judges, and keeps what comes of it in the photos' folders."""

    def __init__(self, engine: Engine, limits: Limits, lock: RLock):
        self._engine, self._limits, self._lock = engine, limits, lock

    def find(self, photo: Photo) -> None:
        """Reads a photo that was sent, and finds its faces."""
        with self._failing(photo):
            read = self._read(photo)
            pictures.write_small(read, photo.folder)
            with self._lock:
                photo.height, photo.width = read.pixels.shape[:2]
                photo.version += 1
            faces, unsure = self._engine.find(read.pixels)
            with self._lock:
                photo.faces, photo.unsure = tuple(faces), tuple(unsure)
                photo.why = "" if faces else UNSURE if unsure else NO_FACE
                photo.state, photo.touched = "ready", time.monotonic()

    def protect(self, photos: Sequence[Photo]) -> None:
        """Protects photos together, each of which is done as soon as its masks are."""
        waiting: deque[tuple[Photo, Decoded]] = deque()
        for photo in photos:
            with self._failing(photo):
                waiting.append((photo, self._read(photo)))
        if not waiting:
            return

        def progress(amount: float) -> None:
            with self._lock:
                for photo, _ in waiting:
                    photo.progress = min(0.99, photo.progress + amount / len(waiting))

        chosen = [Chosen(original.pixels, photo.chosen) for photo, original in waiting]
        try:
            for masked in self._engine.protect(chosen, waiting[0][0].strength, progress):
                photo, original = waiting.popleft()
                with self._failing(photo):
                    self._finish(photo, original, masked)
        except Exception as error:
            for photo, _ in waiting:
                self._failed(photo, error)

    def attempt(self, trial: Trial, photo: Photo) -> None:
        """Protects one face, to be looked at."""
        began = time.monotonic()
        face = photo.faces[trial.face]

        def progress(amount: float) -> None:
            with self._lock:
                trial.progress = min(0.99, trial.progress + amount)

        with self._failing(trial):
            original = self._read(photo)
            chosen = Chosen(original.pixels, [face])
            (masked,) = self._engine.protect([chosen], trial.strength, progress)
            trial.folder.mkdir(mode=0o700)
            pictures.write_face(original, masked.pixels, face.box.tolist(), trial.folder)
            (opinions,) = self._engine.judge(chosen, masked.pixels)
            with self._lock:
                trial.opinions, trial.why = opinions, masked.reasons[0] or ""
                trial.seconds = time.monotonic() - began
                trial.state, photo.touched = "done", time.monotonic()

    def _finish(self, photo: Photo, original: Decoded, masked: Masked) -> None:
        (name,) = pictures.file_names([photo])
        saved = pictures.write_compared(original, masked.pixels, photo.folder, name)
        chosen = Chosen(original.pixels, photo.chosen)
        opinions = iter(self._engine.judge(chosen, masked.pixels))
        with self._lock:
            photo.opinions = [
                () if i in photo.alone else next(opinions) for i in range(len(photo.faces))
            ]
            photo.saved, photo.state, photo.progress = saved, "done", 1.0
            photo.why = "; ".join(sorted({reason for reason in masked.reasons if reason}))
            photo.touched = time.monotonic()
            photo.version += 1

    def _read(self, photo: Photo) -> Decoded:
        return pictures.read(photo.folder / "original", str(photo.name), self._limits.pixels)

    @contextlib.contextmanager
    def _failing(self, what: Photo | Trial) -> Iterator[None]:
        """What goes wrong with one photo costs the others nothing."""
        try:
            yield
        except Exception as error:
            self._failed(what, error)

    def _failed(self, what: Photo | Trial, error: Exception) -> None:
        with self._lock:
            what.state, what.why = "failed", words(error)


def words(error: Exception) -> str:
    """What went wrong, for who sees the page; a mistake of ours is written to the log as well."""
    if isinstance(error, FAULTS):
        return said_of(error)
    if isinstance(error, OSError):  # a file's name here says nothing to who sent it
        return error.strerror or type(error).__name__
    if isinstance(error, ValueError | ConversionError):
        return str(error)
    _log.error("a photo could not be protected", exc_info=error)
    return f"something went wrong here: {error}"


def delete(folder: Path) -> None:
    """As far as that is possible now; who sweeps tries again."""
    shutil.rmtree(folder, ignore_errors=True)
