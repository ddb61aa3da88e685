"""What is known of a photo when it is read back."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tipim_jax.attack.saved import ProtectedPhoto, read_back
from tipim_jax.photos import TEMPLATE, Face, PhotoFile

FACE = Face(np.array([20, 20, 60, 60], np.float32), TEMPLATE.astype(np.float32), 0.9)
MOVED = dataclasses.replace(FACE, landmarks=FACE.landmarks + 1)
ELSEWHERE = dataclasses.replace(FACE, box=FACE.box + 50)


@pytest.mark.parametrize(
    ("sure", "unsure", "expected"),
    [
        ([MOVED, ELSEWHERE], [], MOVED),
        ([], [MOVED], FACE),
        ([ELSEWHERE], [MOVED], FACE),
        ([ELSEWHERE], [], None),
        ([], [], None),
    ],
)
def test_only_a_face_that_is_found_in_no_way_counts_as_lost(tmp_path, sure, unsure, expected):
    """Otherwise it would count as one that nobody recognises."""
    path = tmp_path / "a.png"
    Image.new("RGB", (120, 120), "grey").save(path)
    photo = ProtectedPhoto(PhotoFile(path, Path("a.png")), path, (FACE,), (None,))
    detector = SimpleNamespace(find=lambda pixels: (sure, unsure))
    saved, _, (after,) = read_back(photo, detector, with_pictures=False)
    assert saved.found == (expected is not None,)
    assert (after and after.face) is expected
