"""A photo on its way through the engine: its faces, their masks, and what became of them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from tipim_jax.engine.pictures import Picture
from tipim_jax.identification import Dssim
from tipim_jax.method import TipIm
from tipim_jax.photos import (
    NO_FACE,
    UNSURE,
    Face,
    Photo,
    PhotoError,
    Region,
    add_masks,
    decode_photo,
)

# What costs a photo and not the run. OpenCV has no error of its own for memory that it cannot have.
FAULTS = (PhotoError, MemoryError, cv2.error)
# How often, at most, a mask is scaled; from what share of the budget on that is enough; and to how
# many times its strength at most.
_SCALINGS, _NEAR, _MOST_SCALE = 6, 0.97, 2.0
NOT_FINITE = "its mask was not finite; nothing was added"


def said_of(fault: Exception) -> str:
    """What one of `FAULTS` is, in words for who has the photo."""
    return str(getattr(fault, "err", fault)) or "it takes more memory than there is"


@dataclass(frozen=True, eq=False)
class FaceOutcome:
    """One face of a photo and what was done to it.

    Attributes:
      face: Box, landmarks and score, in pixels of the upright photo.
      target: Name of the person whom the mask imitates; None without a mask, or where it imitates
        all targets together.
      protected: Whether a mask was made for it.
      reason: Why it was not protected, or why it may be one that was not to be.
      by_choice: Whether that is as the user chose, and nothing that went wrong.
    """

    face: Face
    target: str | None
    protected: bool
    reason: str | None = None
    by_choice: bool = False

    @property
    def box(self) -> Float[np.ndarray, " 4"]:
        """Left, top, width and height."""
        return self.face.box


@dataclass(frozen=True, eq=False)
class FoundPhoto:
    """A photo whose faces were found, the largest first; there may be none.

    Attributes:
      source: What was given: a path, an array or a PIL image.
      pixels: The photo where it cannot be read again; None for a path.
      digest: Hash of the file's content, by which a change is noticed; empty for what is no file.
      faces: All that were found and of which it is sure how they lie.
      regions: Part of the photo around each face in which its mask is made.
      fault: Why the file could not be read.
      unsure: Faces of which it is not sure how they lie; they are not protected.
      doubts: Of each of `faces`, why it may be one that was to be left alone; empty: of none.
      left_alone: Faces that are not protected as they were not chosen.
    """

    source: Any
    pixels: UInt8[np.ndarray, "height width 3"] | None
    digest: str
    faces: tuple[Face, ...]
    regions: tuple[Region, ...]
    fault: str | None = None
    unsure: tuple[Face, ...] = ()
    doubts: tuple[str | None, ...] = ()
    left_alone: tuple[FaceOutcome, ...] = ()

    @property
    def others(self) -> tuple[FaceOutcome, ...]:
        """What became of the faces that no masks are made for."""
        unsure = (FaceOutcome(face, None, False, UNSURE) for face in self.unsure)
        return (*self.left_alone, *unsure)

    @property
    def without_faces(self) -> str:
        """Why there is nothing to protect, where there are no faces."""
        reasons = sorted({one.reason or "" for one in self.others})
        return self.fault or "; ".join(reasons) or NO_FACE

    @property
    def by_choice(self) -> bool:
        """Whether it has faces, and none is protected because the user chose so."""
        if self.faces or self.fault:
            return False
        return bool(self.others) and all(one.by_choice for one in self.others)

    def read(self) -> UInt8[np.ndarray, "height width 3"]:
        """The photo's pixels again.

        Raises:
          PhotoError: the file is not there any more, or is another one.
        """
        return self.pixels if self.pixels is not None else self.decoded().pixels

    def decoded(self) -> Photo:
        """The file's photo again; errors as `read`."""
        return decode_photo(*self._content(), first_frame=True)  # it was taken as it is

    def _content(self) -> tuple[bytes, str]:
        """The file's content again, and what errors call it."""
        path = Path(self.source)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise PhotoError(f"cannot read {path}: {error.strerror}") from None
        if hashlib.sha256(content).hexdigest() != self.digest:
            raise PhotoError(f"{path} was changed while it was being protected; run this again")
        return content, str(path)


