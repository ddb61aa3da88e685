"""From a face in a photo to the canonical crop.

Photos are RGB, uint8 in [0, 255], height × width × 3. The canonical crop is RGB, float32 in
[0, 255], 112 × 112 × 3, the face upright and its landmarks where the ArcFace template has them. A
matrix is the 2 × 3 similarity that takes a point (x, y) of the photo to a point of the crop, both
counted in pixels with (0, 0) in the centre of the top left one.

The sampling is bilinear throughout, as in the pipelines that recognisers are trained with.
"""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

SIZE = 112
# Deng et al., "ArcFace", 2019: `arcface_dst` in deepinsight/insightface,
# python-package/insightface/utils/face_align.py.
TEMPLATE = np.array(
    [
        [38.2946, 51.6963],  # left eye
        [73.5318, 51.5014],  # right eye
        [56.0252, 71.7366],  # tip of the nose
        [41.5493, 92.3655],  # left corner of the mouth
        [70.7299, 92.2041],  # right corner of the mouth
    ]
)


def similarity(
    landmarks: Float[np.ndarray, "5 2"], template: Float[np.ndarray, "5 2"] = TEMPLATE
) -> Float[np.ndarray, "2 3"]:
    """The rotation, scaling and shift, float64, that bring landmarks nearest to a template.

    Least squares, without reflection (Umeyama 1991). With points as complex numbers, z of the
    landmarks and w of the template, each less its mean, the best w ≈ c·z has
    c = Σ conj(z) w / Σ |z|²: its modulus is the scale and its argument the angle.

    Raises:
      ValueError: all landmarks are one point, or one of them is not finite.
    """
    landmarks = np.asarray(landmarks, np.float64)
    centre, template_centre = landmarks.mean(axis=0), template.mean(axis=0)
    z = (landmarks - centre) @ (1, 1j)
    w = (template - template_centre) @ (1, 1j)
    spread = np.vdot(z, z).real
    if not (np.isfinite(spread) and spread > 0):
        raise ValueError(
            f"cannot align landmarks {landmarks.tolist()}: expected finite points that differ"
        )
    c = np.vdot(z, w) / spread
    linear = np.array([[c.real, -c.imag], [c.imag, c.real]])
    return np.column_stack([linear, template_centre - linear @ centre])


def crop(
    pixels: UInt8[np.ndarray, "height width 3"], matrix: Float[np.ndarray, "2 3"]
) -> Float[np.ndarray, "112 112 3"]:
    """The canonical crop of a face: float32 in [0, 255], 0 where it lies outside the photo."""
    return warp(pixels, matrix, (SIZE, SIZE))


def warp(
    pixels: UInt8[np.ndarray, "height width 3"],
    matrix: Float[np.ndarray, "2 3"],
    size: tuple[int, int],
) -> Float[np.ndarray, "rows columns 3"]:
    """The image that an affine map makes of a photo: float32 in [0, 255], 0 outside the photo.

    Args:
      matrix: from the photo's points to the image's.
      size: (height, width) of the image.
    """
    rows, columns = _touched(matrix, size, pixels.shape)
    part = pixels[rows, columns].astype(np.float32)
    if not part.size:
        return np.zeros((*size, 3), np.float32)
    corner = np.array([columns.start, rows.start])
    moved = np.column_stack([matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ corner])
    return cv2.warpAffine(part, moved, size[::-1], flags=cv2.INTER_LINEAR)


def _touched(matrix, size, shape):
    """Rows and columns of the photo that the image and its bilinear sampling touch."""
    height, width = size
    ends = np.array([[-1, -1], [width, -1], [-1, height], [width, height]])
    corners = (ends - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    low, high = np.floor(corners.min(axis=0)) - 1, np.ceil(corners.max(axis=0)) + 2
    (x0, y0), (x1, y1) = (np.clip(end, 0, shape[1::-1]).astype(int).tolist() for end in (low, high))
    return slice(y0, y1), slice(x0, x1)
