"""Photos are read without surprises."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image

from tipim_jax.datasets import bundled as people
from tipim_jax.photos import (
    PhotoError,
    read_photo,
    write_photo,
)

PERSON = people.photos("Person_001")[0]


def picture(width=24, height=16, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def exif_with_everything():
    """EXIF bytes with a place, a maker's note and a thumbnail directory, and the thumbnail."""
    buffer = io.BytesIO()
    Image.fromarray(picture(8, 8, seed=9)).save(buffer, "JPEG")
    thumbnail = buffer.getvalue()
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Make] = "Camera"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[1] = "N"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[2] = (48.0, 12.0, 30.0)
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2020:01:02 03:04:05"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] = b"private preview"
    for directory in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        exif.get_ifd(directory)[0xEA1C] = b"private preview"  # of a maker's own
    data = bytearray(exif.tobytes()[6:])
    order = "<" if data[:2] == b"II" else ">"
    (first,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, first)
    struct.pack_into(order + "I", data, first + 2 + 12 * count, len(data))
    after = len(data) + 2 + 12 * 2 + 4
    data += struct.pack(order + "H", 2)
    data += struct.pack(order + "HHII", 0x0201, 4, 1, after)
    data += struct.pack(order + "HHII", 0x0202, 4, 1, len(thumbnail))
    data += struct.pack(order + "I", 0)
    return b"Exif\0\0" + bytes(data) + thumbnail, thumbnail


def test_a_photo_is_read_as_it_is(tmp_path):
    Image.fromarray(picture()).save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    np.testing.assert_array_equal(photo.pixels, picture())
    assert (photo.alpha, photo.icc_profile, photo.exif) == (None, b"", b"")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".heic", ".avif", ".tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_set_upright(tmp_path, orientation, suffix):
    """The stored array has the upright picture's rows and columns where EXIF 2.32 says."""
    upright = np.kron(picture(4, 3), np.ones((16, 16, 1), np.uint8))
    stored = {
        1: upright,  # row 0 is the top, column 0 the left
        2: upright[:, ::-1],  # top, right
        3: upright[::-1, ::-1],  # bottom, right
        4: upright[::-1],  # bottom, left
        5: upright.swapaxes(0, 1),  # left, top
        6: upright.swapaxes(0, 1)[::-1],  # right, top: rows start at the right, columns at the top
        7: upright[::-1, ::-1].swapaxes(0, 1),  # right, bottom
        8: upright.swapaxes(0, 1)[:, ::-1],  # left, bottom
    }[orientation]
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = tmp_path / f"a{suffix}"
    image = Image.fromarray(np.ascontiguousarray(stored))
    image.save(path, exif=exif, lossless=True, quality=95, subsampling="4:4:4")
    photo = read_photo(path)
    assert photo.pixels.shape == upright.shape
    assert np.abs(photo.pixels.astype(int) - upright).mean() < 3
    write_photo(tmp_path / "b.png", photo, metadata="all")
    np.testing.assert_array_equal(read_photo(tmp_path / "b.png").pixels, photo.pixels)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_is_none_is_ignored(tmp_path, orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(picture()).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png").pixels, picture())


def test_damaged_exif_does_not_hide_a_sound_photo(tmp_path):
    for data in (
        b"Exif\0\0II*\0\xff\xff\xff\x7f",
        b"Exif\0\0garbage",
        exif_with_everything()[0][:40],
    ):
        Image.fromarray(picture()).save(tmp_path / "a.png", exif=data)
        assert read_photo(tmp_path / "a.png").pixels.size == picture().size


def test_every_kind_of_picture_becomes_8_bit_rgb(tmp_path):
    colour = Image.fromarray(picture())
    grey = colour.convert("L")
    levels = np.arange(384, dtype=np.uint16).reshape(16, 24) * 171
    kinds = {
        "grey.png": (grey, np.asarray(grey.convert("RGB"))),
        "bits.png": (grey.convert("1"), np.asarray(grey.convert("1").convert("RGB"))),
        "deep.png": (
            Image.fromarray(levels),
            np.repeat(np.rint(levels / 257).astype(np.uint8)[..., None], 3, axis=2),
        ),
        "palette.png": (colour.quantize(16), np.asarray(colour.quantize(16).convert("RGB"))),
    }
    for name, (image, expected) in kinds.items():
        image.save(tmp_path / name)
        photo = read_photo(tmp_path / name)
        assert photo.pixels.dtype == np.uint8 and photo.alpha is None
        np.testing.assert_array_equal(photo.pixels, expected, err_msg=name)


def test_cmyk_is_read_in_its_right_colours(tmp_path):
    flat = np.full((32, 32, 3), (200, 60, 30), np.uint8)
    Image.fromarray(flat).convert("CMYK").save(tmp_path / "a.jpg", quality=100)
    assert np.abs(read_photo(tmp_path / "a.jpg").pixels.astype(int) - flat).max() <= 3


def test_transparency_is_kept_wherever_the_format_has_it(tmp_path):
    alpha = np.arange(384, dtype=np.uint8).reshape(16, 24)
    image = Image.fromarray(np.dstack([picture(), alpha]))
    image.save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    write_photo(tmp_path / "b.png", photo)
    image.save(tmp_path / "b.webp", lossless=True, exact=True)
    image.save(tmp_path / "b.tif")
    for name in ("b.png", "b.webp", "b.tif"):
        back = read_photo(tmp_path / name)
        # Colours under alpha 0 count as well: no pixel may differ.
        np.testing.assert_array_equal(back.pixels, picture())
        np.testing.assert_array_equal(back.alpha, alpha)
    image.save(tmp_path / "b.heic", quality=-1)
    assert np.abs(read_photo(tmp_path / "b.heic").alpha.astype(int) - alpha).max() <= 1
    with pytest.raises(PhotoError, match="JPEG has no transparency"):
        write_photo(tmp_path / "b.jpg", photo)
    palette = Image.fromarray(picture()).quantize(8)
    palette.save(tmp_path / "p.png", transparency=bytes([0, 128, 255]))
    steps = np.array([0, 128] + [255] * 254)[np.asarray(palette)]
    np.testing.assert_array_equal(read_photo(tmp_path / "p.png").alpha, steps)
    Image.fromarray(np.arange(384, dtype=np.uint16).reshape(16, 24)).save(
        tmp_path / "deep.png", transparency=5
    )
    assert read_photo(tmp_path / "deep.png").pixels.shape == (16, 24, 3)


def test_a_picture_of_several_is_read_as_its_first(tmp_path):
    first, second = Image.fromarray(picture(64, 64)), Image.fromarray(picture(64, 64, seed=1))
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second])
    first.save(tmp_path / "b.jpg")
    expected = read_photo(tmp_path / "b.jpg").pixels
    np.testing.assert_array_equal(read_photo(tmp_path / "a.jpg").pixels, expected)


