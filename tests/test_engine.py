"""`Protector` from Python: pictures in, protected pictures out, with a real network."""

import dataclasses
import gc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tipim_jax import Protected, Protector, TipIm, compare
from tipim_jax.datasets import bundled
from tipim_jax.engine.found import NOT_FINITE
from tipim_jax.engine.loop import Mask
from tipim_jax.photos import TEMPLATE, UNSURE, Face, FaceDetector, PhotoError, read_photo
from tipim_jax.photos.detection import Found

FAST = dataclasses.replace(TipIm.fast(), iterations=4)


@pytest.fixture(scope="module")
def protector():
    return Protector(FAST, surrogates=["mobileface"], batch_size=4)


@pytest.fixture(scope="module")
def portraits():
    return [bundled.photos(f"Person_{number:03d}")[0] for number in (2, 5, 7)]


def changes(before, after):
    return np.abs(after.astype(int) - before)


@pytest.mark.thorough
def test_the_three_kinds_of_picture_give_the_same(protector, portraits):
    pixels = read_photo(portraits[0]).pixels
    given = (portraits[0], str(portraits[0]), Image.open(portraits[0]), pixels)
    found = [protector.protect(picture) for picture in given]
    for one in found:
        np.testing.assert_array_equal(one.pixels, found[0].pixels)
        assert one.pixels.dtype == np.uint8 and one.pixels.shape == pixels.shape
        assert 6 <= changes(pixels, one.pixels).max() <= 12
    (face,) = found[0].faces
    left, top, width, height = face.box
    assert 0 < left < left + width < 250 and 0 < top < top + height < 250
    assert face.protected and face.reason is None and face.target in bundled.TARGETS


def test_the_picture_of_the_caller_is_not_changed(protector, portraits):
    pixels = read_photo(portraits[0]).pixels
    copy = pixels.copy()
    protector.protect(pixels)
    np.testing.assert_array_equal(pixels, copy)


def test_compare_says_that_the_mask_takes_a_face_away_from_its_owner(protector, portraits):
    found = protector.protect(portraits[0])
    other = bundled.photos("Person_002")[1]
    before = compare(portraits[0], other, recogniser="mobileface")
    after = compare(found.pixels, other, recogniser="mobileface")
    assert before.same and before.cosine >= before.threshold
    assert after.cosine < before.cosine - 0.2


def test_compare_needs_a_face_in_each_picture_and_a_threshold(portraits, monkeypatch):
    nobody = np.full((80, 80, 3), 90, np.uint8)
    with pytest.raises(ValueError, match="no face found in the second picture"):
        compare(portraits[0], nobody, recogniser="mobileface")
    with monkeypatch.context() as patch:
        patch.setattr("tipim_jax.photos.detection.upright", lambda *_: None)
        with pytest.raises(ValueError, match="not sure which way up the face is in the first"):
            compare(portraits[0], nobody, recogniser="mobileface")
    with pytest.raises(ValueError, match="no network is called 'facenoet'"):
        compare(portraits[0], portraits[0], recogniser="facenoet")


def test_a_picture_without_a_face_comes_back_as_it_was(protector):
    meadow = np.full((90, 120, 3), (20, 120, 30), np.uint8)
    found = protector.protect(meadow)
    assert found.faces == ()
    np.testing.assert_array_equal(found.pixels, meadow)


@pytest.mark.parametrize(
    ("picture", "error", "message"),
    [
        (np.zeros((9, 9, 3)), ValueError, r"float64 \[9, 9, 3\], expected uint8.*255 \* x"),
        (np.full((9, 9, 3), 200.0), ValueError, r"numpy.rint\(x\).astype"),
        (np.zeros((9, 9), np.uint8), ValueError, "grey becomes RGB by"),
        (np.zeros((9, 9, 4), np.uint8), ValueError, r"without its opacity it is `x\[..., :3\]`"),
        (np.zeros((3, 9, 8), np.uint8), ValueError, "channels come last"),
        (np.zeros((2, 9, 9, 3), np.uint8), ValueError, "several pictures go to `protect_many`"),
        (np.zeros((0, 9, 3), np.uint8), ValueError, r"uint8 \[0, 9, 3\]"),
        (None, TypeError, "type NoneType; expected a path, a PIL image or a uint8 array"),
        ("nowhere.jpg", PhotoError, "cannot read nowhere.jpg: No such file"),
    ],
)
def test_what_is_no_picture_is_refused_with_a_way_out(protector, picture, error, message):
    with pytest.raises(error, match=message):
        protector.protect(picture)


