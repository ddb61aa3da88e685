"""Sets of photos: one photo, one name, whichever way the photos are kept."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from pathlib import Path

from tipim_jax.datasets import bundled as people
from tipim_jax.datasets.lfw import LfwError, LfwPhoto, open_lfw
from tipim_jax.photos import PhotoError, find_photos


@dataclass(frozen=True, eq=False)
class FaceSet:
    """Photos whose people are known; can be sent to other processes.

    Attributes:
      origin: what the set is, in words.
      photos: what each photo is called, sorted by person and number.
    """

    origin: str
    photos: tuple[LfwPhoto, ...] = field(repr=False)
    _read: Callable[[LfwPhoto], bytes] = field(repr=False)

    @classmethod
    def lfw(cls, source: Path | None = None) -> "FaceSet":
        """Labeled Faces in the Wild, built once into the cache for fast access to any photo.

        Args:
          source: an archive or a folder; None for the original, which is downloaded (173 MiB). Of
            a folder all photos are read each time, to see whether they are still the same;
            `folder` does not do that.

        Raises:
          LfwError: it cannot be had, is damaged, or has no photos that are named as in LFW.
        """
        # Here, as importing TensorFlow Datasets takes most of a second that others need not wait.
        from tipim_jax.datasets import records

        reader = records.LfwReader(records.build(source))
        name = "Labeled Faces in the Wild" if source is None else source.resolve().name
        return cls(_in_words(name, reader.photos), reader.photos, reader)

    @classmethod
    def folder(cls, place: Path) -> "FaceSet":
        """A folder in LFW's layout, read where it is: `A_Name/A_Name_0001.jpg`.

        Raises:
          LfwError: there is none, or it has no photos that are named so.
        """
        if not place.is_dir():
            raise LfwError(f"{place} is no folder; FaceSet.lfw takes archives")
        with open_lfw(place) as lfw:
            photos = tuple(sorted(lfw.entries))
            return cls(_in_words(place.resolve().name, photos), photos, lfw.read)

    @classmethod
    def bundled(cls) -> "FaceSet":
        """The bundled people, none of whom exists."""
        with open_lfw(people.FOLDER) as lfw:
            photos = tuple(sorted(lfw.entries))
            return cls(_in_words("the bundled people", photos), photos, lfw.read)

    def read(self, photo: LfwPhoto) -> bytes:
        """A photo as its file holds it: encoded.

        Raises:
          LfwError: there is no such photo, or it cannot be read any more.
        """
        try:
            return self._read(photo)
        except KeyError:
            raise LfwError(f"{self.origin}: found no photo called {photo}") from None

    @cached_property
    def people(self) -> dict[str, tuple[LfwPhoto, ...]]:
        """The photos of each person, people and photos in the order of `photos`."""
        of_person = groupby(self.photos, key=lambda photo: photo.person)
        return {person: tuple(photos) for person, photos in of_person}


@dataclass(frozen=True, eq=False)
class PhotoFolder:
    """The photos in a folder and the folders below it; can be sent to other processes.

    Attributes:
      origin: what the set is, in words.
      photos: where each photo lies in the folder.
    """

    origin: str
    photos: tuple[Path, ...] = field(repr=False)
    _sources: dict[Path, Path] = field(repr=False)

    @classmethod
    def of(cls, place: Path) -> "PhotoFolder":
        """Those that `find_photos` finds.

        Raises:
          PhotoError: there is no such folder, or it cannot be opened.
        """
        sources = {file.relative: file.source for file in find_photos([place])}
        return cls(f"{place} ({len(sources)} photos)", tuple(sources), sources)

    def read(self, photo: Path) -> bytes:
        """A photo as its file holds it: encoded.

        Raises:
          PhotoError: it cannot be read.
        """
        try:
            return self._sources[photo].read_bytes()
        except OSError as error:
            raise PhotoError(f"cannot read {photo}: {error.strerror}") from None


def _in_words(name: str, photos: tuple[LfwPhoto, ...]) -> str:
    count = len({photo.person for photo in photos})
    return f"{name} ({len(photos)} photos of {count} people)"
