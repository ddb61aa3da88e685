"""Finds and aligns the faces of photos, one photo in memory at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from tipim_jax.photos import (
    NO_FACE,
    FaceDetector,
    PhotoError,
    PhotoFile,
    crop,
    read_photo,
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
    """

    box: Float[np.ndarray, " 4"]
    matrix: Float[np.ndarray, "2 3"]
    crop: Float[np.ndarray, "112 112 3"]


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
        faces.append(AlignedFace(face.box, matrix, crop(pixels, matrix)))
    return tuple(faces)


def scan(
    files: Sequence[PhotoFile], detector: FaceDetector, progress: Callable[[float], None]
) -> tuple[list[ScannedPhoto], list[NotProtected]]:
    """Reads every photo and aligns its faces.

    Args:
      files: the photos.
      detector: finds the faces.
      progress: called after each photo with the number of photos just done.

    Returns:
      the photos with faces; and those without (reason `NO_FACE`) or that cannot be read.
    """
    photos, missed = [], []
    for file in files:
        try:
            faces = aligned_faces(read_photo(file.source).pixels, detector)
        except PhotoError as error:
            missed.append(NotProtected(str(file.relative), str(error)))
        else:
            if faces:
                photos.append(ScannedPhoto(file, faces))
            else:
                missed.append(NotProtected(str(file.relative), NO_FACE))
        progress(1)
    return photos, missed
