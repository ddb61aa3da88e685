"""The small pictures on the page."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from tests.report_cases import photo, results
from tipim_jax import report


def opened(address):
    kind, data = address.removeprefix("data:").split(";base64,")
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert image.get_format_mimetype() == kind
    return np.asarray(image)


def test_the_mask_picture_is_mid_grey_plus_ten_times_the_difference():
    original = np.full((100, 100, 3), 100, np.uint8)
    protected = original.copy()
    protected[40:60, 40:60] = (112, 88, 101)
    protected[45, 45] = (200, 0, 100)
    shown = opened(report.face_pictures(original, protected, (40, 40, 20, 20)).mask.address)
    assert shown.shape == (36, 36, 3)  # 1.8 faces wide: from 32 to 68
    assert shown[0, 0].tolist() == [128, 128, 128]
    assert shown[9, 9].tolist() == [248, 8, 138]
    assert shown[13, 13].tolist() == [255, 0, 128]


def test_pictures_show_the_surroundings_of_the_face_within_the_photo():
    original = np.zeros((300, 400, 3), np.uint8)
    original[200:300, 300:400] = (250, 10, 20)
    shown = report.face_pictures(original, original, (300, 200, 100, 100))
    assert (shown.original.width, shown.original.height) == (180, 180)
    image = opened(shown.original.address)
    assert image[175, 175, 0] > 240  # the corner of the photo is the corner of the picture
    assert image[20, 20, 0] < 10


def test_large_faces_are_scaled_down_and_small_ones_are_not_scaled_up():
    large = report.picture(np.zeros((3000, 1500, 3), np.uint8))
    assert large.height <= 256
    assert large.width == round(large.height / 2)
    assert opened(large.address).shape == (large.height, large.width, 3)
    assert report.picture(np.zeros((20, 30, 3), np.uint8)).width == 30


def test_sixty_photos_of_noise_stay_below_six_megabytes():
    random = np.random.default_rng(2)
    original = random.integers(60, 190, (250, 250, 3)).astype(np.uint8)
    original = np.asarray(Image.fromarray(original).resize((40, 40)).resize((250, 250)))
    mask = np.zeros(original.shape, np.int16)
    mask[50:200, 60:190] = random.integers(-12, 13, (150, 130, 3))
    protected = np.clip(original + mask, 0, 255).astype(np.uint8)
    shown = report.face_pictures(original, protected, (75, 70, 100, 125))
    photos = [photo(i) for i in range(60)]
    html = report.report(results(photos), {p.output: (shown,) for p in photos}, {})
    assert len(html) < 6_000_000


def test_pictures_of_another_kind_are_refused():
    with pytest.raises(ValueError, match=r"float32\[9, 9, 3\], expected uint8"):
        report.picture(np.zeros((9, 9, 3), np.float32))
    with pytest.raises(ValueError, match="must be one size"):
        report.face_pictures(
            np.zeros((9, 9, 3), np.uint8), np.zeros((9, 8, 3), np.uint8), (0, 0, 5, 5)
        )
