"""From photos to faces, for the loop, and back."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from tipim_jax.engine.found import NOT_FINITE, FaceOutcome, FoundPhoto, MaskedPhoto
from tipim_jax.engine.loop import Mask
from tipim_jax.photos import Region

_ROUNDING = 1e-6  # of shares of work that add up


class _Waiting:
    """A photo some of whose masks may not be made yet."""

    def __init__(self, photo: FoundPhoto):
        self.photo = photo
        self.masks: list[Mask] = []


class PhotoStream:
    """Takes photos apart into faces for the loop, and puts their masks together again.

    Another thread may take the regions.
    """

    def __init__(
        self,
        photos: Iterable[FoundPhoto],
        names: Sequence[str],
        progress: Callable[[float], None],
    ):
        """Takes photos, names of the targets, and what is told of photos' worth of work."""
        self._photos, self._names, self._progress = photos, names, progress
        self._waiting: deque[_Waiting] = deque()
        self._undone: deque[float] = deque()  # of faces: what share of its photo each one is
        self._part = 0.0  # of the first of them that is done
        self._lock = threading.Lock()

    def regions(self) -> Iterator[Region]:
        """Those of all faces, photo by photo."""
        for photo in self._photos:
            faces = len(photo.faces)
            with self._lock:
                self._waiting.append(_Waiting(photo))
                self._undone.extend([1 / max(1, faces)] * faces)
            if not photo.faces:
                self._progress(1)
            yield from photo.regions

    def advance(self, faces: float) -> None:
        """Faces' worth of work, on those that come next, as photos' worth."""
        photos, faces = 0.0, faces + self._part
        with self._lock:
            if self._undone:
                photos -= self._part * self._undone[0]
            while self._undone and faces > 1 - _ROUNDING:
                photos += self._undone.popleft()
                faces -= 1
            self._part = max(0.0, faces) if self._undone else 0.0
            if self._undone:
                photos += self._part * self._undone[0]
        self._progress(photos)

    def add(self, mask: Mask) -> None:
        """The next mask, in the order of the regions."""
        with self._lock:
            first = next(one for one in self._waiting if len(one.masks) < len(one.photo.faces))
            first.masks.append(mask)

    def complete(self) -> Iterator[MaskedPhoto]:
        """Photos, from the front, all of whose masks are there."""
        while one := self._next():
            yield self._with_outcomes(one)

    def _with_outcomes(self, one: _Waiting) -> MaskedPhoto:
        outcomes, values = [], []
        doubts = one.photo.doubts or (None,) * len(one.masks)
        for face, mask, doubt in zip(one.photo.faces, one.masks, doubts, strict=True):
            finite = bool(np.isfinite(mask.values).all())
            target = self._names[mask.target] if finite and mask.target >= 0 else None
            reason = doubt if finite else NOT_FINITE
            outcomes.append(FaceOutcome(face, target, finite, reason, finite and bool(doubt)))
            values.append(mask.values if finite else np.zeros_like(mask.values))
        return MaskedPhoto(one.photo, tuple(values), (*outcomes, *one.photo.others))

    def _next(self) -> _Waiting | None:
        with self._lock:
            if self._waiting and len(self._waiting[0].masks) == len(self._waiting[0].photo.faces):
                return self._waiting.popleft()
        return None
