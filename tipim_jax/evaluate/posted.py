"""Photos as they are after being posted, and their faces, found and aligned anew."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from tipim_jax.evaluate.finding import CentralFace
from tipim_jax.identification import Shown
from tipim_jax.networks import Network
from tipim_jax.photos import SIZE, Face
from tipim_jax.photos.filters import FILTERS
from tipim_jax.photos.onet import OnetDetector
from tipim_jax.photos.posting import AS_SAVED, POSTINGS
from weights_convert.onet import load_onet

OTHER_DETECTOR = "another detector"


class PostedPair(NamedTuple):
    """A photo before and after, both posted.

    Attributes:
      clean, protected: The face.
      lost_clean, lost: Whether no face is found any more, in the clean photo and in the protected.
    """

    clean: Shown
    protected: Shown
    lost_clean: bool
    lost: bool

    def looked_at_by(self, networks: Sequence[Network]) -> "PostedPair":
        """With what these networks look at in place of the photos."""
        clean, protected = (
            _LookedAt(face.crop, {network: face.to(network) for network in networks})
            for face in (self.clean, self.protected)
        )
        return self._replace(clean=clean, protected=protected)


@dataclass(frozen=True, eq=False)
class _LookedAt:
    """A face as some networks look at it."""

    crop: UInt8[np.ndarray, "112 112 3"]
    seen: dict[Network, Float[np.ndarray, "height width 3"]]

    def to(self, network: Network) -> Float[np.ndarray, "height width 3"]:
        return self.seen[network]


@dataclass(frozen=True, eq=False)
class Condition:
    """A way to post or filter photos and to find the faces in them.

    Attributes:
      name: For people.
      posting: What happens to the photos.
      finder: What then finds the faces.
    """

    name: str
    posting: Callable[[UInt8[np.ndarray, "h w 3"]], UInt8[np.ndarray, "rows columns 3"]]
    finder: CentralFace

    def post(
        self,
        clean: UInt8[np.ndarray, "h w 3"],
        protected: UInt8[np.ndarray, "h w 3"],
        place: Face,
    ) -> PostedPair:
        """Posts both photos.

        Where no face is found any more, it is taken to be where it was: in the clean photo at
        `place`, that of the photo that was not posted; in the protected one where it is in the
        clean one.
        """
        before, after = self.posting(clean), self.posting(protected)
        if self.finder.detector is None:  # whoever posts crops has them enlarged again
            before, after = map(restored, (before, after))
        found, again = map(self.finder.find, (before, after))
        here = _scaled(place, clean.shape, before.shape) if found is None else found
        return PostedPair(
            self.finder.show(before, here),
            self.finder.show(after, here if again is None else again),
            found is None,
            again is None,
        )


def conditions(finder: CentralFace) -> tuple[Condition, ...]:
    """Every way to post and to filter photos; where faces have to be found, another way to do that.

    Raises:
      ConversionError: O-Net's weights cannot be obtained.
    """
    ways = tuple(Condition(str(way), way, finder) for way in (*POSTINGS, *FILTERS))
    if finder.detector is None:
        return ways
    other = CentralFace(OnetDetector(finder.detector, load_onet()))
    return (*ways, Condition(OTHER_DETECTOR, AS_SAVED, other))


def restored(crop):
    """112 × 112 again, by bicubic interpolation."""
    if crop.shape == (SIZE, SIZE, 3):
        return crop
    return cv2.resize(crop, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)


def _scaled(face: Face, shape, new_shape) -> Face:
    """Where a face is in a photo that has been scaled to a new shape."""
    scale = np.array(new_shape[1::-1]) / np.array(shape[1::-1])
    # A point p of the photo has become q = scale * (p + 1/2) - 1/2.
    return Face(
        box=face.box * np.tile(scale, 2),
        landmarks=scale * (face.landmarks + 0.5) - 0.5,
        score=face.score,
    )