def test_a_stream_comes_in_order_and_a_bad_file_costs_itself_alone(protector, portraits, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"\xff\xd8\xff\xe0 not a photo")
    meadow = np.full((90, 120, 3), 90, np.uint8)
    given = [portraits[0], bad, portraits[1], meadow, portraits[2], tmp_path / "missing.png"]
    found = list(protector.protect_many(given))
    assert [one.picture is picture for one, picture in zip(found, given, strict=True)] == [True] * 6
    assert [len(one.faces) for one in found] == [1, 0, 1, 0, 1, 0]
    assert [one.fault is None for one in found] == [True, False, True, True, True, False]
    assert found[1].pixels is None and "bad.jpg" in found[1].fault
    assert "missing.png" in found[5].fault
    alone = protector.protect(portraits[1])
    parted = changes(alone.pixels, found[2].pixels)
    assert parted.max() <= 1 and parted.mean() < 1e-3  # another size of batch, another program


def test_a_stream_may_have_any_number_of_pictures(protector, portraits):
    assert list(protector.protect_many([])) == []
    many = list(protector.protect_many([portraits[n % 3] for n in range(7)]))
    assert [len(one.faces) for one in many] == [1] * 7
    np.testing.assert_array_equal(many[0].pixels, many[3].pixels)
    np.testing.assert_array_equal(many[0].pixels, many[6].pixels)


@pytest.mark.thorough
def test_a_stream_holds_on_to_nothing(protector, portraits):
    """Of 24 pictures never more than a few batches are alive."""
    pixels = read_photo(portraits[0]).pixels
    alive = []
    for one in protector.protect_many(pixels.copy() for _ in range(24)):
        assert one.faces[0].protected
        del one
        gc.collect()
        alive.append(sum(type(thing) is Protected for thing in gc.get_objects()))
    assert max(alive) <= 1


def test_a_file_that_changes_meanwhile_is_not_given_the_mask_of_the_other(
    protector, portraits, tmp_path
):
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(portraits[0].read_bytes())
    found = protector.find(photo)
    photo.write_bytes(portraits[1].read_bytes())
    (masked,) = protector.masked([found])
    with pytest.raises(PhotoError, match="was changed while it was being protected"):
        masked.photo.read()


def test_a_mask_that_is_not_finite_costs_its_face_alone(protector, portraits, monkeypatch):
    both = Image.new("RGB", (500, 250))
    for place, portrait in ((0, portraits[0]), (250, portraits[1])):
        both.paste(Image.open(portrait), (place, 0))

    def half_broken(surrogates, regions, *_, **__):
        assert len(list(regions)) == 2
        yield Mask(np.full((224, 224, 3), np.nan, np.float32), 0)
        yield Mask(np.full((224, 224, 3), 5.0, np.float32), 1)

    monkeypatch.setattr("tipim_jax.engine.protector.masks", half_broken)
    found = protector.protect(both)
    assert [face.protected for face in found.faces] == [False, True]
    assert found.faces[0].reason == NOT_FINITE and found.faces[0].target is None
    assert changes(np.array(both), found.pixels).max() == 5


def test_a_face_of_which_it_is_not_sure_how_it_lies_is_left_alone(
    protector, portraits, monkeypatch
):
    """With another that is sure, and alone."""
    pixels = read_photo(portraits[0]).pixels
    sure, unsure = (Face(box, TEMPLATE + box[0], 0.9) for box in np.array([[60.0] * 4, [9.0] * 4]))
    monkeypatch.setattr(
        "tipim_jax.engine.protector.masks",
        lambda surrogates, regions, *_, **__: (
            Mask(np.full((224, 224, 3), 5.0, np.float32), 0) for _ in regions
        ),
    )
    monkeypatch.setattr(FaceDetector, "find", lambda *_: Found([sure], [unsure]))
    found = protector.protect(pixels)
    assert [face.reason for face in found.faces] == [None, UNSURE]
    assert [face.protected for face in found.faces] == [True, False]
    monkeypatch.setattr(FaceDetector, "find", lambda *_: Found([], [unsure]))
    found = protector.protect(pixels)
    assert [face.reason for face in found.faces] == [UNSURE]
    np.testing.assert_array_equal(found.pixels, pixels)
    assert protector.find(pixels).without_faces == UNSURE


@pytest.mark.thorough
def test_targets_of_the_caller_are_imitated(portraits, tmp_path):
    for name in ("Person_030", "Person_031"):
        file = bundled.photos(name)[0]
        (tmp_path / f"{name[-3:]}.jpg").write_bytes(file.read_bytes())
    own = Protector(FAST, surrogates=["mobileface"], targets=tmp_path, batch_size=4)
    assert own.targets.names == ("030", "031")
    assert own.protect(portraits[0]).faces[0].target in ("030", "031")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"surrogates": ["facenoet"]}, "no network is called 'facenoet'"),
        ({"batch_size": 0}, "batch_size is 0; expected 1 or more"),
        ({"method": TipIm(epsilon=300)}, r"epsilon is 300; expected a value in \[0, 255\]"),
        ({"targets": Path(__file__).parent}, "holds no photos"),
    ],
)
def test_settings_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Protector(**arguments)
