"""Where faces are, and their crops, are found once and kept by the photo's content."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tipim_jax import photos
from tipim_jax.datasets import FaceSet
from tipim_jax.datasets.crops import CropCache, aligner_version
from tipim_jax.networks import WINDOWS
from tipim_jax.photos import NO_FACE, YUNET, FaceDetector, central_face, decode_photo, look
from weights_convert import obtain

BUNDLED = FaceSet.bundled()
CONTENT = BUNDLED.read(BUNDLED.photos[0])


@pytest.fixture
def kept(tmp_path):
    return CropCache(tmp_path / "crops", obtain(YUNET))


def test_a_photo_is_looked_at_through_any_window_without_searching_it_anew(kept, searches):
    pixels = decode_photo(CONTENT, "photo").pixels
    central = kept.align(CONTENT, "photo").face
    found = kept.faces(CONTENT, "photo")
    assert len(searches) == 1
    expected = FaceDetector(kept.detector).detect(pixels)
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.box, other.box)
        np.testing.assert_array_equal(one.landmarks, other.landmarks)
        assert one.score == pytest.approx(other.score)
        for window in WINDOWS.values():
            shown, wanted = (look(pixels, face, window, (160, 160)) for face in (one, other))
            np.testing.assert_array_equal(shown, wanted)
    np.testing.assert_array_equal(central.box, central_face(expected, pixels).box)


def test_that_there_is_no_face_is_kept_too(kept, searches):
    grey = io.BytesIO()
    Image.fromarray(np.full((250, 250, 3), 128, np.uint8)).save(grey, "PNG")
    for _ in range(2):
        assert kept.faces(grey.getvalue(), "grey") == ()
        assert kept.align(grey.getvalue(), "grey") == NO_FACE
    assert len(searches) == 1


@pytest.mark.parametrize("keep", [0, 30, -30])
def test_a_damaged_file_is_made_again(keep, kept, searches):
    expected = kept.align(CONTENT, "photo")
    (file,) = kept.folder.rglob("*.npz")
    content = file.read_bytes()
    changed = bytearray(content)
    changed[len(content) // 2] ^= 1
    file.write_bytes(content[:keep] or bytes(changed))
    found = kept.align(CONTENT, "photo")
    np.testing.assert_array_equal(found.crop, expected.crop)
    np.testing.assert_array_equal(found.face.landmarks, expected.face.landmarks)
    assert len(searches) == 2
    assert file.read_bytes() == content


@pytest.mark.parametrize("name", ["detection", "metadata", "formats", "region"])
def test_what_other_code_found_is_not_taken(name, tmp_path, monkeypatch):
    """Metadata say which way up a photo is, formats what reads it."""
    code = Path(shutil.copytree(Path(photos.__file__).parent, tmp_path / "photos"))
    monkeypatch.setattr(photos, "__file__", str(code / "__init__.py"))
    version = aligner_version.__wrapped__
    before = version()
    with open(code / f"{name}.py", "a") as file:
        file.write("# otherwise")
    assert version() != before
