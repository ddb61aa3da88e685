"""From a face in a photo to the canonical crop, and from the crop's mask back into the photo.

Photos are RGB, uint8 in [0, 255], height × width × 3. The canonical crop is RGB, float32 in
[0, 255], 112 × 112 × 3, the face upright and its landmarks where the ArcFace template has them. A
matrix is the 2 × 3 similarity that takes a point (x, y) of the photo to a point of the crop, both
counted in pixels with (0, 0) in the centre of the top left one. A mask is what is added to a crop.

The sampling is bilinear throughout, as in the pipelines that recognisers are trained with.
"""

import math

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

# Each round corrects what the crop lacked after the round before. With a face as large as the crop
# the first leaves an error of 57 % of a mask of white noise and of 19 % of a smooth one; five leave
# 35 % and 7 %, and more gain little. With a face of 5 times that size, where rounds take long, two
# leave 5 %, of which 4 % come from rounding to whole numbers.
_ROUNDS, _ROUNDS_LARGE, _LARGE = 5, 2, 4
# A triangle as wide as a photo's pixel, which is how bilinear sampling of an enlarged face spreads
# it over the crop, has the standard deviation of 1/sqrt(6) pixel.
_SPREAD = 1 / math.sqrt(6)


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
    rows, columns = _window(matrix, pixels.shape)
    return _sample(pixels[rows, columns].astype(np.float32), _moved(matrix, rows, columns))


def add_masks(
    pixels: UInt8[np.ndarray, "height width 3"],
    masks: Float[np.ndarray, "faces 112 112 3"],
    matrices: Float[np.ndarray, "faces 2 3"],
    epsilon: float,
) -> UInt8[np.ndarray, "height width 3"]:
    """A photo whose crops differ from those of `pixels` by the masks, as nearly as may be.

    The change of the photo is found by back-projection (Irani and Peleg, "Improving resolution by
    image registration", 1991): what the crop still lacks of the mask is warped into the photo and
    added to the change, which is then clipped to what each pixel may change by; and so again. Where
    squares of faces overlap, the mean of their corrections is added.

    Args:
      pixels: the photo; it is not modified.
      masks, matrices: of each face; there may be none.
      epsilon: the most that any pixel may change by, in [0, 255]. Pixels are whole numbers, so the
        greatest whole number in it is what counts.

    Returns:
      uint8. No pixel differs from `pixels` by more than epsilon, and none differs at all whose
      centre lies outside the squares of the faces.

    Raises:
      ValueError: epsilon is outside [0, 255], a mask is not finite, or there are not as many
        matrices as masks.
    """
    if not 0 <= epsilon <= 255:
        raise ValueError(f"epsilon is {epsilon}, expected a number in [0, 255]")
    if len(masks) != len(matrices):
        raise ValueError(f"{len(masks)} masks came with {len(matrices)} matrices")
    masks = np.asarray(masks, np.float32)
    if not np.isfinite(masks).all():
        raise ValueError("a mask holds NaN or infinity")
    changed = pixels.copy()
    squares = [_Square(pixels, *face) for face in zip(masks, matrices, strict=True)]
    squares = [square for square in squares if square.inside.any()]
    if not squares:
        return changed
    rows = _hull([square.rows for square in squares])
    columns = _hull([square.columns for square in squares])
    photo = pixels[rows, columns]
    # With whole bounds the change remains within them when it is rounded.
    least = np.maximum(-math.floor(epsilon), -photo.astype(np.int16))
    most = np.minimum(math.floor(epsilon), 255 - photo.astype(np.int16))
    change = np.zeros(photo.shape, np.float32)
    places = [(_within(square.rows, rows), _within(square.columns, columns)) for square in squares]
    sharing = np.zeros((*photo.shape[:2], 1), np.uint16)
    for square, here in zip(squares, places, strict=True):
        sharing[here] += square.inside
    sharing = np.maximum(sharing, 1)
    for done in range(_ROUNDS):
        # All are computed before any is added, so that no face is served before another.
        corrections = [
            (here, square.correction(change[here]) / sharing[here])
            for square, here in zip(squares, places, strict=True)
            if done < square.rounds
        ]
        for here, correction in corrections:
            change[here] += correction
        for here, _ in corrections:
            np.clip(change[here], least[here], most[here], out=change[here])
    changed[rows, columns] += np.rint(change).astype(np.int16).astype(np.uint8)  # modulo 256
    return changed


class _Square:
    """One face's part of a photo and the mask that its crop is to show."""

    def __init__(self, pixels, mask, matrix):
        self.mask = mask
        self.rows, self.columns = _window(matrix, pixels.shape)
        self.matrix = _moved(matrix, self.rows, self.columns)
        self.size = (_length(self.columns), _length(self.rows))
        self.inside = self._inside()
        self.enlargement = math.hypot(*self.matrix[:, 0])
        self.rounds = _ROUNDS if self.enlargement > 1 / _LARGE else _ROUNDS_LARGE

    def correction(self, change):
        """What to add to the change of this part of the photo for the crop to show the mask."""
        lacking = self.mask - _sample(change, self.matrix)
        if self.enlargement > 1:  # the crop has more pixels than the face: gather, lest it alias
            spread = _SPREAD * self.enlargement
            lacking = cv2.GaussianBlur(lacking, (0, 0), spread, borderType=cv2.BORDER_REPLICATE)
        warped = cv2.warpAffine(
            lacking,
            self.matrix,
            self.size,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.multiply(warped, self.inside, out=warped)

    def _inside(self):
        """Which pixels have their centre in the square that the crop's pixels cover."""
        x, y = np.arange(self.size[0]), np.arange(self.size[1])[:, None]
        u, v = (row[0] * x + row[1] * y + row[2] for row in self.matrix)
        middle = (SIZE - 1) / 2
        covered = (np.abs(u - middle) <= SIZE / 2) & (np.abs(v - middle) <= SIZE / 2)
        return covered[:, :, None]


def _sample(window, matrix):
    if not window.size:
        return np.zeros((SIZE, SIZE, 3), np.float32)
    return cv2.warpAffine(window, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR)


def _window(matrix, shape):
    """Rows and columns of the photo that the crop's square and its bilinear sampling touch."""
    ends = np.array([[-1, -1], [SIZE, -1], [-1, SIZE], [SIZE, SIZE]])
    corners = (ends - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    low, high = np.floor(corners.min(axis=0)) - 1, np.ceil(corners.max(axis=0)) + 2
    size = np.array(shape[1::-1])
    (x0, y0), (x1, y1) = (np.clip(end, 0, size).astype(int).tolist() for end in (low, high))
    return slice(y0, y1), slice(x0, x1)


def _moved(matrix, rows, columns):
    """The matrix for points counted from the corner of a window."""
    corner = np.array([columns.start, rows.start])
    return np.column_stack([matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ corner])


def _hull(slices):
    return slice(min(part.start for part in slices), max(part.stop for part in slices))


def _within(part, whole):
    return slice(part.start - whole.start, part.stop - whole.start)


def _length(part):
    return part.stop - part.start
