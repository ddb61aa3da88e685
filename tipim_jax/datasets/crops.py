"""From an encoded photo to the crop of its face, made once and kept.

Crops are RGB, uint8 in [0, 255], 112 × 112 × 3: whole numbers, as what is attacked and measured is
what can be saved. Landmarks are (x, y) in pixels of the photo, (0, 0) in the centre of the top left
one, in the order of the ArcFace template.

What is kept is found by the content of the photo and the version of what aligns it, so that nothing
ever meets the crop of another photo or of other code. It is a file for each photo, written whole or
not at all: a run that is killed has lost the photos in its hands and no more. The folder may be
deleted at any time.
"""

import functools
import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import PIL
from jaxtyping import Float, UInt8

import tipim_jax.photos
from tipim_jax.datasets.lfw import LfwError
from tipim_jax.photos import (
    NO_FACE,
    SIZE,
    TEMPLATE,
    FaceDetector,
    PhotoError,
    central_face,
    crop,
    decode_photo,
    similarity,
    write_whole,
)

_NOT_FOUND = np.full(4, np.nan, np.float32)


class AlignedFace(NamedTuple):
    """The face of one photo.

    Attributes:
      crop: what the networks are shown.
      landmarks: where they are in the photo.
      box: x and y of the top left corner, width and height in the photo; NaN where nobody has found
        the face.
    """

    crop: UInt8[np.ndarray, "112 112 3"]
    landmarks: Float[np.ndarray, "5 2"]
    box: Float[np.ndarray, " 4"]


@dataclass(frozen=True)
class CropCache:
    """Aligns faces, and keeps what it has aligned; can be sent to other processes.

    Attributes:
      folder: where crops are kept.
      detector: the ONNX file of the face detector, loaded when the first photo needs it.
    """

    folder: Path
    detector: Path

    def get(self, content: bytes) -> AlignedFace | str | None:
        """What is kept of a photo: as `align` gives it, or None if nothing is."""
        try:
            # NumPy would leave a damaged file open that it has opened itself.
            with open(self._place(content), "rb") as file, np.load(file) as kept:
                if not kept.files:
                    return NO_FACE
                return AlignedFace(kept["crop"], kept["landmarks"], kept["box"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
            return None  # not there, or damaged: it is made again

    def align(self, content: bytes, name: str) -> AlignedFace | str:
        """The face nearest the centre of a photo, or `NO_FACE`; kept, if it was not already.

        Args:
          content: the encoded photo.
          name: what errors call it.

        Raises:
          PhotoError: the photo cannot be read.
          LfwError: the crop cannot be written.
        """
        if (kept := self.get(content)) is not None:
            return kept
        pixels = decode_photo(content, name).pixels
        found = _loaded(self.detector).detect(pixels)
        central = central_face(found, pixels) if found else None
        face = aligned(pixels, central.landmarks, central.box) if central else None
        place = self._place(content)
        try:
            with write_whole(place) as stream:
                # Of a photo without a face the archive is empty.
                np.savez(stream, **(face._asdict() if face else {}))
        except OSError as error:
            raise LfwError(
                f"cannot write {place} ({error.strerror or error}); set TIPIM_JAX_HOME to a folder "
                "that you can write and that has room"
            ) from None
        return face or NO_FACE

    def _place(self, content: bytes) -> Path:
        key = hashlib.sha256(content).hexdigest()
        return self.folder / aligner_version() / key[:2] / f"{key}.npz"


class ReadyCrops:
    """In place of `CropCache` for photos that are crops already: takes them as they are."""

    def get(self, content: bytes) -> None:
        """Nothing is kept."""

    def align(self, content: bytes, name: str) -> AlignedFace:
        """The photo itself.

        Raises:
          PhotoError: it cannot be read, or is of another size.
        """
        pixels = decode_photo(content, name).pixels
        if pixels.shape != (SIZE, SIZE, 3):
            height, width = pixels.shape[:2]
            raise PhotoError(f"is {width}x{height}, expected {SIZE}x{SIZE}, aligned already")
        return AlignedFace(pixels, TEMPLATE, np.array([0, 0, SIZE, SIZE], np.float32))


def aligned(
    pixels: UInt8[np.ndarray, "height width 3"],
    landmarks: Float[np.ndarray, "5 2"],
    box: Float[np.ndarray, " 4"] = _NOT_FOUND,
) -> AlignedFace:
    """The crop that has a face's landmarks where the template has them."""
    rounded = np.rint(crop(pixels, similarity(landmarks))).astype(np.uint8)
    return AlignedFace(rounded, np.asarray(landmarks, np.float32), box)


@functools.cache
def aligner_version() -> str:
    """Hash of the code and the libraries that decide what a crop holds."""
    digest = hashlib.sha256(f"{cv2.__version__} {PIL.__version__} {SIZE}".encode())
    for file in (*sorted(Path(tipim_jax.photos.__file__).parent.glob("*.py")), Path(__file__)):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


@functools.cache
def _loaded(detector: Path) -> FaceDetector:
    """One a process: loading takes as long as several photos."""
    return FaceDetector(detector)
