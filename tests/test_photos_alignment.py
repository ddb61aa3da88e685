"""Alignment to the canonical crop, and the way of a mask back into the photo."""

import math

import cv2
import numpy as np
import pytest

from tipim_jax import people
from tipim_jax.photos import SIZE, TEMPLATE, add_masks, crop, read_photo, similarity

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


def covered(shape, matrix):
    """Which pixels' centres lie in the crop's square of 112 × 112 whole pixels."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    u, v = (row[0] * x + row[1] * y + row[2] for row in matrix)
    return (u >= -0.5) & (u <= SIZE - 0.5) & (v >= -0.5) & (v <= SIZE - 0.5)


def noise(seed, shape, smooth=0.0):
    values = np.random.default_rng(seed).normal(size=shape)
    if smooth:
        values = cv2.GaussianBlur(values, (0, 0), smooth)
    return np.clip(values / values.std() * 7, -12, 12).astype(np.float32)


def error(photo, mask, matrix, changed):
    """Of the mask in the crop, relative to the mask."""
    shown = crop(changed, matrix) - crop(photo, matrix)
    return np.sqrt(np.mean((shown - mask) ** 2) / np.mean(mask**2))


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


FACES = {
    "upright": [placed(1, 0, (125, 125))],
    "quarter turn": [placed(0.9, 90, (125, 125))],
    "partly outside": [placed(1.5, 20, (10, 240))],
    "wholly outside": [placed(1, 0, (900, 900))],
    "tiny": [placed(0.1, 15, (60.3, 70.8))],
    "beyond the whole photo": [placed(9, -10, (125, 125))],
    "overlapping": [placed(0.8, 10, (90, 120)), placed(0.9, -15, (150, 130))],
    "one twice": [placed(1, 3, (125, 125))] * 2,
    "none": [],
}


@pytest.mark.parametrize("epsilon", [0, 0.5, 7.3, 12])
@pytest.mark.parametrize("faces", FACES.values(), ids=FACES.keys())
def test_no_pixel_changes_by_more_than_epsilon_or_outside_the_faces(faces, epsilon):
    photo = np.random.default_rng(1).integers(0, 256, (250, 240, 3), dtype=np.uint8)
    before = photo.copy()
    masks = np.random.default_rng(2).normal(scale=20, size=(len(faces), SIZE, SIZE, 3))
    changed = add_masks(photo, masks, np.array(faces).reshape(len(faces), 2, 3), epsilon)
    assert changed.dtype == np.uint8
    np.testing.assert_array_equal(photo, before)
    difference = np.abs(changed.astype(int) - photo)
    assert difference.max() <= epsilon
    inside = np.zeros(photo.shape[:2], bool)
    for matrix in faces:
        inside |= covered(photo.shape, matrix)
    assert difference[~inside].max(initial=0) == 0
    if epsilon >= 1 and inside.any():
        assert (difference[inside] > 0).mean() > 0.5


def test_random_faces_keep_the_bound_too():
    rng = np.random.default_rng(3)
    for _ in range(40):
        photo = rng.integers(0, 256, (*rng.integers(1, 200, 2), 3), dtype=np.uint8)
        faces = [
            placed(rng.uniform(0.05, 4), rng.uniform(-180, 180), rng.uniform(-80, 280, 2))
            for _ in range(rng.integers(1, 4))
        ]
        epsilon = rng.uniform(0, 20)
        masks = rng.normal(scale=15, size=(len(faces), SIZE, SIZE, 3))
        difference = np.abs(add_masks(photo, masks, np.array(faces), epsilon).astype(int) - photo)
        inside = np.any([covered(photo.shape, matrix) for matrix in faces], axis=0)
        assert difference.max() <= epsilon
        assert difference[~inside].max(initial=0) == 0


def test_a_mask_in_place_is_added_and_rounded_to_the_nearest():
    photo = np.full((SIZE, SIZE, 3), 100, np.uint8)
    mask = np.zeros((SIZE, SIZE, 3), np.float32)
    mask[0, :5, 0] = [2.6, -2.6, 2.4, -0.4, 30]
    matrix = np.array([[1, 0, 0], [0, 1, 0.0]])
    changed = add_masks(photo, mask[None], matrix[None], 12)
    assert changed[0, :5, 0].tolist() == [103, 97, 102, 100, 112]
    assert (changed.reshape(-1)[15:] == 100).all()


# Greatest admissible error of a smooth mask and of white noise. A face smaller than the crop cannot
# show all of it; a larger one shows it but for the rounding to whole pixels, 4 % here.
@pytest.mark.parametrize(
    ("scale", "smooth", "white"),
    [(0.7, 0.25, 0.8), (1, 0.1, 0.45), (1.4, 0.07, 0.2), (4, 0.07, 0.07)],
)
def test_the_crop_of_the_protected_photo_shows_the_mask(scale, smooth, white):
    pixels = cv2.resize(read_photo(PHOTO).pixels, None, fx=max(scale, 1), fy=max(scale, 1))
    photo = np.clip(pixels, 12, 243)  # where nothing is clipped
    matrix = placed(scale, 7, np.array(photo.shape[1::-1]) / 2 + 0.3)
    for mask, bound in [
        (noise(4, (SIZE, SIZE, 3), 1.0), smooth),
        (noise(5, (SIZE, SIZE, 3)), white),
    ]:
        ours = error(photo, mask, matrix, add_masks(photo, mask[None], matrix[None], 12))
        warped = cv2.warpAffine(
            mask, matrix, photo.shape[1::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
        plainly = np.rint(photo + warped).astype(np.uint8)
        assert ours <= bound
        assert ours < error(photo, mask, matrix, plainly)


def test_overlapping_faces_share_what_one_of_them_cannot_have():
    photo = np.full((200, 260, 3), 128, np.uint8)
    matrices = np.array([placed(1, 0, (100, 100)), placed(1, 0, (160, 100))])
    masks = np.stack([noise(seed, (SIZE, SIZE, 3), 1.5) for seed in (6, 7)])
    changed = add_masks(photo, masks, matrices, 12)
    errors = [
        error(photo, mask, matrix, changed) for mask, matrix in zip(masks, matrices, strict=True)
    ]
    assert max(errors) < 0.7
    assert max(errors) - min(errors) < 0.15


@pytest.mark.parametrize("epsilon", [-1, 256, math.nan])
def test_a_bound_that_is_none_is_refused(epsilon):
    photo = np.zeros((9, 9, 3), np.uint8)
    with pytest.raises(ValueError, match="epsilon is"):
        add_masks(photo, np.zeros((0, SIZE, SIZE, 3)), np.zeros((0, 2, 3)), epsilon)


def test_masks_that_do_not_fit_the_faces_are_refused():
    photo = np.zeros((9, 9, 3), np.uint8)
    matrix = placed(1, 0, (4, 4))[None]
    with pytest.raises(ValueError, match="2 masks came with 1 matrices"):
        add_masks(photo, np.zeros((2, SIZE, SIZE, 3)), matrix, 12)
    with pytest.raises(ValueError, match="NaN"):
        add_masks(photo, np.full((1, SIZE, SIZE, 3), np.nan), matrix, 12)
