"""Finds the faces in a photo, wherever they are, however large and whichever way up.

Photos are RGB, uint8 in [0, 255], height × width × 3. Coordinates are as in `face`.

YuNet makes a point jump by a pixel or two when the picture changes a little. A photo is therefore
searched at half-octave scales, at the smaller ones also in its mirror image, and what the searches
say of one face is averaged. A large photo is searched for its small faces too, at its full size, in
tiles. Each face is then looked at more closely, whichever way up (`turning`).
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from tipim_jax.photos.face import Face, quarter_turn
from tipim_jax.photos.onet import second_opinion
from tipim_jax.photos.turning import upright
from tipim_jax.photos.yunet import SAME_FACE, THRESHOLD, YuNet, merge, rescale

NO_FACE = "no face found"  # what is said of a photo in which none is
UNSURE = "it is not sure which way up the face is"  # why a face that was found is left alone

# What scores so much may still be a face that is not upright.
_WEAK = 0.6
# Longest side, in pixels, of the first and the last search of a whole photo. Enlarging a small
# photo helps YuNet.
_LONGEST = (512, 1448)
_SHORTEST = 96
_STEP = 2**0.5
# Mirrored searches steady the points at small scales; at large ones they would only cost time.
_MIRROR_UP_TO = 1024
# Larger scales are an octave apart, the first the photo's own, as YuNet needs 24 pixels of a face.
# They are searched in tiles, for what is small there: their memory is a tile's, not the photo's.
_TILE = 1024
_SMALL_FACE = 80  # longest side; 40 at the next scale, where YuNet finds all
_OVERLAP = _SMALL_FACE + 16


class Found(NamedTuple):
    """The faces in a photo, the largest box first (then from left to right, top to bottom).

    Attributes:
      faces: Those of which it is sure how they lie.
      unsure: The others; their landmarks mean nothing.
    """

    faces: list[Face]
    unsure: list[Face]


class FaceDetector:
    """YuNet with its weights loaded; may be shared by threads, each of which then loads its own.

    Detection is deterministic: the same pixels give the same faces, whichever thread asks.
    """

    def __init__(self, model_path: Path):
        """Loads YuNet.

        Args:
          model_path: the ONNX file that `YUNET` names.

        Raises:
          ValueError: the file is missing or no model that OpenCV can load.
        """
        self._yunet = YuNet(model_path)

    def detect(self, pixels: UInt8[np.ndarray, "height width 3"]) -> list[Face]:
        """`find`'s faces of which it is sure how they lie; errors as there."""
        return self.find(pixels).faces

    def find(self, pixels: UInt8[np.ndarray, "height width 3"]) -> Found:
        """All faces in a photo.

        Raises:
          ValueError: `pixels` is not a uint8 picture with three channels.
        """
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError(
                "a face detector takes uint8 pixels [height, width, 3], "
                f"found {pixels.dtype} {list(pixels.shape)}"
            )
        if not pixels.size:
            return Found([], [])
        found = Found([], [])
        self._add(found, pixels, merge(np.concatenate([*self._rows(pixels)]), _WEAK))
        turns = [face.quarter_turns for face in found.faces]
        # A photo without an upright face may be one that lies on its side, where YuNet sees less.
        if 0 not in turns:
            for turn in sorted(set(turns)) or (1, 2, 3):
                self._add(found, pixels, self._turned(pixels, turn, quick=not turns))
        unsure = [face for face in found.unsure if not _among(face, found.faces)]
        return Found(*(sorted(some, key=_order) for some in (found.faces, unsure)))

    def _turned(self, pixels, turn, *, quick: bool) -> list[Face]:
        """What a search of the photo finds when it is turned back, as candidates."""
        turned = np.ascontiguousarray(np.rot90(pixels, turn))
        rows = np.concatenate([*self._rows(turned, quick=quick)])
        back = cv2.invertAffineTransform(quarter_turn(pixels.shape[:2], turn))
        return [face.moved(back) for face in merge(rows, THRESHOLD)]

    def _add(self, found: Found, pixels, candidates: list[Face]) -> None:
        """Adds those candidates that are faces as they are seen more closely, each once."""
        for candidate in candidates:
            if _among(candidate, [*found.faces, *found.unsure]):
                continue
            strong = candidate.score >= THRESHOLD
            face = upright(self._yunet, second_opinion, pixels, candidate)
            if face is None:
                if strong:
                    found.unsure.append(candidate)
            elif (strong or face is not candidate) and not _among(face, found.faces):
                found.faces.append(face)

    def _rows(self, pixels, *, quick: bool = False) -> Iterator[Float[np.ndarray, "count 15"]]:
        """Rows in pixels of the photo, of each search; of the most important if it is quick."""
        size = pixels.shape[:2]
        first = longest = max(size)
        while longest > _LONGEST[1]:
            pixels = _resize(pixels, longest / first, size)
            if not quick:
                yield from self._small(pixels, size)
            longest /= 2
        longest = max(longest, _LONGEST[0])
        pixels = _resize(pixels, longest / first, size)
        while longest >= _SHORTEST:
            smaller = _resize(pixels, longest / first, size)
            yield self._yunet.search(smaller, size)
            if longest <= _MIRROR_UP_TO and not quick:
                yield self._yunet.search(smaller, size, mirrored=True)
            longest /= _STEP

    def _small(self, pixels, size) -> Iterator[Float[np.ndarray, "count 15"]]:
        """Of small faces, each of which is whole in the tile in whose inner part its middle is."""
        for rows in _tiles(pixels.shape[0]):
            for columns in _tiles(pixels.shape[1]):
                found = self._yunet.search(pixels[rows, columns])
                middle = found[:, :2] + found[:, 2:4] / 2
                inner = found[:, 2:4].max(axis=1) <= _SMALL_FACE
                for axis, (part, length) in enumerate(
                    ((columns, pixels.shape[1]), (rows, pixels.shape[0]))
                ):
                    low = 0 if part.start == 0 else _SMALL_FACE / 2
                    high = part.stop - part.start
                    high -= 0 if part.stop == length else _SMALL_FACE / 2
                    inner &= (middle[:, axis] >= low) & (middle[:, axis] <= high)
                found = found[inner]
                found[:, :2] += (columns.start, rows.start)
                found[:, 4:14] += np.tile((columns.start, rows.start), 5)
                rescale(found, pixels.shape[:2], size)
                yield found


def _order(face: Face):
    return -face.area, *face.box[:2].tolist()


def _among(face: Face, others: list[Face]) -> bool:
    return any(face.is_same(other, SAME_FACE) for other in others)


def _tiles(length: int) -> list[slice]:
    """Equal parts of a side, each of which shares `_OVERLAP` pixels or more with the next."""
    count = max(1, math.ceil((length - _OVERLAP) / (_TILE - _OVERLAP)))
    side = math.ceil((length + (count - 1) * _OVERLAP) / count)
    starts = np.linspace(0, length - side, count).astype(int).tolist()
    return [slice(start, start + side) for start in starts]


def _resize(pixels, scale, photo_size):
    size = [max(1, round(side * scale)) for side in photo_size]
    if tuple(size) == pixels.shape[:2]:
        return pixels
    how = cv2.INTER_AREA if size[0] < pixels.shape[0] else cv2.INTER_LINEAR
    return cv2.resize(pixels, size[::-1], interpolation=how)
