"""Photos are written without surprises, and nothing private goes with them."""

import errno
import io
import os
import struct

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


def everything(tmp_path, kind="JPEG"):
    exif, thumbnail = exif_with_everything()
    text = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>secret place</x:xmpmeta>"
    path = tmp_path / "private.jpg"
    Image.fromarray(picture(64, 48)).save(
        path, kind, exif=exif, icc_profile=SRGB, comment="secret comment", xmp=text, dpi=(123, 123)
    )
    data = path.read_bytes()
    assert all(part in data for part in (b"Camera", b"private preview"))
    assert kind == "TIFF" or all(part in data for part in (b"secret", thumbnail))
    return read_photo(path), thumbnail


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
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


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("was", ["JPEG", "TIFF"])
def test_exif_is_kept_for_who_asks_but_no_unprotected_preview(tmp_path, suffix, was):
    photo, thumbnail = everything(tmp_path, was)
    path = tmp_path / f"out{suffix}"
    write_photo(path, photo, metadata="all")
    with Image.open(path) as image:
        exif = image.getexif()
        assert exif[ExifTags.Base.Make] == "Camera"
        assert exif.get_ifd(ExifTags.IFD.GPSInfo)[2] == (48.0, 12.0, 30.0)
        assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal][:4] == "2020"
        assert ExifTags.Base.Orientation not in exif
        assert 0x0111 not in exif, "nothing of how a TIFF file stores its picture"
        assert not exif.get_ifd(ExifTags.IFD.IFD1)
    data = path.read_bytes()
    assert thumbnail not in data and b"private preview" not in data


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("tag", ["DateTimeOriginal", "DateTimeDigitized", "DateTime"])
def test_of_dates_the_moment_of_capture_is_kept_and_nothing_else(tmp_path, suffix, tag):
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Camera"
    exif[ExifTags.Base.Orientation] = 6
    place = exif if tag == "DateTime" else exif.get_ifd(ExifTags.IFD.Exif)
    place[ExifTags.Base[tag]] = "2020:01:02 03:04:05"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.OffsetTimeOriginal] = "+05:45"  # tells the place
    Image.fromarray(picture(64, 48)).save(tmp_path / "a.jpg", exif=exif)
    path = tmp_path / f"out{suffix}"
    write_photo(path, read_photo(tmp_path / "a.jpg"), metadata="dates")
    with Image.open(path) as image:
        assert set(image.getexif()) == {ExifTags.IFD.Exif}
        assert image.getexif().get_ifd(ExifTags.IFD.Exif) == {
            ExifTags.Base.DateTimeOriginal: "2020:01:02 03:04:05"
        }


def test_what_is_no_date_is_not_kept_as_one(tmp_path):
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "at Ann's place, 12 Oak Lane"
    Image.fromarray(picture()).save(tmp_path / "a.jpg", exif=exif)
    assert read_photo(tmp_path / "a.jpg").taken == b""


def test_of_a_screen_a_profile_says_its_colours_and_no_serial_number(tmp_path):
    """As those of Macs have it, in a tag of their own, and those of Linux, in another."""
    for tag in (b"mmod", b"meta"):
        serial = tag + b"\0\0\0\0" + b"SERIAL 4711"
        place = 132 + 12 * int.from_bytes(SRGB[128:132], "big")
        moved = bytearray(SRGB[:place] + struct.pack(">4sII", tag, len(SRGB) + 12, len(serial)))
        for entry in range(136, place, 12):
            struct.pack_into(">I", moved, entry, struct.unpack_from(">I", SRGB, entry)[0] + 12)
        moved[131] += 1
        profile = bytes(moved) + SRGB[place:] + serial
        profile = struct.pack(">I", len(profile)) + profile[4:]
        Image.fromarray(picture()).save(tmp_path / "a.png", icc_profile=profile)
        found = read_photo(tmp_path / "a.png").icc_profile
        assert found == profile.replace(serial, bytes(len(serial)))
        swatch = Image.fromarray(picture())
        lab = ImageCms.createProfile("LAB")
        seen = [
            ImageCms.profileToProfile(swatch, ImageCms.ImageCmsProfile(io.BytesIO(one)), lab,
                                      outputMode="LAB").tobytes()
            for one in (SRGB, found)
        ]  # fmt: skip
        assert seen[0] == seen[1]


def test_a_profile_of_another_colour_space_is_not_kept(tmp_path):
    grey = bytearray(SRGB)
    grey[16:20] = b"GRAY"
    Image.fromarray(picture()).save(tmp_path / "a.png", icc_profile=bytes(grey))
    assert read_photo(tmp_path / "a.png").icc_profile == b""
    Image.fromarray(picture()).convert("L").save(tmp_path / "a.png", icc_profile=SRGB)
    assert read_photo(tmp_path / "a.png").icc_profile == b""


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_grey_photo_is_written_with_one_channel_and_its_profile(tmp_path, suffix):
    profile = bytearray(SRGB)
    profile[16:20] = b"GRAY"
    Image.fromarray(picture()).convert("L").save(tmp_path / "a.png", icc_profile=bytes(profile))
    photo = read_photo(tmp_path / "a.png")
    write_photo(tmp_path / f"out{suffix}", photo)
    with Image.open(tmp_path / f"out{suffix}") as image:
        assert image.mode == "L" and image.info["icc_profile"] == bytes(profile)
        assert np.abs(np.asarray(image).astype(int) - photo.pixels[..., 0]).mean() < 3


@pytest.mark.parametrize("suffix", [".png", ".PNG"])
def test_lossless_formats_give_every_pixel_back(tmp_path, suffix):
    path = tmp_path / "new" / "folder" / f"a{suffix}"
    write_photo(path, Photo(picture(61, 43)))
    np.testing.assert_array_equal(read_photo(path).pixels, picture(61, 43))


@pytest.mark.parametrize(("was", "expected"), [(80, 95), (98, 98)])
def test_jpeg_keeps_full_colour_resolution_at_quality_95_or_more(tmp_path, was, expected):
    Image.open(PERSON).save(tmp_path / "was.jpg", quality=was)
    photo = read_photo(tmp_path / "was.jpg")
    pixels = photo.pixels
    write_photo(tmp_path / "a.JPEG", photo)
    with Image.open(tmp_path / "a.JPEG") as image:
        assert image.format == "JPEG"
        assert all(tuple(component[1:3]) == (1, 1) for component in image.layer)
        image.save(tmp_path / "b.jpg", quality=expected, subsampling=0)
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
    for name in ("a.gif", "a.webp", "a"):
        with pytest.raises(PhotoError, match=r"expected one of .jpg, .jpeg"):
            write_photo(tmp_path / name, Photo(picture()))
    (tmp_path / "file").touch()
    with pytest.raises(PhotoError, match=r"cannot write .*a.png"):
        write_photo(tmp_path / "file" / "a.png", Photo(picture()))
    with pytest.raises(PhotoError, match=r"cannot write .*wide.jpg"):
        write_photo(tmp_path / "wide.jpg", Photo(np.zeros((1, 70000, 3), np.uint8)))
    assert sorted(os.listdir(tmp_path)) == ["file"]
