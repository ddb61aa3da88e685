"""Alignment to the canonical crop."""

import math

import cv2
import numpy as np
import pytest

from tipim_jax.datasets import bundled as people
from tipim_jax.photos import SIZE, TEMPLATE, crop, read_photo, similarity

PHOTO = people.photos("Person_001")[0]


def placed(scale, degrees, centre):
    """The matrix of a face whose crop covers a square of `scale` · 112 pixels around `centre`."""
    angle = math.radians(degrees)
    linear = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear /= scale
    return np.column_stack([linear, (SIZE - 1) / 2 - linear @ np.asarray(centre)])


def sampled(pixels, matrix):
    """Bilinear sampling in float64, zero outside: the definition written out."""
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(float)
    points = np.stack([x, y], -1) - matrix[:, 2]
    points = points @ np.linalg.inv(matrix[:, :2]).T
    low = np.floor(points).astype(int)
    part = points - low
    result = np.zeros((SIZE, SIZE, 3))
    for right in (0, 1):
        for below in (0, 1):
            column, row = low[..., 0] + right, low[..., 1] + below
            there = (column >= 0) & (column < pixels.shape[1]) & (row >= 0)
            there &= row < pixels.shape[0]
            weight = np.abs(1 - right - part[..., 0]) * np.abs(1 - below - part[..., 1]) * there
            value = pixels[np.where(there, row, 0), np.where(there, column, 0)].astype(float)
            result += weight[..., None] * value
    return result


@pytest.mark.parametrize("degrees", [0, 31, 90, 180, -120])
def test_similarity_recovers_the_transform_that_made_the_landmarks(degrees):
    made = placed(2.5, degrees, (300, 200))
    landmarks = (TEMPLATE - made[:, 2]) @ np.linalg.inv(made[:, :2]).T
    found = similarity(landmarks)
    np.testing.assert_allclose(found, made, atol=1e-9)
    independent, _ = cv2.estimateAffinePartial2D(landmarks, TEMPLATE)
    np.testing.assert_allclose(found, independent, atol=1e-3)


def test_similarity_is_the_least_squares_solution():
    """The same problem as four linear unknowns, solved by numpy."""
    landmarks = TEMPLATE * 1.7 + np.random.default_rng(0).normal(scale=4, size=(5, 2)) + 50
    x, y = landmarks.T
    one, nought = np.ones(5), np.zeros(5)
    rows = np.vstack([np.column_stack([x, -y, one, nought]), np.column_stack([y, x, nought, one])])
    a, b, shift_x, shift_y = np.linalg.lstsq(rows, TEMPLATE.T.ravel(), rcond=None)[0]
    np.testing.assert_allclose(similarity(landmarks), [[a, -b, shift_x], [b, a, shift_y]])


def test_similarity_never_reflects():
    mirrored = TEMPLATE * (-1, 1)
    assert np.linalg.det(similarity(mirrored)[:, :2]) >= 0


@pytest.mark.parametrize("landmarks", [np.ones((5, 2)), np.full((5, 2), np.nan)])
def test_landmarks_that_cannot_be_aligned_are_refused(landmarks):
    with pytest.raises(ValueError, match="cannot align landmarks"):
        similarity(landmarks)


@pytest.mark.parametrize(
    "matrix",
    [
        placed(0.4, 10, (60, 60)),
        placed(1, 0, (125, 125)),
        placed(1.3, 90, (120, 110)),
        placed(2.0, -35, (20, 230)),
        placed(1, 5, (-500, 40)),
    ],
)
def test_crop_is_bilinear_and_black_outside_the_photo(matrix):
    photo = read_photo(PHOTO).pixels
    found = crop(photo, matrix)
    assert found.dtype == np.float32 and found.shape == (SIZE, SIZE, 3)
    np.testing.assert_allclose(found, sampled(photo, matrix), atol=0.05)


def test_crop_of_a_face_in_place_is_the_photo_itself():
    photo = read_photo(PHOTO).pixels
    matrix = np.array([[1, 0, -40], [0, 1, -30.0]])
    np.testing.assert_array_equal(crop(photo, matrix), photo[30:142, 40:152])
