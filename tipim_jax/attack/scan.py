"""Finds and aligns the faces of photos, with one photo a thread in memory at a time."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from tipim_jax.engine.threads import ahead
from tipim_jax.photos import (
    NO_FACE,
    FaceDetector,
    PhotoError,
    PhotoFile,
    Region,
    crop,
    read_photo,
    region,
    similarity,
)
from tipim_jax.report import NotProtected


@dataclass(frozen=True, eq=False)
class AlignedFace:
    """A face and its canonical crop.

    Attributes:
      box: left, top, width, height in pixels of the upright photo.
      matrix: photo to crop coordinates.
      crop: RGB in [0, 255].
      region: of the photo, in which its mask is made.
    """

    box: Float[np.ndarray, " 4"]
    matrix: Float[np.ndarray, "2 3"]
    crop: Float[np.ndarray, "112 112 3"]
    region: Region


@dataclass(frozen=True, eq=False)
class ScannedPhoto:
    """A photo in which there is at least one face; the largest comes first."""

    file: PhotoFile
    faces: tuple[AlignedFace, ...]


def aligned_faces(pixels, detector: FaceDetector) -> tuple[AlignedFace, ...]:
    """The faces of one photo, largest first."""
    faces = []
    for face in detector.detect(pixels):
        matrix = similarity(face.landmarks)
        faces.append(AlignedFace(face.box, matrix, crop(pixels, matrix), region(pixels, matrix)))
    return tuple(faces)


def scan(
    files: Sequence[PhotoFile],
    detector: FaceDetector,
    progress: Callable[[float], None],
    pool: ThreadPoolExecutor,
    most: int | None = None,
) -> Iterator[ScannedPhoto | NotProtected]:
    """Reads every photo and aligns its faces, in threads, from now on.

    Args:
      files: the photos.
      detector: finds the faces.
      progress: called, by any thread, after each photo with the number of photos just done.
      pool: the threads.
      most: how many photos' faces wait at once to be taken; None for all.

    Returns:
      in the files' order, the photo with its faces, or that it has none (reason `NO_FACE`) or
      cannot be read.
    """

    def look(file):
        found = _look(file, detector)
        progress(1)
        return found

    return ahead(look, files, pool, most or len(files))


def _look(file: PhotoFile, detector: FaceDetector) -> ScannedPhoto | NotProtected:
    try:
        faces = aligned_faces(read_photo(file.source).pixels, detector)
    except PhotoError as error:
        return NotProtected(str(file.relative), str(error))
    return ScannedPhoto(file, faces) if faces else NotProtected(str(file.relative), NO_FACE)


def scanned_again(file: PhotoFile, outcomes) -> ScannedPhoto:
    """A photo with the faces that are known of it."""
    pixels = read_photo(file.source).pixels
    faces = []
    for one in outcomes:
        matrix = similarity(one.face.landmarks)
        aligned = crop(pixels, matrix)
        faces.append(AlignedFace(one.face.box, matrix, aligned, region(pixels, matrix)))
    return ScannedPhoto(file, tuple(faces))
