"""Which way up a face is.

YuNet reports upright landmarks for a face whichever way up it is: upside down they are wrong by
180°, on its side by 90°, and of a face that leans by 15, 30 or 45° they show less than half. What
tells is its score: of 528 photos seen in steps of 45°, from any start, that was best in all where
the face was upright within 22°. So a face is looked at in eight directions, turned upright by the
best of them and then, step by step, by what its landmarks still show. That it was not upright as it
was is believed only where O-Net sees the same landmarks.

Pictures and coordinates are as in `face`; angles are in degrees, clockwise.
"""

import math
from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import UInt8

from tipim_jax.photos import onet
from tipim_jax.photos.face import Face
from tipim_jax.photos.region import square_part
from tipim_jax.photos.yunet import THRESHOLD, YuNet, merge

Opinion = Callable[[UInt8[np.ndarray, "height width 3"], Face], Face]

_DIRECTIONS = range(0, 360, 45)
# Sides, in pixels, of what is looked at; the longer side of the face's box is half of it.
_SIDE = 160
_SIDES = (256, 181, 128)  # for the landmarks, which are averaged
# A face that scores so much as it is, is upright: others reach 0.90 in a search of this size.
_SURELY_UPRIGHT = 0.9
# Roll up to which landmarks are taken as they are, as reported: it is some 18° then, and the
# landmarks are wrong by 3 pixels of the canonical crop.
_UPRIGHT = 10
# Landmarks show half of a face's roll, or less.
_TRUE_ROLL = 2
_STEPS = 5
_LEVEL = 2  # reported roll up to which a face is turned back
# Pixels of the canonical crop that O-Net's landmarks may be away in the mean. In 423 photos of LFW
# that is 1.6 for upright faces and more than 5 for one in a hundred, 20 for those on their side; of
# what is no face or is half hidden, and is best turned, it was 5.3 to 18.
_AGREE = 5
_MUCH_BETTER = 0.15  # of scores: a face is not taken as upright where it looks so in another way


def upright(
    yunet: YuNet,
    second: Opinion,
    pixels: UInt8[np.ndarray, "height width 3"],
    face: Face,
) -> Face | None:
    """A face with the landmarks that it has when it is upright.

    Args:
      second: finds the landmarks in a box by other means.
      face: as it was found; of its landmarks no more is believed than that they may be upright.

    Returns:
      the face itself where it is upright, or where nothing speaks against that; None where it is
      not sure how it lies.
    """
    seen = _Closely(pixels, face)
    as_it_is = seen.score(yunet, 0)
    level = abs(face.roll) <= _UPRIGHT
    if level and as_it_is >= _SURELY_UPRIGHT:
        return face
    scores = {degrees: seen.score(yunet, degrees) for degrees in _DIRECTIONS}
    best = max(scores, key=scores.get)
    if level and best == 0:  # also where it is seen in no direction, as it is close to others
        return face
    degrees, found = seen.levelled(yunet, best)
    if found and found.score >= THRESHOLD:
        matrix, view = seen.view(degrees, _SIDES[0])
        other = second(view, found)
        if _agree(other, found):
            return found.moved(cv2.invertAffineTransform(matrix))
        if other.score >= onet.THRESHOLD and not _agree(second(pixels, face), face):
            return None
    return None if scores[best] > as_it_is + _MUCH_BETTER else face


def _agree(other: Face, face: Face) -> bool:
    away = np.linalg.norm(other.landmarks - face.landmarks, axis=1).mean()
    return other.score >= onet.THRESHOLD and away * np.hypot(*face.matrix[:, 0]) <= _AGREE


class _Closely:
    """The part of a photo around a face, as it can be turned."""

    def __init__(self, pixels, face: Face):
        self._middle = face.middle
        self._side = 2 * float(face.box[2:].max())
        whole = math.ceil(self._side * 2**0.5) + 2
        corner = np.floor(self._middle - (whole - 1) / 2).astype(int)
        part = square_part(pixels, tuple(corner[::-1].tolist()), whole)
        size = min(whole, math.ceil(_SIDES[0] * 2**0.5))
        self._part = cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA)
        scale = size / whole
        self._to_part = np.array(
            [
                [scale, 0, scale * (0.5 - corner[0]) - 0.5],
                [0, scale, scale * (0.5 - corner[1]) - 0.5],
            ]
        )

    def view(self, degrees: float, side: int):
        """The picture in which it is turned back, and the map from the photo's points there."""
        angle, scale = np.radians(-degrees), side / self._side
        linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        matrix = np.column_stack([linear, (side - 1) / 2 - linear @ self._middle])
        back = cv2.invertAffineTransform(self._to_part)
        from_part = np.column_stack([linear @ back[:, :2], linear @ back[:, 2] + matrix[:, 2]])
        return matrix, cv2.warpAffine(self._part, from_part, (side, side), flags=cv2.INTER_LINEAR)

    def score(self, yunet: YuNet, degrees: float) -> float:
        """The score of the face when it is turned back by so much; 0 where none is found."""
        rows = _central(yunet.search(self.view(degrees, _SIDE)[1]), _SIDE)
        return float(rows[:, 14].max(initial=0))

    def levelled(self, yunet: YuNet, degrees: float) -> tuple[float, Face | None]:
        """By how much about `degrees` it is to be turned back to be level, and the face then."""
        for _ in range(_STEPS):
            found = self.face(yunet, degrees, _SIDES[:1])
            if found is None or abs(found.roll) <= _LEVEL:
                break
            degrees += _TRUE_ROLL * found.roll
        return degrees, self.face(yunet, degrees, _SIDES)

    def face(self, yunet: YuNet, degrees: float, sides) -> Face | None:
        """The face in the picture of the first side, from all of these."""
        first = (sides[0], sides[0])
        rows = [
            yunet.search(self.view(degrees, side)[1], first, mirrored=mirrored)
            for side in sides
            for mirrored in (False, True)
        ]
        found = merge(_central(np.concatenate(rows), sides[0]), 0)
        return found[0] if found else None


def _central(rows, side):
    """Those of the face in the middle, whose box is of about the size that was looked for."""
    away = np.abs(rows[:, :2] + rows[:, 2:4] / 2 - side / 2).max(axis=1)
    size = rows[:, 2:4].max(axis=1)
    return rows[(away < side / 6) & (size > side / 4) & (size < side)]
