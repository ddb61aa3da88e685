"""Photos are written without surprises, and nothing private goes with them."""

import errno
import os

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from tests.test_photos_reading import PERSON, exif_with_everything, picture
from tipim_jax.photos import (
    Photo,
    PhotoError,
    read_photo,
    write_photo,
)

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def everything(tmp_path):
    exif, thumbnail = exif_with_everything()
    text = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>secret place</x:xmpmeta>"
    path = tmp_path / "private.jpg"
    Image.fromarray(picture(64, 48)).save(
        path, exif=exif, icc_profile=SRGB, comment="secret comment", xmp=text, dpi=(123, 123)
    )
    data = path.read_bytes()
    assert all(part in data for part in (b"Camera", b"secret", b"private preview", thumbnail))
    return read_photo(path), thumbnail


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_nothing_but_picture_and_colour_profile_is_written(tmp_path, suffix):
    photo, thumbnail = everything(tmp_path)
    path = tmp_path / f"out{suffix}"
    write_photo(path, photo)
    with Image.open(path) as image:
        assert not image.getexif()
        assert image.info["icc_profile"] == SRGB
        about_the_file = {"jfif", "jfif_version", "jfif_unit", "jfif_density", "loop", "background"}
        assert set(image.info) - about_the_file == {"icc_profile"}
    data = path.read_bytes()
    for private in (b"Camera", b"secret", b"2020:01:02", b"preview", thumbnail, b"Exif", b"EXIF"):
        assert private not in data


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_exif_is_kept_for_who_asks_but_no_unprotected_preview(tmp_path, suffix):
    photo, thumbnail = everything(tmp_path)
    path = tmp_path / f"out{suffix}"
    write_photo(path, photo, keep_metadata=True)
    with Image.open(path) as image:
        exif = image.getexif()
        assert exif[ExifTags.Base.Make] == "Camera"
        assert exif.get_ifd(ExifTags.IFD.GPSInfo)[2] == (48.0, 12.0, 30.0)
        assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal][:4] == "2020"
        assert ExifTags.Base.Orientation not in exif
        assert not exif.get_ifd(ExifTags.IFD.IFD1)
    data = path.read_bytes()
    assert thumbnail not in data and b"private preview" not in data


def test_a_profile_of_another_colour_space_is_not_kept(tmp_path):
    grey = bytearray(SRGB)
    grey[16:20] = b"GRAY"
    Image.fromarray(picture()).convert("L").save(tmp_path / "a.png", icc_profile=bytes(grey))
    assert read_photo(tmp_path / "a.png").icc_profile == b""


@pytest.mark.parametrize("suffix", [".png", ".webp", ".PNG", ".WebP"])
def test_lossless_formats_give_every_pixel_back(tmp_path, suffix):
    path = tmp_path / "new" / "folder" / f"a{suffix}"
    write_photo(path, Photo(picture(61, 43)))
    np.testing.assert_array_equal(read_photo(path).pixels, picture(61, 43))


def test_jpeg_keeps_full_colour_resolution_at_quality_95(tmp_path):
    pixels = read_photo(PERSON).pixels
    write_photo(tmp_path / "a.JPEG", Photo(pixels))
    with Image.open(tmp_path / "a.JPEG") as image:
        assert image.format == "JPEG"
        assert all(tuple(component[1:3]) == (1, 1) for component in image.layer)
        image.save(tmp_path / "b.jpg", quality=95, subsampling=0)
        with Image.open(tmp_path / "b.jpg") as same:
            assert same.quantization == image.quantization
    assert np.abs(read_photo(tmp_path / "a.JPEG").pixels.astype(int) - pixels).mean() < 1.5


class Interrupted(KeyboardInterrupt):
    pass


@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "No space left on device"), Interrupted()])
@pytest.mark.parametrize("step", ["save", "fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step, fault):
    path = tmp_path / "a.png"
    write_photo(path, Photo(picture(seed=1)))
    before = path.read_bytes()

    def fail(*ignored, **also_ignored):
        if step == "save":
            ignored[1].write(before[:50])
        raise fault

    monkeypatch.setattr(Image.Image if step == "save" else os, step, fail)
    with pytest.raises(Interrupted if isinstance(fault, Interrupted) else PhotoError) as raised:
        write_photo(path, Photo(picture(seed=2)))
    if raised.type is PhotoError:
        assert str(raised.value) == f"cannot write {path}: No space left on device"
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.png"]


def test_a_written_file_has_the_usual_permissions(tmp_path):
    (tmp_path / "usual").touch()
    write_photo(tmp_path / "a.png", Photo(picture()))
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_what_cannot_be_written_is_said(tmp_path):
    for name in ("a.gif", "a"):
        with pytest.raises(PhotoError, match=r"expected one of .png, .jpg"):
            write_photo(tmp_path / name, Photo(picture()))
    (tmp_path / "file").touch()
    with pytest.raises(PhotoError, match=r"cannot write .*a.png"):
        write_photo(tmp_path / "file" / "a.png", Photo(picture()))
    with pytest.raises(PhotoError, match=r"cannot write .*wide.webp"):
        write_photo(tmp_path / "wide.webp", Photo(np.zeros((1, 20000, 3), np.uint8)))
    assert sorted(os.listdir(tmp_path)) == ["file"]
