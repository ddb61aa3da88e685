"""What filters make of a photo."""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter, median_filter

from tipim_jax.datasets import bundled as people
from tipim_jax.photos import read_photo
from tipim_jax.photos.filters import FILTERS

PERSON = read_photo(people.photos("Person_001")[0]).pixels[60:180, 50:190]
BY_NAME = {str(one): one for one in FILTERS}


@pytest.mark.parametrize("name", BY_NAME)
def test_a_filter_changes_a_photo_a_little_the_same_each_time_and_its_argument_never(name):
    before = PERSON.copy()
    found = BY_NAME[name](before)
    np.testing.assert_array_equal(before, PERSON)
    np.testing.assert_array_equal(found, BY_NAME[name](PERSON))
    assert found.shape == PERSON.shape and found.dtype == np.uint8
    away = np.abs(found.astype(int) - PERSON).mean()
    assert 0.1 < away < 30
    tiny = PERSON[:3, :2]
    assert BY_NAME[name](tiny).shape == tiny.shape


def test_blurs_and_medians_are_those_of_scipy():
    for deviation in (1, 2):
        expected = gaussian_filter(PERSON.astype(float), (deviation, deviation, 0), mode="mirror")
        found = BY_NAME[f"Gaussian blur {deviation}"](PERSON)
        assert np.abs(found - expected).max() <= 1.5
    for side in (3, 5):
        expected = median_filter(PERSON, (side, side, 1), mode="nearest")
        np.testing.assert_array_equal(BY_NAME[f"median {side}x{side}"](PERSON), expected)


def test_noise_has_its_deviation_and_32_levels_are_32():
    grey = np.full((200, 200, 3), 128, np.uint8)
    assert np.std(BY_NAME["noise 4"](grey).astype(int) - 128) == pytest.approx(4, rel=0.02)
    every = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    found = BY_NAME["32 levels"](every)
    assert len(np.unique(found)) == 32 and np.abs(found.astype(int) - every).max() <= 4


def test_what_smooths_leaves_less_grain_and_what_sharpens_more():
    def grain(pixels):
        return np.abs(np.diff(pixels.astype(int), axis=1)).mean()

    smooth = [name for name in BY_NAME if name.startswith(("Gaussian", "median", "bilateral"))]
    for name in (*smooth, "non-local means", "half the size and back"):
        assert grain(BY_NAME[name](PERSON)) < grain(PERSON), name
    assert grain(BY_NAME["sharpened"](PERSON)) > grain(PERSON)


def test_colours_are_changed_as_phones_change_them():
    yellowish = (PERSON * [1, 0.9, 0.7]).astype(np.uint8)
    means = BY_NAME["white balance"](yellowish).mean(axis=(0, 1))
    assert np.ptp(means) < 2 < np.ptp(yellowish.mean(axis=(0, 1)))
    dull = (PERSON * 0.4 + 60).astype(np.uint8)
    assert np.ptp(BY_NAME["automatic contrast"](dull)) > 240
    grey = np.array(Image.fromarray(PERSON).convert("L")).std()
    assert np.array(Image.fromarray(BY_NAME["contrast 1.3"](PERSON)).convert("L")).std() > grey
