"""Whose faces are masked: by their size, and by whose they are. Networks are made up here."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tipim_jax.engine import journal as journals
from tipim_jax.engine.choosing import Chooser, Chosen
from tipim_jax.engine.found import FaceOutcome, FoundPhoto, WrittenPhoto
from tipim_jax.engine.loop import Mask
from tipim_jax.engine.protector import Protector
from tipim_jax.engine.stream import PhotoStream
from tipim_jax.photos import NO_FACE, UNSURE, Face, PhotoError
from tipim_jax.photos.detection import Found

LANDMARKS = np.array([[48, 60], [80, 60], [64, 78], [50, 95], [78, 95]], np.float32)


def face(left, side=60, height=None):
    """People differ in how red the photo is there."""
    return Face(np.array([left, 30, side, height or side], np.float32), LANDMARKS, 0.9)


class MadeUp:
    """A network that knows a face by its photo's level at the left of its box.

    `steps` levels apart the cosine of two faces is 0.
    """

    def __init__(self, steps):
        self.network = SimpleNamespace(threshold=0.5)
        self.looking = self.digest = f"steps of {steps}"
        self._steps = steps

    def __call__(self, images):
        angle = images[:, 0, 0, 0] / self._steps * np.pi / 2
        return 7 * np.stack([np.cos(angle), np.sin(angle)], axis=1)


@pytest.fixture(autouse=True)
def looks(monkeypatch):
    """Of a face a network is shown the level at the left of its box alone."""

    def shown(self, network):
        return np.full((1, 1, 3), self.pixels[0, int(self.face.box[0])], np.float32)

    monkeypatch.setattr("tipim_jax.engine.choosing.PhotoFace.to", shown)


@pytest.fixture
def chooser(tmp_path):
    """Makes one; people are named by the levels of their photos."""

    def of(*, only=(), spared=(), smallest=0, found=None):
        paths = {}
        for level in (*only, *spared):
            paths[level] = tmp_path / f"{level}.png"
            Image.new("RGB", (128, 128), (level,) * 3).save(paths[level])
        detector = SimpleNamespace(find=lambda pixels: found or Found([face(0)], []))
        return Chooser(
            smallest=smallest,
            only=[paths[level] for level in only],
            spared=[paths[level] for level in spared],
            detector=detector,
            recognisers={"coarse": MadeUp(90), "fine": MadeUp(30)},  # as one at 60, and at 20
        )

    return of


# Levels of the faces at 0, 100 and 200 of the photo: two of one person, and of two others.
def photo(*levels):
    pixels = np.zeros((128, 100 * len(levels), 3), np.uint8)
    for number, level in enumerate(levels):
        pixels[:, 100 * number : 100 * (number + 1)] = level
    return pixels, [face(100 * number) for number in range(len(levels))]


def reasons(chosen):
    return {int(one.face.box[0]) // 100: one.reason for one in chosen.left}


def places(faces):
    return [int(one.box[0]) // 100 for one in faces]


def test_only_those_are_masked_whom_both_networks_know(chooser):
    pixels, faces = photo(20, 30, 60, 200)  # themselves, like them, perhaps them, somebody else
    chosen = chooser(only=[20])(pixels, faces)
    assert places(chosen.faces) == [0, 1] and chosen.doubts == (None, None)
    found = reasons(chosen)
    assert "may be the face in" in found[2] and found[3].startswith("not the face in")
    assert "20.png" in found[2] and "20.png" in found[3]
    assert [one.by_choice for one in chosen.left] == [False, True], "doubt is no wish"
    assert not any(one.protected for one in chosen.left)


def test_those_are_spared_whom_both_networks_know_and_doubts_are_masked(chooser):
    pixels, faces = photo(20, 30, 60, 200)
    chosen = chooser(spared=[20])(pixels, faces)
    assert places(chosen.faces) == [2, 3]
    masked_in_doubt, somebody_else = chosen.doubts
    assert "masked, as it may be the face in" in masked_in_doubt and somebody_else is None
    assert all(one.by_choice and reason.startswith("the face in ") for one, reason in zip(
        chosen.left, reasons(chosen).values(), strict=True
    ))  # fmt: skip


def test_several_people_may_be_named_and_one_of_them_left_alone(chooser):
    pixels, faces = photo(20, 200, 90)
    assert places(chooser(only=[20, 200])(pixels, faces).faces) == [0, 1]
    chosen = chooser(only=[20, 200], spared=[200])(pixels, faces)
    assert places(chosen.faces) == [0]
    assert "200.png" in reasons(chosen)[1]
    assert " or " in reasons(chosen)[2]


def test_small_faces_are_left_alone_whichever_way_up_they_are():
    small, tall, large = face(0, 30), face(100, 30, 40), face(200, 60)
    chooser = Chooser(smallest=40, detector=None, recognisers={})
    chosen = chooser(np.zeros((9, 9, 3), np.uint8), [large, small], [tall, face(300, 39)])
    assert (places(chosen.faces), places(chosen.unsure)) == ([2], [1])
    assert reasons(chosen) == {
        0: "smaller than 40 pixels (30 × 30)",
        3: "smaller than 40 pixels (39 × 39)",
    }
    assert all(one.by_choice for one in chosen.left)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (Found([], []), NO_FACE),
        (Found([], [face(0)]), UNSURE),
        (Found([face(0), face(100)], []), "2 faces"),
    ],
)
def test_a_person_is_named_by_a_photo_of_one_face(chooser, found, message):
    with pytest.raises(PhotoError, match=rf"--except .*20\.png: expected a photo .*{message}"):
        chooser(spared=[20], found=found)


def test_what_decides_the_choice_is_told_apart(chooser):
    one = chooser(only=[20], smallest=40).decides
    assert one == chooser(only=[20], smallest=40).decides
    assert chooser(only=[20, 90]).decides == chooser(only=[90, 20]).decides
    others = [chooser(only=[21], smallest=40), chooser(only=[20]), chooser(spared=[20])]
    others += [chooser(only=[20], spared=[20]), chooser(), chooser(smallest=40)]
    assert len({one, *(other.decides for other in others)}) == 7


def test_a_protector_masks_the_chosen_faces_and_tells_of_the_others():
    """With made-up masks: the largest of three is left alone, and one is masked in doubt."""
    faces = [face(0, 70), face(100), face(200, 50)]
    left = FaceOutcome(faces[0], None, False, "not the face in me.jpg", True)
    protector = object.__new__(Protector)
    protector.detector = SimpleNamespace(find=lambda pixels: Found(faces, [face(300)]))
    protector.chooser = lambda pixels, faces, unsure: Chosen(
        tuple(faces[1:]), tuple(unsure), (None, "in doubt"), (left,)
    )
    found = protector.find(np.zeros((128, 400, 3), np.uint8))
    assert places(found.faces) == [1, 2] and len(found.regions) == 2
    stream = PhotoStream([found], ("Ann",), lambda _: None)
    for _ in stream.regions():
        stream.add(Mask(np.ones((224, 224, 3), np.float32), 0))
    (masked,) = stream.complete()
    assert len(masked.masks) == 2
    assert [(one.protected, one.reason, one.by_choice) for one in masked.outcomes] == [
        (True, None, False),
        (True, "in doubt", True),
        (False, "not the face in me.jpg", True),
        (False, UNSURE, False),
    ]
    written = WrittenPhoto(None, None, masked.outcomes)
    assert written.left_alone == f"1 of its 4 faces: {UNSURE}"
    assert written.by_choice == "2 of its 4 faces: in doubt; not the face in me.jpg"


def test_a_photo_of_nobody_chosen_is_told_from_one_of_nobody():
    small = FaceOutcome(face(0), None, False, "smaller than 40 pixels", True)
    doubt = dataclasses.replace(small, reason="it may be", by_choice=False)
    empty = FoundPhoto("a.jpg", None, "", (), ())
    assert (empty.without_faces, empty.by_choice) == (NO_FACE, False)
    chosen = dataclasses.replace(empty, left_alone=(small,))
    assert (chosen.without_faces, chosen.by_choice) == ("smaller than 40 pixels", True)
    for others in ({"left_alone": (small, doubt)}, {"left_alone": (small,), "unsure": (face(0),)}):
        assert not dataclasses.replace(empty, **others).by_choice
    assert not dataclasses.replace(chosen, fault="damaged").by_choice


def test_the_record_keeps_who_was_left_alone_and_reads_earlier_ones(tmp_path):
    left = FaceOutcome(face(0), None, False, "the face in friend.jpg", True)
    record = journals.Journal(tmp_path, "settings")
    record.announce(tmp_path / "a.jpg", tmp_path / "b.jpg", "digest", b"content", [left])
    (kept,) = record.read(tmp_path / "a.jpg").faces
    assert (kept.protected, kept.reason, kept.by_choice) == (False, left.reason, True)
    place = record._place(tmp_path / "a.jpg")
    place.write_text(place.read_text().replace(', "by_choice": true', ""))
    assert not record.read(tmp_path / "a.jpg").faces[0].by_choice
