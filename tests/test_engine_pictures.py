"""Pictures of callers become the pixels that their files would."""

import numpy as np
import pytest
from PIL import Image

from tipim_jax.engine.pictures import pixels_of

LEVELS = np.linspace(0, 65535, 96).astype(np.uint16).reshape(8, 12)


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray(LEVELS),
        Image.fromarray(LEVELS.astype(np.int32)),
        Image.fromarray((LEVELS >> 8).astype(np.uint8)),
        Image.fromarray((LEVELS >> 8).astype(np.uint8)).convert("P"),
    ],
    ids=lambda image: image.mode,
)
def test_an_open_picture_gives_what_its_file_does(image, tmp_path):
    image.save(tmp_path / "a.tif")
    found = pixels_of(image).pixels
    np.testing.assert_array_equal(found, pixels_of(tmp_path / "a.tif").pixels)
    assert len(np.unique(found)) == 96


def test_levels_that_are_no_whole_numbers_are_refused():
    with pytest.raises(ValueError, match="save it with 8 or 16 bits"):
        pixels_of(Image.new("F", (9, 9), 0.5))