def png_chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def test_a_decompression_bomb_is_refused(tmp_path):
    head = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    (tmp_path / "bomb.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", head)
        + png_chunk(b"IDAT", b"")
        + png_chunk(b"IEND", b"")
    )
    with pytest.raises(PhotoError, match=r"bomb.png: more than 178 million pixels"):
        read_photo(tmp_path / "bomb.png")


@pytest.mark.thorough  # it takes a gigabyte
def test_a_large_photo_is_no_bomb(tmp_path):
    Image.new("1", (9500, 9500)).save(tmp_path / "large.png")  # the library warns from 89 million
    assert read_photo(tmp_path / "large.png").pixels.shape == (9500, 9500, 3)


@pytest.mark.parametrize(
    "suffix", [".png", ".jpg", ".webp", ".heic", ".avif", ".tif", ".bmp", ".gif"]
)
def test_a_truncated_photo_is_refused(tmp_path, suffix):
    Image.fromarray(picture(200, 150)).save(tmp_path / f"whole{suffix}")
    whole = (tmp_path / f"whole{suffix}").read_bytes()
    path = tmp_path / f"part{suffix}"
    for share in (0, 0.02, 0.5, 0.9):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(PhotoError, match=rf"cannot read .*part{suffix}: ") as error:
            read_photo(path)
        said = str(error.value).split(": ", 1)[1]
        assert said.endswith("get another copy of it") or said.startswith("no picture in a format")
        assert said.startswith("the file is ") == ("another copy" in said), "no library's words"


def test_a_damaged_photo_is_told_from_one_that_is_empty_or_takes_too_much_memory(
    tmp_path, monkeypatch
):
    """And what decoders say of it, which is for their authors, is in the cause alone."""
    path = tmp_path / "me.jpg"
    path.write_bytes(b"")
    with pytest.raises(PhotoError, match=r"me\.jpg: the file is empty; get another copy of it$"):
        read_photo(path)
    Image.fromarray(picture()).save(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(PhotoError, match=r"me\.jpg: the file is damaged, or a picture ") as error:
        read_photo(path)
    assert "truncated" in str(error.value.__cause__) and "truncated" not in str(error.value)

    def load(self):
        raise MemoryError

    monkeypatch.setattr("PIL.JpegImagePlugin.JpegImageFile.load", load)
    with pytest.raises(PhotoError, match=r"me\.jpg: it takes more memory than there is"):
        read_photo(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_damage_anywhere_gives_a_photo_or_one_kind_of_error(tmp_path, suffix):
    rng = np.random.default_rng(0)
    exif, _ = exif_with_everything()
    Image.fromarray(picture(60, 40)).save(
        tmp_path / "a", suffix[1:].replace("jpg", "jpeg"), exif=exif
    )
    whole = (tmp_path / "a").read_bytes()
    outcomes = set()
    for _ in range(300):
        data = bytearray(whole)
        for place in rng.integers(0, len(data) if rng.integers(2) else 400, rng.integers(1, 8)):
            data[place] = rng.integers(256)
        (tmp_path / "b").write_bytes(data)
        try:
            outcomes.add(read_photo(tmp_path / "b").pixels.ndim)
        except PhotoError as error:
            assert str(error).startswith(f"cannot read {tmp_path / 'b'}: ")
            outcomes.add("refused")
    # A PNG carries check sums, so no damage to one goes unseen.
    assert outcomes == ({"refused"} if suffix == ".png" else {3, "refused"})


def test_other_formats_and_missing_files_are_refused(tmp_path):
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(PhotoError, match=r"a.png: no picture in a format that can be read \(JPEG"):
        read_photo(tmp_path / "a.png")
    with pytest.raises(PhotoError, match=r"gone.png: No such file"):
        read_photo(tmp_path / "gone.png")
    with pytest.raises(PhotoError, match="Is a directory"):
        read_photo(tmp_path)
