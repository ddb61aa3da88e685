"""Photos of strangers: which faces they give, and that none is there twice."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tipim_jax.configuration import SettingsError
from tipim_jax.console import Console
from tipim_jax.datasets import NewFaces, PhotoFolder, face_key
from tipim_jax.datasets import bundled as people
from tipim_jax.datasets.distractor_photos import load_strangers
from tipim_jax.photos import NO_FACE, PhotoError, read_photo
from tipim_jax.progress import Bars

STRANGERS = [people.photos(identity)[0] for identity in people.identities()[20:24]]


@pytest.fixture
def folder(tmp_path):
    """Photos with names of any kind in folders of any kind; one shows no face, one is none."""
    place = tmp_path / "photos"
    for source, name in zip(STRANGERS, ("1.jpg", "a/2.jpeg", "a/b/3@N00.JPG", "4"), strict=True):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, place / name)
    (place / "4").rename(place / "b 4.jpg")
    Image.new("RGB", (120, 90), (90, 120, 90)).save(place / "meadow.png")
    (place / "broken.jpg").write_bytes(b"no picture")
    (place / "notes.txt").write_text("no photo")
    return place


def bars():
    return Bars(Console(file=io.StringIO(), width=200))


def said(bars):
    return bars.console.file.getvalue()


def crops(faces):
    return np.stack([face.crop for face in faces])


def keys(crops):
    return [face_key(crop) for crop in crops]


def test_every_face_in_a_folder_is_taken_and_what_has_none_is_named(folder):
    shown = bars()
    found = load_strangers(folder, (), shown)
    assert len(found) == len(crops(found)) == 4
    assert f"left out of the distractors: meadow.png: {NO_FACE}" in said(shown)
    assert "left out of the distractors: broken.jpg: cannot read broken.jpg" in said(shown)
    assert "notes.txt" not in said(shown)


def test_faces_are_aligned_as_anywhere_and_do_not_depend_on_names(folder, tmp_path):
    named = tmp_path / "named"
    for number, photo in enumerate(STRANGERS):
        (named / f"P{number}").mkdir(parents=True)
        shutil.copy(photo, named / f"P{number}" / f"P{number}_0001.jpg")
    archive = Path(shutil.make_archive(str(tmp_path / "named"), "gztar", named))
    found = [crops(load_strangers(p, (), bars())) for p in (folder, named, archive)]
    as_sets = [{crop.tobytes() for crop in batch} for batch in found]
    assert as_sets[0] == as_sets[1] == as_sets[2]
    assert len(as_sets[0]) == 4


def test_a_face_that_is_there_already_is_passed_over_whatever_its_file_is(folder):
    known = crops(NewFaces(PhotoFolder.of(folder)))[:1]
    Image.fromarray(read_photo(STRANGERS[1]).pixels).save(folder / "z.png")  # the same pixels
    faces = NewFaces(PhotoFolder.of(folder), keys(known))
    for _ in range(2):
        found = crops(faces)
        assert len(found) == 3 and not (found == known).all(axis=(1, 2, 3)).any()
        again = [str(photo) for photo, why in faces.left_out.items() if "already" in why]
        assert again == ["1.jpg", "z.png"]
        assert len(faces.left_out) == 4


def test_crops_are_taken_as_they_are(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), np.uint8)
    for number, crop in enumerate(pixels):
        Image.fromarray(crop).save(tmp_path / f"{number}.png")
    Image.new("RGB", (112, 96)).save(tmp_path / "low.png")
    shown = bars()
    found = load_strangers(tmp_path, (), shown, ready=True)
    np.testing.assert_array_equal(crops(found), pixels)
    assert "low.png: is 112x96, expected 112x112" in said(shown)


def test_many_photos_without_a_face_take_few_lines(tmp_path):
    for number in range(24):
        (tmp_path / f"{number:02d}.jpg").write_bytes(b"no picture")
    shutil.copy(STRANGERS[0], tmp_path)
    shown = bars()
    assert len(load_strangers(tmp_path, (), shown)) == 1
    assert said(shown).count("cannot read") == 20
    assert "left out of the distractors: 4 more" in said(shown)


def test_photos_may_vanish_before_they_are_read(folder):
    photos = PhotoFolder.of(folder)
    (folder / "1.jpg").unlink()
    faces = NewFaces(photos)
    assert len(crops(faces)) == 3
    assert "No such file" in {str(p): why for p, why in faces.left_out.items()}["1.jpg"]


def test_a_place_that_gives_no_face_is_refused(folder, tmp_path):
    with pytest.raises(SettingsError, match=r"--distractor-photos: .*nowhere does not exist"):
        load_strangers(tmp_path / "nowhere", (), bars())
    with pytest.raises(SettingsError, match="none of its 6 photos has a face that is not there"):
        load_strangers(folder, keys(crops(NewFaces(PhotoFolder.of(folder)))), bars())
    (tmp_path / "no archive").write_text("nothing")
    with pytest.raises(SettingsError, match=r"--distractor-photos: .*no archive"):
        load_strangers(tmp_path / "no archive", (), bars())
    with pytest.raises(PhotoError, match="nowhere does not exist"):
        PhotoFolder.of(tmp_path / "nowhere")


def test_another_process_gives_the_same_faces(folder):
    expected = crops(NewFaces(PhotoFolder.of(folder)))
    # It starts at the first photo of which nothing is kept: the broken one.
    found = crops(NewFaces(PhotoFolder.of(folder), workers=1))
    np.testing.assert_array_equal(found, expected)
