"""A face in a photo, as a recogniser's window shows it.

Photos are RGB, uint8 in [0, 255], height × width × 3. Points are (x, y) in pixels, (0, 0) in the
centre of the top left one. Every window is an affine map, and sampled bilinearly. Programs whose
box reaches out of the photo cut it off and stretch the rest; here it is black.
"""

from math import atan2, cos, hypot, radians, sin

import numpy as np
from jaxtyping import Float, UInt8

from tipim_jax.networks.window import Box, Chips, FivePoints, Region, Window
from tipim_jax.photos.alignment import similarity, warp
from tipim_jax.photos.face import Face

# Where YuNet's points are in dlib's chips, as shares of the side without padding: medians of the
# 625 photos that `HAAR` was measured on and in which dlib finds the face too. In dlib's mean shape
# (mean_face_shape_x and _y in dlib/image_transforms/interpolation.h) centres of eyes, tip of the
# nose and corners of the mouth are within 0.016 of these, but the eyes 5 % closer together than
# YuNet sees them. Corners of a chip of 150 × 150 are 6 pixels from those of dlib's own in the
# median, 14 for a tenth of the faces; dlib's two sets of landmarks, 5 and 68, differ by 4 and 8.
# All the same dlib's network recognises LFW through these as well as through its own chips: TAR
# 0.944 at FAR 0.001, and 0.937; by the mean shape 0.936.
_CHIP_TEMPLATE = np.array(
    [[0.2125, 0.2056], [0.7688, 0.2055], [0.4860, 0.5308], [0.2508, 0.7817], [0.7351, 0.7803]]
)


def window_matrix(face: Face, window: Window, size: tuple[int, int]) -> Float[np.ndarray, "2 3"]:
    """The affine map, float64, from the photo's points to those of a network's input.

    Args:
      face: as a detector found it.
      window: how the network looks at it.
      size: (height, width) of the input.

    Raises:
      ValueError: the face's landmarks cannot be aligned.
    """
    return _filled(face, window, size)[0]


def look(
    pixels: UInt8[np.ndarray, "height width 3"], face: Face, window: Window, size: tuple[int, int]
) -> Float[np.ndarray, "rows columns 3"]:
    """What a network is shown of a face: float32 in [0, 255], 0 outside the photo and in bars.

    Args and errors are those of `window_matrix`.
    """
    matrix, shown = _filled(face, window, size)
    seen = warp(pixels, matrix, size)
    if isinstance(window, Box) and window.letterbox:
        for axis, length in enumerate(shown[::-1]):
            places = np.arange(size[axis]) - (size[axis] - 1) / 2
            np.moveaxis(seen, axis, 0)[np.abs(places) > length / 2] = 0
    return seen


def _filled(face, window, size):
    """The map to the input, and how much of the input the window fills: (width, height)."""
    plane, low, high = _plane(face, window)
    input_size = np.array(size[::-1])
    scale = input_size / (high - low)
    if isinstance(window, Box) and window.letterbox:
        scale = np.full(2, scale.min())
    shift = (input_size - 1) / 2 - scale * (low + high) / 2
    matrix = np.column_stack([scale[:, None] * plane[:, :2], scale * plane[:, 2] + shift])
    return matrix, scale * (high - low)


def _plane(face: Face, window: Window):
    """The similarity from the photo to a plane, and two corners of the rectangle that is seen."""
    if isinstance(window, FivePoints):
        return face.matrix, *_corners(window.region)
    if isinstance(window, Chips):
        template = (_CHIP_TEMPLATE + window.padding) / (1 + 2 * window.padding)
        return similarity(face.landmarks, template), np.zeros(2), np.ones(2)
    centre, sides = _detected(face, window.place)
    right, down = face.landmarks[1] - face.landmarks[0]
    # Without that the photo is turned by quarters alone, as by whoever looks at it.
    angle = atan2(down, right) if window.turned else radians(90 * face.quarter_turns)
    turn = np.array([[cos(angle), sin(angle)], [-sin(angle), cos(angle)]])
    half = sides * (1 + window.margin) / 2
    return np.column_stack([turn, -turn @ centre]), -half, half


def _detected(face: Face, place: Region | None):
    """Centre and sides, as (x, y), of a detector's box in the photo."""
    if place is None:
        return face.middle, face.box[:1:-1] if face.quarter_turns % 2 else face.box[2:]
    low, high = _corners(place)
    linear, shift = face.matrix[:, :2], face.matrix[:, 2]
    return np.linalg.solve(linear, (low + high) / 2 - shift), (high - low) / hypot(*linear[:, 0])


def _corners(region: Region):
    """Top left and bottom right as points, whose whole numbers are centres of pixels."""
    top, left, bottom, right = region
    return np.array([left, top]) - 0.5, np.array([right, bottom]) - 0.5
