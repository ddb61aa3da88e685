"""Photos of known people: the faces in them, found once and kept.

What is kept is found by the content of the photo and the version of what finds faces, as crops are
(`crops`): a small file for each photo, written whole or not at all. The folder may be deleted at
any time.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from tipim_jax.datasets.crops import aligner_version
from tipim_jax.identification import PhotoFaces
from tipim_jax.photos import (
    NO_FACE,
    SIZE,
    TEMPLATE,
    Face,
    FaceDetector,
    PhotoError,
    PhotoFile,
    central_face,
    decode_photo,
    write_whole,
)
from weights_convert import ConversionError, home


@dataclass(frozen=True, eq=False)
class FoundFaces:
    """The faces of one photo.

    Attributes:
      content: Hash of the photo's file.
      faces: All that were found, the largest first.
      central: Index of the one that is nearest the photo's centre; None without faces.
    """

    content: str
    faces: tuple[Face, ...]
    central: int | None


@dataclass(frozen=True, eq=False)
class FaceFinder:
    """Finds the faces of photos, and keeps in the user's cache where they are.

    Attributes:
      detector: What finds them; may be shared by threads.
    """

    detector: FaceDetector

    def __call__(self, content: bytes, name: str) -> FoundFaces:
        """The faces of a photo.

        Args:
          content: the encoded photo.
          name: what errors call it.

        Raises:
          PhotoError: the photo cannot be read.
          ConversionError: the cache cannot be written.
        """
        key = hashlib.sha256(content).hexdigest()
        place = home() / "faces" / aligner_version() / key[:2] / f"{key}.npy"
        rows = _read(place)
        if rows is None:
            pixels = decode_photo(content, name).pixels
            found = self.detector.detect(pixels)
            central = central_face(found, pixels) if found else None
            rows = np.array(
                [[*f.box, *f.landmarks.ravel(), f.score, f is central] for f in found], np.float32
            ).reshape(-1, 16)
            try:
                with write_whole(place) as stream:
                    np.save(stream, rows)
            except OSError as error:
                raise ConversionError(
                    f"cannot write {place} ({error.strerror or error}); set TIPIM_JAX_HOME to a "
                    "folder that you can write and that has room"
                ) from None
        faces = tuple(Face(row[:4], row[4:14].reshape(5, 2), float(row[14])) for row in rows)
        return FoundFaces(key, faces, int(rows[:, 15].argmax()) if len(rows) else None)


@dataclass(frozen=True)
class ReadyFinder:
    """In place of `FaceFinder` for photos that are canonical crops already."""

    def __call__(self, content: bytes, name: str) -> FoundFaces:
        """The face that the crop is of.

        Raises:
          PhotoError: it cannot be read, or is of another size.
        """
        key = hashlib.sha256(content).hexdigest()
        return FoundFaces(key, (face_of_crop(decode_photo(content, name).pixels),), 0)


def find_portraits(
    named: Sequence[tuple[str, PhotoFile]],
    finder: FaceFinder | ReadyFinder,
    which: Literal["largest", "central"],
    *,
    each: Callable[[Callable, Sequence[PhotoFile]], Iterable] = map,
    progress: Callable[[float], None] = lambda _: None,
) -> tuple[PhotoFaces, dict[str, str]]:
    """One face of each photo of people who are known by name.

    Args:
      named: photos, and who is in each.
      finder: finds the faces.
      which: whose face counts where there are several: the largest, or the one nearest the centre.
      each: applies a function to the photos, in order; threads may do so.
      progress: called with the number of photos just done.

    Returns:
      The faces, and the photos without one, by where they lie, with the reason.

    Raises:
      ConversionError: the cache cannot be written.
    """

    def find(file):
        try:
            return finder(_content(file.source), str(file.relative))
        except PhotoError as error:
            return str(error)
        finally:
            progress(1)

    kept, left_out = [], {}
    for (name, file), found in zip(named, each(find, [f for _, f in named]), strict=True):
        if isinstance(found, str) or not found.faces:
            left_out[str(file.relative)] = found if isinstance(found, str) else NO_FACE
        else:
            face = found.faces[0 if which == "largest" else found.central]
            kept.append((name, file, face, found.content))
    sources = [file.source for _, file, _, _ in kept]
    return PhotoFaces(
        names=tuple(str(file.relative) for _, file, _, _ in kept),
        people=tuple(name for name, _, _, _ in kept),
        faces=tuple(face for _, _, face, _ in kept),
        contents=tuple(content for _, _, _, content in kept),
        read=lambda number: _content(sources[number]),
        ready=isinstance(finder, ReadyFinder),
    ), left_out


def face_of_crop(pixels: UInt8[np.ndarray, "height width 3"]) -> Face:
    """Where the face is in a canonical crop.

    Raises:
      PhotoError: it is none, as its size says.
    """
    if pixels.shape != (SIZE, SIZE, 3):
        height, width = pixels.shape[:2]
        raise PhotoError(f"is {width}x{height}, expected {SIZE}x{SIZE}, aligned already")
    return Face(np.array([0, 0, SIZE, SIZE], np.float32), TEMPLATE.astype(np.float32), score=1.0)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PhotoError(f"cannot read {path}: {error.strerror}") from None


def _read(place: Path) -> np.ndarray | None:
    try:
        rows = np.load(place, allow_pickle=False)
    except (OSError, ValueError, EOFError):  # not there, or damaged
        return None
    return rows if rows.ndim == 2 and rows.shape[1] == 16 else None