@dataclass(frozen=True, eq=False)
class MaskedPhoto:
    """A photo with a mask for each face.

    Attributes:
      photo: As it was found.
      masks: What is to be added to each region; zeros for a face that is not protected.
      outcomes: What became of each face; after those with masks come the others.
    """

    photo: FoundPhoto
    masks: tuple[Float[np.ndarray, "224 224 3"], ...]
    outcomes: tuple[FaceOutcome, ...]

    def added_to(
        self, pixels: UInt8[np.ndarray, "height width 3"], method: TipIm
    ) -> UInt8[np.ndarray, "height width 3"]:
        """The photo's pixels with the masks, within the budgets of the settings."""
        masks = self.masks
        if method.budget == "dssim":
            faces = [one.face for one in self.outcomes[: len(masks)]]
            masks = [
                scaled_to_dssim(pixels, *one, method)
                for one in zip(masks, self.photo.regions, faces, strict=True)
            ]
        return add_masks(pixels, masks, self.photo.regions, method.epsilon, method.colour_epsilon)

    def protected(self, method: TipIm) -> "Protected":
        """What a caller gets of it."""
        photo = self.photo
        if photo.fault:
            return Protected(photo.source, None, fault=photo.fault)
        try:
            pixels = photo.read()
        except PhotoError as error:
            return Protected(photo.source, None, fault=str(error))
        return Protected(photo.source, self.added_to(pixels, method), self.outcomes)


def scaled_to_dssim(
    pixels: UInt8[np.ndarray, "height width 3"],
    mask: Float[np.ndarray, "224 224 3"],
    region: Region,
    face: Face,
    method: TipIm,
) -> Float[np.ndarray, "224 224 3"]:
    """A mask of which, rounded as it will be, as much is seen as the budget of DSSIM allows.

    The method knows what is seen by a quadratic form alone. Where that was too strict the mask is
    made up to `_MOST_SCALE` times as strong. One of a face of which hardly anything is in the photo
    is left as it is.
    """
    part, inside = region.part_of(pixels)
    row, column = np.subtract(region.corner, inside.corner)  # of the part's first pixel
    box = face.box - np.array([column, row, 0, 0])
    dssim = Dssim(part, box)
    scale, fitting = 1.0, 0.0
    for _ in range(_SCALINGS):
        changed = add_masks(part, [scale * mask], [inside], method.epsilon, method.colour_epsilon)
        found = dssim(changed)
        if np.isnan(found):
            return mask
        if found <= method.dssim:
            fitting = max(fitting, scale)
            if found >= _NEAR * method.dssim or scale == _MOST_SCALE or not found:
                break
        # DSSIM grows with the square of the change, more or less.
        scale = min(_MOST_SCALE, scale * (0.99 * method.dssim / found) ** 0.5)
    return fitting * mask


@dataclass(frozen=True, eq=False)
class Protected:
    """A picture with its masks.

    Attributes:
      picture: What was given.
      pixels: The protected picture, upright; None where the file could not be read.
      faces: What became of each face, the largest first; there may be none.
      fault: Why the file could not be read.
    """

    picture: Picture
    pixels: UInt8[np.ndarray, "height width 3"] | None
    faces: tuple[FaceOutcome, ...] = ()
    fault: str | None = None


@dataclass(frozen=True, eq=False)
class WrittenPhoto:
    """A protected photo on disk.

    Attributes:
      source: The photo that was given.
      saved: Its protected copy.
      outcomes: What became of each face.
    """

    source: Path
    saved: Path
    outcomes: tuple[FaceOutcome, ...]

    @property
    def left_alone(self) -> str:
        """How many of its faces are not protected, unwished for, and why; empty where all are."""
        return self._said([one for one in self.outcomes if not one.protected and not one.by_choice])

    @property
    def by_choice(self) -> str:
        """The same of faces that were not chosen, and of those where that is in doubt."""
        return self._said([one for one in self.outcomes if one.by_choice])

    def _said(self, outcomes: list[FaceOutcome]) -> str:
        if not outcomes:
            return ""
        reasons = sorted({one.reason or "" for one in outcomes})
        return f"{len(outcomes)} of its {len(self.outcomes)} faces: {'; '.join(reasons)}"
