"""Photos as they are after being posted, and their faces, found and aligned anew."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from tipim_jax.evaluate.aligner import Aligner
from tipim_jax.photos import SIZE
from tipim_jax.photos.onet import OnetDetector
from tipim_jax.photos.posting import AS_SAVED, POSTINGS, Posting
from weights_convert.onet import load_onet

OTHER_DETECTOR = "another detector"


class Shown(NamedTuple):
    """One pair after being posted.

    Attributes:
      clean, protected: crops.
      lost_clean, lost: whether no face is found any more, in the clean photo and in the protected.
    """

    clean: UInt8[np.ndarray, "112 112 3"]
    protected: UInt8[np.ndarray, "112 112 3"]
    lost_clean: bool
    lost: bool


@dataclass(frozen=True, eq=False)
class Condition:
    """A way to post photos and to find the faces in them.

    Attributes:
      name: for people.
      posting: what happens to the photos.
      aligner: what then finds the faces.
    """

    name: str
    posting: Posting
    aligner: Aligner

    def show(
        self,
        clean: UInt8[np.ndarray, "h w 3"],
        protected: UInt8[np.ndarray, "h w 3"],
        place: Float[np.ndarray, "2 3"],
    ) -> Shown:
        """Posts both photos.

        Where no face is found any more, it is taken to be where it was: in the clean photo at
        `place`, the matrix of the photo that was not posted; in the protected one where it is in
        the clean one.
        """
        before, after = self.posting(clean), self.posting(protected)
        if self.aligner.detector is None:  # whoever posts crops has them enlarged again
            before, after = map(restored, (before, after))
        found, again = map(self.aligner.matrix, (before, after))
        here = _scaled(place, clean.shape, before.shape) if found is None else found
        return Shown(
            self.aligner.crop(before, here),
            self.aligner.crop(after, here if again is None else again),
            found is None,
            again is None,
        )


@dataclass(frozen=True, eq=False)
class Posted:
    """All pairs after being posted in one way.

    Attributes:
      name: of the condition.
      clean, protected: crops.
      lost_clean, lost: names of the photos in which no face is found any more.
    """

    name: str
    clean: UInt8[np.ndarray, "faces 112 112 3"]
    protected: UInt8[np.ndarray, "faces 112 112 3"]
    lost_clean: tuple[str, ...]
    lost: tuple[str, ...]

    @classmethod
    def of(cls, condition: Condition, names: Sequence[str], shown: Sequence[Shown]) -> "Posted":
        return cls(
            condition.name,
            np.stack([one.clean for one in shown]),
            np.stack([one.protected for one in shown]),
            tuple(name for name, one in zip(names, shown, strict=True) if one.lost_clean),
            tuple(name for name, one in zip(names, shown, strict=True) if one.lost),
        )


def conditions(aligner: Aligner) -> tuple[Condition, ...]:
    """Every way to post photos, and, where faces have to be found, another way to find them.

    Raises:
      ConversionError: O-Net's weights cannot be obtained.
    """
    ways = tuple(Condition(str(posting), posting, aligner) for posting in POSTINGS)
    if aligner.detector is None:
        return ways
    other = Aligner(OnetDetector(aligner.detector, load_onet()))
    return (*ways, Condition(OTHER_DETECTOR, AS_SAVED, other))


def restored(crop):
    """112 × 112 again, by bicubic interpolation."""
    if crop.shape == (SIZE, SIZE, 3):
        return crop
    return cv2.resize(crop, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)


def _scaled(matrix, shape, new_shape):
    """The matrix for points of a photo that has been scaled to a new shape."""
    scale = np.array(new_shape[1::-1]) / np.array(shape[1::-1])
    linear = matrix[:, :2] / scale
    # A point p of the photo has become q = scale * (p + 1/2) - 1/2.
    return np.column_stack([linear, matrix[:, 2] + linear @ (1 - scale) / 2])
