"""Regions of photos around faces, and the masks' way into the photo."""

import math

import cv2
import numpy as np
import pytest

from tests.test_photos_alignment import placed
from tipim_jax.datasets import bundled as people
from tipim_jax.photos import REGION, SIZE, add_masks, crop, read_photo, region

PHOTO = people.photos("Person_001")[0]
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


def noise(seed, deviation=20.0):
    return np.random.default_rng(seed).normal(scale=deviation, size=(REGION, REGION, 3))


@pytest.mark.parametrize("scale", [0.3, 1, 1.7])
@pytest.mark.parametrize("degrees", [0, 45, 170])
def test_the_crop_of_a_region_is_that_of_the_photo(scale, degrees):
    photo = read_photo(PHOTO).pixels
    for centre in ((125, 125), (10, 245)):
        matrix = placed(scale, degrees, centre)
        found = region(photo, matrix)
        if found.reduction > 1:
            continue
        np.testing.assert_allclose(crop(found.pixels, found.matrix), crop(photo, matrix), atol=0.15)


@pytest.mark.parametrize(("scale", "reduction"), [(1.7, 1), (2.2, 2), (3.4, 2), (3.7, 3), (6, 4)])
def test_a_large_face_is_made_smaller_by_a_whole_number(scale, reduction):
    photo = cv2.resize(read_photo(PHOTO).pixels, None, fx=4, fy=4)
    photo = cv2.GaussianBlur(photo, (0, 0), 6)
    matrix = placed(scale, 3, (500, 480))
    found = region(photo, matrix)
    assert found.reduction == reduction
    shown, expected = crop(found.pixels, found.matrix), crop(photo, matrix)
    # Not along the photo's edges, where the mean of a block is partly black.
    inner = crop(np.full_like(photo, 255), placed(scale * 1.1, 3, (500, 480))) == 255
    assert np.abs(shown - expected)[inner].max() < 4


def test_a_region_without_anything_of_the_photo_is_black():
    photo = np.full((50, 60, 3), 200, np.uint8)
    assert region(photo, placed(1, 0, (900, -900))).pixels.max() == 0


@pytest.mark.parametrize("epsilon", [0, 0.5, 7.3, 12])
@pytest.mark.parametrize("faces", FACES.values(), ids=FACES.keys())
def test_no_pixel_changes_by_more_than_epsilon_or_outside_the_regions(faces, epsilon):
    photo = np.random.default_rng(1).integers(0, 256, (250, 440, 3), dtype=np.uint8)
    before = photo.copy()
    regions = [region(photo, matrix) for matrix in faces]
    masks = [noise(number) for number in range(len(faces))]
    changed = add_masks(photo, masks, regions, epsilon)
    assert changed.dtype == np.uint8
    np.testing.assert_array_equal(photo, before)
    difference = np.abs(changed.astype(int) - photo)
    assert difference.max() <= epsilon
    inside = np.zeros(photo.shape[:2], bool)
    for place in regions:
        row, column = place.corner
        end = row + place.side, column + place.side
        inside[max(row, 0) : max(end[0], 0), max(column, 0) : max(end[1], 0)] = True
    assert difference[~inside].max(initial=0) == 0
    if epsilon >= 1 and inside.any():
        assert (difference[inside] > 0).mean() > 0.5


def test_random_faces_keep_the_bound_too():
    rng = np.random.default_rng(3)
    for _ in range(40):
        photo = rng.integers(0, 256, (*rng.integers(1, 200, 2), 3), dtype=np.uint8)
        regions = [
            region(
                photo,
                placed(rng.uniform(0.05, 4), rng.uniform(-180, 180), rng.uniform(-80, 280, 2)),
            )
            for _ in range(rng.integers(1, 4))
        ]
        epsilon = rng.uniform(0, 20)
        masks = [noise(int(rng.integers(9)), 15) for _ in regions]
        difference = np.abs(add_masks(photo, masks, regions, epsilon).astype(int) - photo)
        assert difference.max() <= epsilon


def test_a_mask_is_rounded_to_the_nearest_and_those_of_two_faces_are_added():
    photo = np.full((REGION, REGION, 3), 100, np.uint8)
    place = region(photo, placed(1, 0, (111.5, 111.5)))
    assert place.corner == (0, 0) and place.reduction == 1
    mask = np.zeros((REGION, REGION, 3), np.float32)
    mask[0, :5, 0] = [2.6, -2.6, 2.4, -0.4, 30]
    changed = add_masks(photo, [mask], [place], 12)
    assert changed[0, :5, 0].tolist() == [103, 97, 102, 100, 112]
    assert (changed.reshape(-1)[15:] == 100).all()
    assert add_masks(photo, [mask] * 2, [place] * 2, 12)[0, :3, 0].tolist() == [105, 95, 105]


@pytest.mark.parametrize("most", [0, 2.5, 4, 12])
def test_channels_change_alike_in_light_and_dark_and_where_masks_meet(most):
    rng = np.random.default_rng(5)
    photo = rng.choice(np.array([0, 2, 128, 252, 255], np.uint8), (300, 300, 3))
    photo[:20] = 255
    regions = [
        region(photo, matrix) for matrix in (placed(2.5, 5, (150, 150)), FACES["upright"][0])
    ]
    assert [place.reduction for place in regions] == [2, 1]
    grey = rng.uniform(-9, 9, (2, REGION, REGION, 1))
    masks = (grey + rng.uniform(-most, most, (2, REGION, REGION, 3))).astype(np.float32)
    change = add_masks(photo, masks, regions, 12, most).astype(int) - photo
    assert np.abs(change).max() == 12
    assert np.ptp(change, axis=-1).max() == math.floor(2 * most)
    # One mask alone, where no channel meets its limit, is the same without the bound.
    grey = np.full_like(photo, 128)
    alone = [add_masks(grey, masks[1:], regions[1:], 12, bound) for bound in (most, 255)]
    np.testing.assert_array_equal(*alone)


@pytest.mark.parametrize("scale", [1, 2.5])
def test_the_crop_of_the_protected_photo_shows_the_mask_of_the_region(scale):
    pixels = cv2.resize(read_photo(PHOTO).pixels, None, fx=2, fy=2)
    photo = np.clip(pixels, 20, 235)  # where nothing is clipped
    matrix = placed(scale, 7, (250.3, 249.1))
    place = region(photo, matrix)
    mask = np.clip(cv2.GaussianBlur(noise(4), (0, 0), 1.0) * 2, -12, 12)
    shown = crop(add_masks(photo, [mask], [place], 12), matrix) - crop(photo, matrix)
    grey = np.full((REGION, REGION, 3), 128, np.float32)
    expected = cv2.warpAffine(grey + mask, place.matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR) - 128
    assert np.sqrt(np.mean((shown - expected) ** 2) / np.mean(expected**2)) < 0.15


@pytest.mark.parametrize("epsilon", [-1, 256, math.nan])
def test_a_bound_that_is_none_is_refused(epsilon):
    with pytest.raises(ValueError, match="epsilon is"):
        add_masks(np.zeros((9, 9, 3), np.uint8), [], [], epsilon)


def test_masks_that_do_not_fit_the_faces_are_refused():
    photo = np.zeros((9, 9, 3), np.uint8)
    place = region(photo, placed(1, 0, (4, 4)))
    with pytest.raises(ValueError, match="2 masks came with 1 regions"):
        add_masks(photo, [noise(0)] * 2, [place], 12)
    with pytest.raises(ValueError, match="NaN"):
        add_masks(photo, [np.full((REGION, REGION, 3), np.nan)], [place], 12)
