"""From a photo to its face."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from tipim_jax.datasets.crops import ready
from tipim_jax.identification import CropFace, PhotoFace, Shown
from tipim_jax.photos import Face, FaceDetector, central_face
from tipim_jax.photos.onet import OnetDetector


@dataclass(frozen=True, eq=False)
class CentralFace:
    """Finds the face nearest the centre.

    Attributes:
      detector: None where photos are crops already.
    """

    detector: FaceDetector | OnetDetector | None

    def find(self, pixels: UInt8[np.ndarray, "h w 3"]) -> Face | None:
        """Where it is; None without a face.

        Raises:
          PhotoError: what should be a crop is of another size.
        """
        if self.detector is None:
            return ready(pixels).face
        found = self.detector.detect(pixels)
        return central_face(found, pixels) if found else None

    def show(self, pixels: UInt8[np.ndarray, "h w 3"], face: Face) -> Shown:
        """A face of a photo as networks are shown it."""
        return CropFace(pixels) if self.detector is None else PhotoFace(pixels, face)
