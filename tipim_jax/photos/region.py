"""The part of a photo in which a face's mask is made, and the masks' way into the photo.

A mask is made in the photo's own pixels, so that all of its budget is in what is written and its
detail is the photo's. A face that is much larger than recognisers look at is made smaller by a
whole number, as far as it has to be to fit.

Photos are RGB, uint8 in [0, 255], height × width × 3. Points are (x, y) in pixels, (0, 0) in the
centre of the top left one. A mask is what is added to a region.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from tipim_jax.photos.alignment import SIZE

# A face in a photo of 250 × 250 as in LFW takes 140, upright; recognisers see at most 160 of it.
REGION = 224
_ROWS_AT_ONCE = 256
# Of the crop's pixels on every side: detectors disagree by a few.
_MARGIN = 6


@dataclass(frozen=True, eq=False)
class Region:
    """A square part of a photo around a face.

    Attributes:
      pixels: 0 outside the photo.
      matrix: the 2 × 3 similarity from the region's to the canonical crop's points.
      corner: (row, column) of the photo at which it begins; negative outside the photo.
      reduction: how many of the photo's pixels, in each direction, one of its own stands for.
    """

    pixels: UInt8[np.ndarray, "224 224 3"]
    matrix: Float[np.ndarray, "2 3"]
    corner: tuple[int, int]
    reduction: int

    def part_of(
        self, pixels: UInt8[np.ndarray, "height width 3"]
    ) -> tuple[UInt8[np.ndarray, "rows columns 3"], "Region"]:
        """What of it is in the photo, and the region where it is in that."""
        here, there = _overlap(pixels.shape, self.corner, self.side)
        return pixels[here], replace(self, corner=tuple(-part.start for part in there))

    @property
    def side(self) -> int:
        """In the photo's pixels."""
        return REGION * self.reduction


def region(pixels: UInt8[np.ndarray, "height width 3"], matrix: Float[np.ndarray, "2 3"]) -> Region:
    """The region around a face.

    Args:
      matrix: from the photo's to the canonical crop's points.
    """
    half = SIZE / 2 + _MARGIN
    middle = (SIZE - 1) / 2
    square = middle + half * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    corners = (square - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    extent = np.ptp(corners, axis=0).max()
    reduction = max(1, math.ceil(extent / REGION))
    column, row = np.rint(corners.mean(axis=0) - (REGION * reduction - 1) / 2).astype(int).tolist()
    part = square_part(pixels, (row, column), REGION * reduction)
    if reduction > 1:
        part = cv2.resize(part, (REGION, REGION), interpolation=cv2.INTER_AREA)
    first = np.array([column, row]) + (reduction - 1) / 2  # the centre of its first pixel
    own = np.column_stack([matrix[:, :2] * reduction, matrix[:, :2] @ first + matrix[:, 2]])
    return Region(part, own, (row, column), reduction)


def add_masks(
    pixels: UInt8[np.ndarray, "height width 3"],
    masks: Sequence[Float[np.ndarray, "224 224 3"]],
    regions: Sequence[Region],
    epsilon: float,
    colour_epsilon: float = 255.0,
) -> UInt8[np.ndarray, "height width 3"]:
    """The photo with the masks; where those of several faces meet, with their sum.

    Args:
      pixels: the photo; it is not modified.
      masks, regions: of each face; there may be none.
      epsilon: the most that any pixel may change by, in [0, 255]. Pixels are whole numbers, so the
        greatest whole number in it is what counts.
      colour_epsilon: a pixel's channels change by what lies within so much of one value, as the
        method's settings have it: sums of masks, and channels that meet 0 or 255, would not.

    Raises:
      ValueError: epsilon is outside [0, 255], a mask is not finite, or there are not as many
        regions as masks.
    """
    if not 0 <= epsilon <= 255:
        raise ValueError(f"epsilon is {epsilon}, expected a number in [0, 255]")
    if len(masks) != len(regions):
        raise ValueError(f"{len(masks)} masks came with {len(regions)} regions")
    if not all(np.isfinite(mask).all() for mask in masks):
        raise ValueError("a mask holds NaN or infinity")
    masks = [np.asarray(mask, np.float32) for mask in masks]
    grey = all((mask == mask[..., :1]).all() for mask in masks)  # those of a grey photo
    most, spread = math.floor(epsilon), math.floor(2 * colour_epsilon)
    changed = pixels.copy()
    # A few rows at once: a face may fill a photo of hundreds of megabytes, as float.
    for first in range(0, len(pixels), _ROWS_AT_ONCE):
        rows = changed[first : first + _ROWS_AT_ONCE]
        move = None
        for mask, place in zip(masks, regions, strict=True):
            corner = place.corner[0] - first, place.corner[1]
            here, (down, across) = _overlap(rows.shape, corner, place.side)
            if down.start < down.stop:
                move = np.zeros(rows.shape, np.float32) if move is None else move
                move[here] += _enlarged(mask, place.reduction, down)[:, across]
        if move is None:
            continue
        if grey:
            move[:] = move[..., :1]  # resizing may round channels differently
        move = np.clip(np.rint(move), -most, most)
        if spread < 2 * most:
            move = _alike(move, rows, spread)
        rows[:] = np.clip(rows + move, 0, 255)
    return changed


def square_part(
    pixels: UInt8[np.ndarray, "height width 3"], corner: tuple[int, int], side: int
) -> UInt8[np.ndarray, "side side 3"]:
    """A square part of a photo, 0 where it reaches out of it.

    Args:
      corner: (row, column) at which it begins; negative outside the photo.
    """
    part = np.zeros((side, side, 3), np.uint8)
    here, there = _overlap(pixels.shape, corner, side)
    part[there] = pixels[here]
    return part


def _alike(change, pixels, spread):
    """Whole changes, those of a pixel's channels within `spread` of each other in [0, 255]."""
    lowest, highest = _ends(change)
    least = np.rint((lowest + highest - spread) / 2)
    # Every channel is to reach what lies from the least to the greatest.
    darkest, brightest = _ends(pixels)
    least = np.clip(least, -np.float32(darkest) - spread, 255 - np.float32(brightest))[..., None]
    return np.clip(change, least, least + spread)


def _ends(values):
    """The least and the greatest channel of each pixel; NumPy is slow along so short an axis."""
    channels = np.moveaxis(values, -1, 0)
    return functools.reduce(np.minimum, channels), functools.reduce(np.maximum, channels)


def _overlap(shape, corner, side):
    """Of a square part, where it lies in the photo: slices of the photo, and of the part."""
    here = tuple(
        slice(*(min(max(end, 0), length) for end in (first, first + side)))
        for first, length in zip(corner, shape[:2], strict=True)
    )
    there = tuple(
        slice(s.start - first, s.stop - first) for s, first in zip(here, corner, strict=True)
    )
    return here, there


def _enlarged(mask, reduction, rows):
    """Some rows of a mask that is brought to the photo's resolution."""
    if reduction == 1:
        return mask[rows]
    first, last = max(0, rows.start // reduction - 1), -(-rows.stop // reduction) + 1
    part = mask[first:last]
    size = mask.shape[1] * reduction, len(part) * reduction
    part = cv2.resize(part, size, interpolation=cv2.INTER_LINEAR)
    return part[rows.start - first * reduction : rows.stop - first * reduction]
