"""A face in a photo.

Coordinates are (x, y) in pixels of the photo, with (0, 0) in the centre of the top left one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, UInt8

from tipim_jax.photos.alignment import similarity


@dataclass(frozen=True, eq=False)
class Face:
    """One face found in a photo.

    Attributes:
      box: x and y of the top left corner, width and height; it may reach outside the photo. Its
        sides are the photo's: of a face that lies on its side width and height are exchanged.
      landmarks: in the order of the ArcFace template: the eye, and then the corner of the mouth,
        that lies on the left in an upright picture comes before the other: left eye, right eye, tip
        of the nose, left corner of the mouth, right corner.
      score: YuNet's confidence in [0, 1], the best over the searches.
    """

    box: Float[np.ndarray, " 4"]
    landmarks: Float[np.ndarray, "5 2"]
    score: float

    @cached_property
    def matrix(self) -> Float[np.ndarray, "2 3"]:
        """The similarity, float64, from the photo's points to those of the canonical crop.

        Raises:
          ValueError: as `similarity`.
        """
        return similarity(self.landmarks)

    @property
    def roll(self) -> float:
        """How far the face is turned clockwise from upright, in degrees in [-180, 180]."""
        return float(np.degrees(np.arctan2(-self.matrix[1, 0], self.matrix[0, 0])))

    @property
    def quarter_turns(self) -> int:
        """Quarter turns clockwise of the upright picture nearest to how the face lies: 0 to 3."""
        return round(self.roll / 90) % 4

    @property
    def middle(self) -> Float[np.ndarray, " 2"]:
        """The point in the middle of the box."""
        return self.box[:2] + self.box[2:] / 2 - 0.5

    @property
    def area(self) -> float:
        """Of the box, in square pixels."""
        return float(self.box[2] * self.box[3])

    def moved(self, matrix: Float[np.ndarray, "2 3"]) -> "Face":
        """As it is where a similarity takes it; the box turns by whole quarters, the nearest."""
        angle = np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))
        scale = np.hypot(*matrix[:, 0])
        sides = scale * (self.box[2:] if round(angle / 90) % 2 == 0 else self.box[:1:-1])
        middle = matrix[:, :2] @ self.middle + matrix[:, 2]
        return Face(
            box=np.concatenate([middle + 0.5 - sides / 2, sides]).astype(np.float32),
            landmarks=(self.landmarks @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32),
            score=self.score,
        )

    def is_same(self, other: "Face", share: float) -> bool:
        """Whether this share of the union of the two boxes is in both."""
        rows = np.stack([self.box, other.box])
        return bool(overlaps(rows[0], rows[1:])[0] >= share)


def quarter_turn(size: tuple[int, int], turns: int) -> Float[np.ndarray, "2 3"]:
    """Where `numpy.rot90`, so many times, takes the points of a photo of (height, width)."""
    height, width = size
    return np.array(
        [
            [[1, 0, 0], [0, 1, 0]],
            [[0, 1, 0], [-1, 0, width - 1]],
            [[-1, 0, width - 1], [0, -1, height - 1]],
            [[0, -1, height - 1], [1, 0, 0]],
        ][turns % 4],
        np.float64,
    )


def overlaps(
    box: Float[np.ndarray, " 4"], boxes: Float[np.ndarray, "count 4"]
) -> Float[np.ndarray, " count"]:
    """Intersection over union of a box with each of several."""
    low = np.maximum(box[:2], boxes[:, :2])
    high = np.minimum(box[:2] + box[2:], boxes[:, :2] + boxes[:, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    return shared / (box[2] * box[3] + boxes[:, 2] * boxes[:, 3] - shared)


def central_face(faces: Sequence[Face], pixels: UInt8[np.ndarray, "height width 3"]) -> Face:
    """The face, of one or more, whose box is nearest the photo's centre."""
    middle = (np.array(pixels.shape[1::-1]) - 1) / 2
    return min(faces, key=lambda face: float(np.sum((face.middle - middle) ** 2)))
