"""From an encoded photo to its faces and the crop of one of them, made once and kept.

Crops are RGB, uint8 in [0, 255], 112 × 112 × 3: whole numbers, as what is attacked and measured is
what can be saved. Faces are in pixels of the photo, as detectors find them (`photos.Face`): where
they are is all that it takes to look at them through any window without searching anew.

What is kept is found by the content of the photo and the version of what aligns it, so that nothing
ever meets the faces of another photo or of other code. It is a file for each photo, written whole
or not at all: a run that is killed has lost the photos in its hands and no more. The folder may be
deleted at any time.
"""

import functools
import hashlib
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
import pi_heif
import PIL
from jaxtyping import UInt8

import tipim_jax.photos
from tipim_jax.datasets.lfw import LfwError
from tipim_jax.photos import (
    NO_FACE,
    SIZE,
    TEMPLATE,
    Face,
    FaceDetector,
    PhotoError,
    central_face,
    crop,
    decode_photo,
    write_whole,
)

_Read = TypeVar("_Read")


class AlignedFace(NamedTuple):
    """One face of a photo.

    Attributes:
      crop: What the networks are shown.
      face: Where it is in the photo.
    """

    crop: UInt8[np.ndarray, "112 112 3"]
    face: Face


@dataclass(frozen=True)
class CropCache:
    """Finds and aligns faces, and keeps what it has found; can be sent to other processes.

    Attributes:
      folder: Where faces and crops are kept.
      detector: The ONNX file of the face detector, loaded when the first photo needs it.
    """

    folder: Path
    detector: Path

    def get(self, content: bytes) -> AlignedFace | str | None:
        """What is kept of a photo: as `align` gives it, or None if nothing is."""
        return self._kept(content, _central)

    def align(self, content: bytes, name: str) -> AlignedFace | str:
        """The face nearest the centre of a photo, or `NO_FACE`; kept, if it was not already.

        Args:
          content: The encoded photo.
          name: What errors call it.

        Raises:
          PhotoError: the photo cannot be read.
          LfwError: what is found cannot be written.
        """
        return self.get(content) or self._find(content, name, _central)

    def faces(self, content: bytes, name: str) -> tuple[Face, ...]:
        """All faces of a photo, the largest first; kept. Args and errors are those of `align`."""
        kept = self._kept(content, _faces)
        return self._find(content, name, _faces) if kept is None else kept

    def _find(self, content: bytes, name: str, read: Callable[..., _Read]) -> _Read:
        pixels = decode_photo(content, name).pixels
        found = _loaded(self.detector).detect(pixels)
        rows = [np.concatenate([face.box, face.landmarks.ravel(), [face.score]]) for face in found]
        arrays = {"faces": np.array(rows, np.float32).reshape(-1, 15)}
        if found:
            central = central_face(found, pixels)
            arrays["central"] = np.array(found.index(central))
            arrays["crop"] = aligned(pixels, central).crop
        place = self._place(content)
        try:
            with write_whole(place) as stream:
                np.savez(stream, **arrays)
        except OSError as error:
            raise LfwError(
                f"cannot write {place} ({error.strerror or error}); set TIPIM_JAX_HOME to a folder "
                "that you can write and that has room"
            ) from None
        return read(arrays)

    def _kept(self, content: bytes, read: Callable[..., _Read]) -> _Read | None:
        try:
            # NumPy would leave a damaged file open that it has opened itself.
            with open(self._place(content), "rb") as file, np.load(file) as arrays:
                return read(arrays)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
            return None  # not there, or damaged: it is made again

    def _place(self, content: bytes) -> Path:
        key = hashlib.sha256(content).hexdigest()
        return self.folder / aligner_version() / key[:2] / f"{key}.npz"


def _faces(arrays) -> tuple[Face, ...]:
    return tuple(
        Face(box=row[:4], landmarks=row[4:14].reshape(5, 2), score=float(row[14]))
        for row in arrays["faces"]
    )


def _central(arrays) -> AlignedFace | str:
    faces = _faces(arrays)
    return AlignedFace(arrays["crop"], faces[arrays["central"]]) if faces else NO_FACE


class ReadyCrops:
    """In place of `CropCache` for photos that are crops already: takes them as they are."""

    def get(self, content: bytes) -> None:
        """Nothing is kept."""

    def align(self, content: bytes, name: str) -> AlignedFace:
        """The photo itself.

        Raises:
          PhotoError: it cannot be read, or is of another size.
        """
        return ready(decode_photo(content, name).pixels)


def ready(pixels: UInt8[np.ndarray, "height width 3"]) -> AlignedFace:
    """The face in a photo that is a canonical crop.

    Raises:
      PhotoError: it is none, as its size says.
    """
    if pixels.shape != (SIZE, SIZE, 3):
        height, width = pixels.shape[:2]
        raise PhotoError(f"is {width}x{height}, expected {SIZE}x{SIZE}, aligned already")
    whole = np.array([0, 0, SIZE, SIZE], np.float32)
    return AlignedFace(pixels, Face(whole, TEMPLATE.astype(np.float32), score=1.0))


def aligned(pixels: UInt8[np.ndarray, "height width 3"], face: Face) -> AlignedFace:
    """A face with its crop."""
    return AlignedFace(np.rint(crop(pixels, face.matrix)).astype(np.uint8), face)


@functools.cache
def aligner_version() -> str:
    """Hash of the code and the libraries that read photos and find what is kept of them."""
    libraries = (cv2.__version__, PIL.__version__, pi_heif.__version__)
    digest = hashlib.sha256(" ".join(libraries).encode())
    for file in (*sorted(Path(tipim_jax.photos.__file__).parent.glob("*.py")), Path(__file__)):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


@functools.cache
def _loaded(detector: Path) -> FaceDetector:
    """One a process: loading takes as long as several photos."""
    return FaceDetector(detector)
