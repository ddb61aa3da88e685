"""Protected photos as they were saved, beside the photos that they were made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tipim_jax.identification import PhotoFace, dssim, greatest_difference, psnr, ssim
from tipim_jax.photos import Face, FaceDetector, PhotoError, PhotoFile, read_photo
from tipim_jax.report import FacePictures, face_pictures, finite_or_none


@dataclass(frozen=True, eq=False)
class ProtectedPhoto:
    """A photo that was protected.

    Attributes:
      file: The photo that was given.
      saved: Its protected copy.
      faces: Where the faces are that were protected, the largest first.
      targets: Name of the person whom each of their masks imitates; None where it is no single one.
    """

    file: PhotoFile
    saved: Path
    faces: tuple[Face, ...]
    targets: tuple[str | None, ...]


@dataclass(frozen=True, eq=False)
class SavedPhoto:
    """What is known of a protected photo when it was read back.

    Attributes:
      photo: The photo.
      found: Of each of its faces, whether one is found there now.
      psnr, ssim: Of each face's crop; PSNR is None where nothing changed.
      dssim: In each face's box in the photo; None where too little of it is there.
      difference: Greatest difference of any pixel of the photo.
      left_out: What the original's file holds beside the picture and the protected one does not.
      pictures: Pictures of each face, for the report; none where they were not wanted.
    """

    photo: ProtectedPhoto
    found: tuple[bool, ...]
    psnr: tuple[float | None, ...]
    ssim: tuple[float, ...]
    dssim: tuple[float | None, ...]
    difference: int
    left_out: tuple[str, ...]
    pictures: tuple[FacePictures, ...]


def read_back(
    photo: ProtectedPhoto, detector: FaceDetector, *, with_pictures: bool
) -> tuple[SavedPhoto, list[PhotoFace], list[PhotoFace | None]]:
    """Reads a protected photo, finds its faces anew, and compares it with the original.

    Returns:
      what is known, and each face before and after; None for one that is not found any more.

    Raises:
      PhotoError: the original or the protected photo cannot be read.
    """
    original = read_photo(photo.file.source, first_frame=True)  # what was taken for one was still
    before, after = original.pixels, read_photo(photo.saved).pixels
    if before.shape != after.shape:
        raise PhotoError(f"{photo.file.source} was changed since it was protected; run this again")
    sure, unsure = detector.find(after)
    # One of which it is not sure how it lies is still one, and is looked at as it was before.
    again = [
        _same_face(face, sure) or (face if _same_face(face, unsure) else None)
        for face in photo.faces
    ]
    crops = [_crops(face, before, after) for face in photo.faces]
    saved = SavedPhoto(
        photo=photo,
        found=tuple(face is not None for face in again),
        # One at a time, as each number of them would be another program.
        psnr=tuple(finite_or_none(psnr(*pair)[0]) for pair in crops),
        ssim=tuple(float(ssim(*pair)[0]) for pair in crops),
        dssim=tuple(finite_or_none(dssim(before, after, face.box)) for face in photo.faces),
        difference=greatest_difference(before, after),
        left_out=original.left_out,
        pictures=tuple(
            face_pictures(before, after, tuple(int(side) for side in face.box))
            for face in photo.faces
        )
        if with_pictures
        else (),
    )
    return (
        saved,
        [PhotoFace(before, face) for face in photo.faces],
        [None if face is None else PhotoFace(after, face) for face in again],
    )


def _crops(face: Face, *photos):
    return [PhotoFace(pixels, face).crop[None] for pixels in photos]


def _same_face(face: Face, candidates: Sequence[Face]) -> Face | None:
    """The candidate whose centre is nearest, if that lies within the face."""
    if not candidates:
        return None

    def distance(other):
        return np.linalg.norm((other.box - face.box)[:2] + (other.box - face.box)[2:] / 2)

    nearest = min(candidates, key=distance)
    return nearest if distance(nearest) < face.box[2:].min() / 2 else None
