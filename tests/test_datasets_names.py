"""Who is in a photo, as its place says; and the one face of each photo of known people."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tipim_jax.datasets import (
    CropCache,
    ReadyCrops,
    bundled,
    find_portraits,
    person,
    stated_person,
)
from tipim_jax.identification import CropFace, PhotoFace
from tipim_jax.photos import NO_FACE, YUNET, PhotoFile, read_photo
from weights_convert import obtain


def file(relative, folder="/people"):
    return PhotoFile(Path(folder, relative), Path(relative))


@pytest.mark.parametrize(
    ("relative", "who"),
    [
        ("alice/IMG_0001.jpg", "alice"),
        ("bob/IMG_0002.jpg", "bob"),
        ("A_Name/A_Name_0001.jpg", "A_Name"),
        ("family/alice/IMG_0001.jpg", "alice"),
        ("A_Name_0001.jpg", "A_Name"),
        ("A_Name_0012.png", "A_Name"),
        ("alice.jpg", "alice"),
    ],
)
def test_people_in_a_collection_are_told_by_folder_or_else_by_name(relative, who):
    assert person(file(relative)) == who


@pytest.mark.parametrize(
    ("relative", "who"),
    [
        ("alice/IMG_0001.jpg", "alice"),  # who is known
        ("holiday/IMG_0001.jpg", None),
        ("A_Name/A_Name_0001.jpg", "A_Name"),
        ("A_Name/B_Name_0001.jpg", None),
        ("IMG_0001.jpg", None),
    ],
)
def test_in_photos_of_any_origin_only_who_is_known_or_named_twice_is_stated(relative, who):
    assert stated_person(file(relative), {"alice"}) == who


def test_a_file_that_is_given_alone_is_told_by_the_folder_that_it_is_in():
    alone = PhotoFile(Path("/lfw/A_Name/A_Name_0001.jpg"), Path("A_Name_0001.jpg"))
    assert stated_person(alone) == "A_Name"


@pytest.fixture
def folder(tmp_path):
    """Two people side by side, the larger one further off; a meadow; and what is no photo."""
    small, large = (read_photo(bundled.photos(f"Person_00{n}")[0]).pixels for n in (1, 2))
    large = large.repeat(2, axis=0).repeat(2, axis=1)
    pixels = np.full((500, 1200, 3), 128, np.uint8)
    pixels[125:375, 475:725] = small
    pixels[:, 725 : 725 + 475] = large[:, :475]
    Image.fromarray(pixels).save(tmp_path / "both.png")
    Image.new("RGB", (120, 90), "green").save(tmp_path / "meadow.png")
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    return tmp_path


def test_one_face_of_each_photo_is_taken_and_the_others_are_named(folder, detector):
    detected = detector.detect(read_photo(folder / "both.png").pixels)
    named = [
        (name, file(f"{name}.{suffix}", folder))
        for name, suffix in (("both", "png"), ("meadow", "png"), ("broken", "jpg"))
    ]
    kept = CropCache(folder / "cache", obtain(YUNET))
    for which, number in (("largest", 0), ("central", 1)):
        faces, left_out = find_portraits(named, kept, which)
        assert (faces.names, faces.people) == (("both.png",), ("both",))
        np.testing.assert_allclose(faces.faces[0].box, detected[number].box)
        assert left_out["meadow.png"] == NO_FACE and "broken.jpg" in left_out["broken.jpg"]
        assert all(isinstance(face, PhotoFace) for face in faces)


def test_crops_are_portraits_as_they_are(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "A_0001.png")
    shutil.copy(bundled.photos("Person_001")[0], tmp_path / "B.jpg")
    named = [("A", file("A_0001.png", tmp_path)), ("B", file("B.jpg", tmp_path))]
    faces, left_out = find_portraits(named, ReadyCrops(), "central")
    (face,) = faces
    assert isinstance(face, CropFace)
    np.testing.assert_array_equal(face.crop, pixels)
    assert "is 250x250, expected 112x112" in left_out["B.jpg"]
