"""From photos to faces, for the loop, and back."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from tipim_jax.engine.found import FoundPhoto
from tipim_jax.engine.loop import Mask
from tipim_jax.photos import Region


class Waiting:
    """A photo some of whose masks may not be made yet."""

    def __init__(self, photo: FoundPhoto):
        self.photo = photo
        self.masks: list[Mask] = []


class PhotoStream:
    """Takes photos apart into faces for the loop, and puts their masks together again."""

    def __init__(self, photos: Iterable[FoundPhoto], progress: Callable[[float], None]):
        self._photos, self._progress = photos, progress
        self._waiting: deque[Waiting] = deque()

    def regions(self) -> Iterator[Region]:
        """Those of all faces, photo by photo."""
        for photo in self._photos:
            self._waiting.append(Waiting(photo))
            if not photo.faces:
                self._progress(1)
            yield from photo.regions

    def advance(self, faces: float) -> None:
        """Faces' worth of work as photos' worth."""
        waiting = sum(len(one.photo.faces) for one in self._waiting)
        photos = sum(bool(one.photo.faces) for one in self._waiting)
        self._progress(faces * photos / max(1, waiting))

    def add(self, mask: Mask) -> None:
        """The next mask, in the order of the regions."""
        first = next(one for one in self._waiting if len(one.masks) < len(one.photo.faces))
        first.masks.append(mask)

    def complete(self) -> Iterator[Waiting]:
        """Photos, from the front, all of whose masks are there."""
        while self._waiting and len(self._waiting[0].masks) == len(self._waiting[0].photo.faces):
            yield self._waiting.popleft()
