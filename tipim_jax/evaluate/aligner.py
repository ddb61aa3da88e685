"""From a photo to the crop of its face."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from tipim_jax.photos import SIZE, FaceDetector, PhotoError, central_face, crop, similarity
from tipim_jax.photos.onet import OnetDetector


@dataclass(frozen=True, eq=False)
class Aligner:
    """Crops the face nearest the centre.

    Attributes:
      detector: None where photos are crops already.
    """

    detector: FaceDetector | OnetDetector | None

    def matrix(self, pixels: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "2 3"] | None:
        """From the photo to the crop; None without a face."""
        if self.detector is None:
            if pixels.shape != (SIZE, SIZE, 3):
                height, width = pixels.shape[:2]
                raise PhotoError(f"is {width}x{height}, expected {SIZE}x{SIZE} with --aligned")
            return np.eye(2, 3)
        found = self.detector.detect(pixels)
        return similarity(central_face(found, pixels).landmarks) if found else None

    def crop(self, pixels, matrix) -> UInt8[np.ndarray, "112 112 3"]:
        if self.detector is None:
            return pixels
        return np.rint(crop(pixels, matrix)).astype(np.uint8)
