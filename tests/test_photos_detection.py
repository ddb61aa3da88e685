"""Faces are found, wherever and however large they are, and again after protection."""

import concurrent.futures

import cv2
import numpy as np
import pytest

from tipim_jax.datasets import bundled as people
from tipim_jax.photos import (
    REGION,
    TEMPLATE,
    YUNET,
    FaceDetector,
    add_masks,
    read_photo,
    region,
    similarity,
)
from tipim_jax.photos.yunet import YuNet
from weights_convert import obtain

PEOPLE = [photo for identity in people.identities() for photo in people.photos(identity)]
PERSON = people.photos("Person_001")[0]


def person(index=0):
    return read_photo(PEOPLE[index]).pixels


def resized(pixels, side):
    how = cv2.INTER_AREA if side < len(pixels) else cv2.INTER_CUBIC
    return cv2.resize(pixels, (side, side), interpolation=how)


@pytest.mark.thorough
def test_the_face_is_found_in_every_bundled_photo(detector):
    """Each is centred on its one face, so that says where it has to be."""
    for path in PEOPLE:
        faces = detector.detect(read_photo(path).pixels)
        assert faces, path
        middle = faces[0].box[:2] + faces[0].box[2:] / 2
        assert np.abs(middle - 125).max() < 40, path
        assert 60 < faces[0].box[2] < 200, path


def test_landmarks_come_in_the_order_of_the_template(detector):
    """An upright face needs hardly any turning, and its points then lie on the template's."""
    for index in range(0, 60, 7):
        landmarks = detector.detect(person(index))[0].landmarks
        matrix = similarity(landmarks)
        assert abs(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))) < 25
        away = landmarks @ matrix[:, :2].T + matrix[:, 2] - TEMPLATE
        assert np.sqrt((away**2).sum(axis=1).mean()) < 6


@pytest.mark.parametrize("side", [48, 112, 250, 600, 2000])
def test_a_face_is_found_at_every_size(detector, side):
    pixels = person()
    expected = detector.detect(pixels)[0].landmarks
    faces = detector.detect(resized(pixels, side))
    assert len(faces) == 1
    scaled = (faces[0].landmarks + 0.5) * 250 / side - 0.5
    assert np.abs(scaled - expected).max() < 8


def test_a_face_that_fills_the_photo_is_found(detector):
    x, y, width, height = detector.detect(person())[0].box.astype(int)
    assert len(detector.detect(person()[y : y + height, x : x + width])) == 1


def test_small_faces_are_found_in_a_large_photo_the_largest_first(detector):
    photo = np.full((2000, 3000, 3), 90, np.uint8)
    for side, (x, y) in {80: (2600, 1700), 140: (1500, 300), 500: (200, 900)}.items():
        photo[y : y + side, x : x + side] = resized(person(), side)
    faces = detector.detect(photo)
    middles = [face.box[:2] + face.box[2:] / 2 for face in faces]
    np.testing.assert_allclose(middles, [(450, 1150), (1570, 370), (2640, 1740)], atol=60)


@pytest.mark.parametrize("width", [26, 34, 60])
def test_small_faces_are_found_all_over_a_large_photo_each_once(detector, width):
    """Across the borders of tiles too."""
    side = round(250 * width / detector.detect(person())[0].box[2])
    photo = np.full((1200, 3100, 3), 90, np.uint8)
    corners = [(x, y) for y in (20, 540, 1200 - side) for x in range(9, 3100 - side, 250)]
    for x, y in corners:
        photo[y : y + side, x : x + side] = resized(person(), side)
    faces = detector.detect(photo)
    found = {tuple(((face.middle - (9, 20)) / (250, 520)).round().astype(int)) for face in faces}
    assert len(found) == len(faces) >= 0.95 * len(corners)


def test_no_search_takes_the_memory_of_a_large_photo(detector, monkeypatch):
    sizes, search = [], YuNet.search

    def noted(self, picture, *arguments, **options):
        sizes.append(max(picture.shape[:2]))
        return search(self, picture, *arguments, **options)

    monkeypatch.setattr(YuNet, "search", noted)
    detector.detect(np.full((900, 1400, 3), 90, np.uint8))
    assert sizes[0] == 1400 and sizes.count(1400) == 4  # one of each way up
    sizes.clear()
    detector.detect(np.full((1500, 4200, 3), 90, np.uint8))
    assert max(sizes) <= 1448


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 4000), (4000, 1), (2, 3), (20, 20), (33, 31), (3, 200), (0, 5)]
)
def test_photos_too_small_for_a_face_hold_none(detector, shape):
    assert detector.detect(np.full((*shape, 3), 77, np.uint8)) == []


def test_the_same_pixels_give_the_same_faces_from_any_thread(detector):
    photos = [person(index) for index in range(6)] * 3
    alone = [detector.detect(photo)[0].landmarks for photo in photos]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        together = [faces[0].landmarks for faces in pool.map(detector.detect, photos)]
    np.testing.assert_array_equal(alone, together)


def test_a_mirrored_photo_gives_mirrored_landmarks(detector):
    pixels = resized(person(), 500)
    there = detector.detect(pixels)[0].landmarks
    back = detector.detect(np.ascontiguousarray(pixels[:, ::-1]))[0].landmarks[[1, 0, 2, 4, 3]]
    back[:, 0] = 499 - back[:, 0]
    assert np.abs(there - back).max() < 5


def test_a_protected_face_is_found_again_in_its_place(detector):
    rng = np.random.default_rng(0)
    moved = []
    for index in range(0, 120, 10):
        pixels = person(index)
        face = detector.detect(pixels)[0]
        matrix = similarity(face.landmarks)
        mask = rng.uniform(-12, 12, (REGION, REGION, 3))
        again = detector.detect(add_masks(pixels, [mask], [region(pixels, matrix)], 12))[0]
        away = (again.landmarks - face.landmarks) @ matrix[:, :2].T
        moved.append(np.sqrt((away**2).sum(axis=1).mean()))
    assert np.median(moved) < 2
    assert max(moved) < 6


def test_nothing_is_printed(capfd):
    FaceDetector(obtain(YUNET)).detect(person())
    assert capfd.readouterr() == ("", "")


def test_a_file_that_is_no_detector_is_refused(tmp_path, capfd):
    with pytest.raises(ValueError, match=r"no face detector at .*nowhere"):
        FaceDetector(tmp_path / "nowhere.onnx")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"\x08\x07not a network")
    with pytest.raises(ValueError, match=r"broken.onnx is no YuNet"):
        FaceDetector(broken)
    capfd.readouterr()  # OpenCV says on stderr what it thinks of such a file


@pytest.mark.parametrize("pixels", [np.zeros((9, 9, 4), np.uint8), np.zeros((9, 9, 3), np.float32)])
def test_pixels_of_another_kind_are_refused(detector, pixels):
    with pytest.raises(ValueError, match="takes uint8 pixels"):
        detector.detect(pixels)
