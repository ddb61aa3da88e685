"""What happens to a posted photo."""

import io

import numpy as np
import pytest
from PIL import Image

from tipim_jax.datasets import bundled as people
from tipim_jax.photos import read_photo
from tipim_jax.photos.posting import AS_SAVED, POSTINGS, Posting

PERSON = read_photo(people.photos("Person_001")[0]).pixels


def test_a_photo_as_it_was_saved_is_the_photo():
    np.testing.assert_array_equal(AS_SAVED(PERSON), PERSON)


def test_jpeg_is_what_pillow_makes_with_colour_at_half_the_resolution():
    stream = io.BytesIO()
    Image.fromarray(PERSON).save(stream, "JPEG", quality=75, subsampling=2)
    found = Posting(quality=75)(PERSON)
    np.testing.assert_array_equal(found, np.asarray(Image.open(stream)))
    assert found.shape == PERSON.shape and (found != PERSON).any()


def test_lower_quality_changes_more():
    changes = [
        np.abs(Posting(quality=quality)(PERSON).astype(int) - PERSON).mean()
        for quality in (95, 90, 75, 50)
    ]
    assert changes == sorted(changes) and changes[0] > 0


@pytest.mark.parametrize(
    ("shape", "scale", "expected"),
    [((250, 250), 0.75, (188, 188)), ((101, 60), 0.5, (50, 30)), ((1, 7), 0.5, (1, 4))],
)
def test_both_sides_are_scaled_before_anything_is_compressed(shape, scale, expected):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    scaled = Posting(scale=scale)(pixels)
    assert scaled.shape == (*expected, 3) and scaled.dtype == np.uint8
    np.testing.assert_array_equal(
        Posting(scale=scale, quality=50)(pixels), Posting(quality=50)(scaled)
    )


def test_grey_has_equal_channels_with_the_luma():
    red, green, blue = np.moveaxis(found := Posting(grey=True)(PERSON), 2, 0)
    assert found.shape == PERSON.shape
    assert (red == green).all() and (green == blue).all()
    luma = PERSON @ (0.299, 0.587, 0.114)  # ITU-R BT.601-7, 2.5.1
    assert np.abs(red - luma).max() <= 1


def test_every_scale_meets_every_quality_and_there_is_grey():
    names = [str(posting) for posting in (AS_SAVED, *POSTINGS)]
    assert len(names) == len(set(names)) == 19
    assert names[:2] == ["as saved", "JPEG 95"]
    assert names[-2:] == ["scaled to 0.5, JPEG 30", "grey"]


def test_a_photo_that_jpeg_cannot_hold_is_refused():
    with pytest.raises(ValueError, match="is 65501x1; JPEG holds sides of 65500 at most"):
        Posting(quality=75)(np.zeros((1, 65501, 3), np.uint8))
    assert Posting(quality=75)(np.zeros((1, 65500, 3), np.uint8)).shape == (1, 65500, 3)
