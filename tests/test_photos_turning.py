"""Faces are found whichever way up they are, with the landmarks that they have when upright."""

import dataclasses

import cv2
import numpy as np
import pytest

from tipim_jax.datasets import bundled as people
from tipim_jax.networks.window import WINDOWS
from tipim_jax.photos import Face, FaceDetector, look, read_photo
from tipim_jax.photos.face import quarter_turn
from tipim_jax.photos.onet import OnetDetector, second_opinion
from tipim_jax.photos.turning import upright
from weights_convert.onet import load_onet

PERSON, OTHER = (read_photo(people.photos(name)[0]).pixels for name in ("Person_001", "Person_006"))


def apart(face, landmarks):
    """Mean distance of a face's landmarks from others, in pixels of the canonical crop."""
    scale = np.hypot(*face.matrix[:, 0])
    return scale * np.linalg.norm(face.landmarks - landmarks, axis=1).mean()


def turned(pixels, turns):
    return np.ascontiguousarray(np.rot90(pixels, turns))


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_photo_that_lies_on_its_side_gives_the_landmarks_of_the_upright_one(detector, turns):
    (there,) = detector.detect(PERSON)
    (found,) = detector.detect(turned(PERSON, turns))
    expected = there.moved(quarter_turn(PERSON.shape[:2], turns))
    assert apart(found, expected.landmarks) < 2.5
    assert found.is_same(expected, 0.7)
    assert found.quarter_turns == -turns % 4 and there.quarter_turns == 0


@pytest.mark.parametrize("degrees", [-60, 30, 45, 150])
def test_a_face_that_leans_gives_the_landmarks_of_the_upright_one(detector, degrees):
    turn = cv2.getRotationMatrix2D((124.5, 124.5), -degrees, 1)
    leaning = cv2.warpAffine(PERSON, turn, (250, 250), borderMode=cv2.BORDER_REFLECT_101)
    expected = detector.detect(PERSON)[0].landmarks @ turn[:, :2].T + turn[:, 2]
    found = min(detector.detect(leaning), key=lambda face: apart(face, expected))
    assert apart(found, expected) < 3.5
    assert abs(found.roll - degrees) < 10


def test_a_face_that_is_upright_keeps_the_landmarks_that_it_was_found_with(detector, monkeypatch):
    found = detector.detect(PERSON)[0]
    monkeypatch.setattr("tipim_jax.photos.detection.upright", lambda *arguments: arguments[3])
    np.testing.assert_array_equal(detector.detect(PERSON)[0].landmarks, found.landmarks)


def test_each_face_of_a_photo_is_turned_by_itself(detector):
    """Three are upright, one is upside down; a whole photo of them lies on its side too."""
    both = np.hstack([PERSON, turned(OTHER, 2)])
    photo = np.vstack([both, np.hstack([OTHER, PERSON])])
    assert sorted(face.quarter_turns for face in detector.detect(photo)) == [0, 0, 0, 2]
    assert sorted(face.quarter_turns for face in detector.detect(turned(photo, 1))) == [1, 3, 3, 3]


def test_a_reflection_and_a_framed_photo_are_faces_of_their_own_each_once(detector):
    """In water below a face, and on the wall behind; of a photo of which all else is turned too."""
    photo = np.full((520, 400, 3), 90, np.uint8)
    photo[10:260, 20:270] = PERSON
    photo[260:510, 20:270] = PERSON[::-1]
    photo[20:110, 300:390] = cv2.resize(OTHER, (90, 90), interpolation=cv2.INTER_AREA)
    for turns, ways in ((0, [0, 0, 2]), (2, [0, 2, 2])):
        faces = detector.detect(turned(photo, turns))
        assert sorted(face.quarter_turns for face in faces) == ways
        assert not any(one.is_same(other, 0.1) for one in faces for other in faces if one != other)


def test_a_face_that_several_searches_lead_to_is_there_once(detector, monkeypatch):
    """Of the photo as it is, and turned."""
    there = detector.detect(PERSON)[0].moved(quarter_turn((250, 250), 1))
    monkeypatch.setattr("tipim_jax.photos.detection.upright", lambda *_: there)
    (found,) = detector.detect(np.hstack([OTHER, PERSON]))
    np.testing.assert_array_equal(found.landmarks, there.landmarks)


def test_a_turned_face_of_which_the_opinions_differ_is_unsure(detector):
    photo = turned(PERSON, 1)
    as_found = detector.detect(PERSON)[0].moved(quarter_turn((250, 250), 1))
    # As YuNet alone reports it: upright landmarks in the right box.
    wrong = dataclasses.replace(as_found, landmarks=detector.detect(PERSON)[0].landmarks)

    def elsewhere(pixels, face):
        return dataclasses.replace(face, landmarks=face.landmarks + face.box[2], score=1.0)

    yunet = detector._yunet
    assert upright(yunet, second_opinion, photo, wrong).quarter_turns == 3
    assert upright(yunet, elsewhere, photo, wrong) is None


def test_faces_that_are_unsure_are_told_apart_from_the_others(detector, monkeypatch):
    monkeypatch.setattr("tipim_jax.photos.detection.upright", lambda *arguments: None)
    found = detector.find(PERSON)
    assert found.faces == [] and len(found.unsure) == 1
    assert detector.detect(PERSON) == []


def test_a_photo_with_an_upright_face_is_searched_one_way_up_alone(detector, monkeypatch):
    """So are its costs those of one search; others are turned."""
    ways, rows = [], FaceDetector._rows

    def counted(self, pixels, **options):
        ways.append(pixels.shape)
        return rows(self, pixels, **options)

    monkeypatch.setattr(FaceDetector, "_rows", counted)
    detector.detect(PERSON[:200])
    assert ways == [(200, 250, 3)]
    detector.detect(np.full((200, 250, 3), 90, np.uint8))
    assert ways[1:] == [(200, 250, 3), (250, 200, 3), (200, 250, 3), (250, 200, 3)]


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_photo_is_shown_to_networks_as_the_upright_one_is(name, turns):
    landmarks = np.array([[95, 110], [140, 108], [117, 135], [99, 160], [138, 158]], np.float32)
    face = Face(np.array([80, 70, 75, 110], np.float32), landmarks, 1.0)
    there = face.moved(quarter_turn(PERSON.shape[:2], turns))
    seen = [
        look(pixels, one, WINDOWS[name], (80, 70))
        for pixels, one in ((PERSON, face), (turned(PERSON, turns), there))
    ]
    assert np.abs(seen[0] - seen[1]).mean() < 0.5


def test_the_other_detector_sees_a_turned_face_upright_too(detector):
    other = OnetDetector(detector, load_onet())
    (there,), (found,) = other.detect(PERSON), other.detect(turned(PERSON, 1))
    assert apart(found, there.moved(quarter_turn((250, 250), 1)).landmarks) < 3


@pytest.mark.parametrize("turns", range(4))
def test_a_quarter_turn_moves_a_pixel_where_numpy_does(turns):
    photo = np.zeros((30, 50), np.uint8)
    photo[4:10, 20:40] = 1
    face = Face(np.array([20, 4, 20, 6], np.float32), np.ones((5, 2), np.float32), 1.0)
    left, top, width, height = face.moved(quarter_turn((30, 50), turns)).box.astype(int)
    part = np.rot90(photo, turns)
    assert part.sum() == part[top : top + height, left : left + width].sum() == width * height
