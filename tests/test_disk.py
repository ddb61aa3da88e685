"""Files on disks of all systems."""

import os
import re
from pathlib import Path

import cv2
import pytest

import tipim_jax
from tipim_jax import disk
from tipim_jax.datasets import bundled
from tipim_jax.photos import YUNET, FaceDetector, read_photo, write_whole
from weights_convert import cache, obtain

PERSON = bundled.photos("Person_001")[0]


@pytest.fixture
def held(monkeypatch):
    """Files are held by another program for so many attempts to move something."""
    real, waits = os.replace, []  # noqa: TID251
    monkeypatch.setattr(disk.time, "sleep", waits.append)

    def hold(times):
        left = [times]

        def replace(source, place):
            left[0] -= 1
            if left[0] >= 0:
                raise PermissionError(13, "Access is denied", str(place))
            real(source, place)

        monkeypatch.setattr(os, "replace", replace)
        return waits

    return hold


def _written(place):
    with write_whole(place) as stream:
        stream.write(b"new")


def _put(place):
    with cache.workshop() as folder:
        (folder / "new").write_bytes(b"new")
        cache.put(folder / "new", place)


@pytest.mark.parametrize("write", [_written, _put])
def test_a_file_that_a_scanner_holds_for_a_moment_is_replaced(write, held, tmp_path):
    place = tmp_path / "file"
    place.write_bytes(b"old")
    waits = held(3)
    write(place)
    assert place.read_bytes() == b"new"
    assert len(waits) == 3 and sum(waits) < 1


def test_a_file_that_stays_held_is_an_error_and_stays_as_it_was(held, tmp_path):
    place = tmp_path / "file"
    place.write_bytes(b"old")
    waits = held(1000)
    with pytest.raises(PermissionError):
        _written(place)
    assert sum(waits) > 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert place.read_bytes() == b"old"


def test_nothing_is_moved_another_way():
    ours = Path(tipim_jax.__file__).parent
    files = [*ours.rglob("*.py"), *(ours.parent / "weights_convert").rglob("*.py")]
    moves = re.compile(r"os\.re(place|name)|shutil\.move|\.rename\(")
    assert [file.name for file in files if moves.search(file.read_text("utf-8"))] == ["disk.py"]


def test_the_detector_opens_its_model_itself(tmp_path, monkeypatch):
    """OpenCV's own fopen on Windows finds nothing below a name that is not in its code page."""
    place = tmp_path / "José 王" / "model.onnx"
    place.parent.mkdir()
    place.write_bytes(obtain(YUNET).read_bytes())
    create, given = cv2.FaceDetectorYN.create, []
    monkeypatch.setattr(
        cv2.FaceDetectorYN, "create", lambda *a, **how: given.extend(a) or create(*a, **how)
    )
    faces = FaceDetector(place).detect(read_photo(PERSON).pixels)
    assert len(faces) == 1
    assert not [part for part in given if isinstance(part, str) and "model" in part]
