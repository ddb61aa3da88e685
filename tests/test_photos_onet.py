"""O-Net's landmarks are another opinion of the same face, and as good a one."""

import numpy as np
import pytest

from tipim_jax.datasets import bundled as people
from tipim_jax.identification.recogniser import Recogniser
from tipim_jax.networks import get
from tipim_jax.photos import TEMPLATE, Face, central_face, crop, read_photo, similarity
from tipim_jax.photos.onet import OnetDetector
from weights_convert import ConversionError, obtain
from weights_convert.onet import load_onet, read_onet

IDENTITIES = people.identities()[:8]


@pytest.fixture(scope="module")
def other(detector):
    return OnetDetector(detector, load_onet())


def person(index, photo=0):
    return read_photo(people.photos(IDENTITIES[index])[photo]).pixels


def test_landmarks_lie_a_few_pixels_from_those_of_the_other_detector(detector, other):
    """And in the order of the template, which they then lie on as well as the others do."""
    away, off = [], []
    for index in range(len(IDENTITIES)):
        pixels = person(index)
        first, second = (central_face(d.detect(pixels), pixels) for d in (detector, other))
        matrix = similarity(first.landmarks)
        apart = (second.landmarks - first.landmarks) @ matrix[:, :2].T
        away.append(np.linalg.norm(apart, axis=1).mean())
        own = similarity(second.landmarks)
        aligned = second.landmarks @ own[:, :2].T + own[:, 2]
        off.append(np.linalg.norm(aligned - TEMPLATE, axis=1).mean())
        assert second.score > 0.9
        middle = second.box[:2] + second.box[2:] / 2
        assert (np.abs(middle - first.box[:2] - first.box[2:] / 2) < first.box[2:] / 5).all()
    assert 1 < np.mean(away) < 4
    assert np.mean(off) < 4


def test_people_are_recognised_by_crops_that_it_aligned(detector, other):
    """Among photos that the usual detector aligned."""

    def crops(found_by, photo):
        faces = []
        for index in range(len(IDENTITIES)):
            pixels = person(index, photo)
            face = central_face(found_by.detect(pixels), pixels)
            faces.append(crop(pixels, similarity(face.landmarks)))
        return np.stack(faces)

    recogniser = Recogniser.load("mobileface")
    probes, gallery = (
        found / np.linalg.norm(found, axis=1, keepdims=True)
        for found in map(recogniser, (crops(other, 0), crops(detector, 1)))
    )
    cosines = probes @ gallery.T
    assert (cosines.argmax(axis=1) == np.arange(len(IDENTITIES))).all()
    assert np.diag(cosines).min() > get("mobileface").threshold


def test_a_face_that_reaches_out_of_the_photo_is_found_in_its_place(other):
    pixels = person(0)
    whole = central_face(other.detect(pixels), pixels)
    left, top = (whole.box[:2] + whole.box[2:] * 0.12).astype(int)
    part = np.ascontiguousarray(pixels[top:, left:])
    (face,) = other.detect(part)
    moved = whole.landmarks - np.array([left, top])
    assert np.abs(face.landmarks - moved).max() < 0.1 * whole.box[2]


def test_where_there_is_no_face_none_is_found(other):
    assert other.detect(np.full((200, 200, 3), 90, np.uint8)) == []


def test_what_is_no_face_for_it_is_left_out():
    class Everywhere:
        def detect(self, pixels):
            return [Face(np.array([20.0, 30.0, 60.0, 80.0]), TEMPLATE, 1.0)]

    found = OnetDetector(Everywhere(), load_onet()).detect(np.full((200, 200, 3), 90, np.uint8))
    assert found == []


def test_weights_of_another_network_are_refused():
    with pytest.raises(ConversionError, match=r"dense5\.weight: not in the file"):
        read_onet(obtain(get("mobileface").weights))
