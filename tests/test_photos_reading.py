"""Photos are read without surprises."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

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


@pytest.mark.parametrize("suffix", [".png", ".webp", ".gif", ".avif"])
def test_of_an_animation_the_first_picture_is_read_where_that_is_asked_for(tmp_path, suffix):
    frames = [Image.new("RGB", (24, 16), colour) for colour in ("red", "green", "blue")]
    path = tmp_path / f"a{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
    with pytest.raises(PhotoError, match=r"animation of 3 pictures.*--first-frame"):
        read_photo(path)
    photo = read_photo(path, first_frame=True)
    assert np.abs(photo.pixels.astype(int) - (255, 0, 0)).max() <= 3
    assert photo.left_out == ("further pictures",)
    assert frames[0].save(path) or read_photo(path).left_out == ()


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.tif", "TIFF"), ("a.bmp", "BMP"), ("a.gif", "GIF"), ("a.jfif", "JPEG"), ("a", "JPEG2000"),
     ("a.ppm", "PPM"), ("IMG_1.HEIC", "HEIF"), ("a.hif", "HEIF"), ("a.avif", "AVIF"),
     ("called.jpg", "HEIF"), ("called.png", "GIF"), ("called.heic", "PNG")],
)  # fmt: skip
def test_all_formats_are_read_by_their_content(tmp_path, name, kind):
    flat = np.full((32, 48, 3), (200, 60, 30), np.uint8)
    Image.fromarray(flat).save(tmp_path / name, kind)
    photo = read_photo(tmp_path / name)
    assert photo.pixels.shape == flat.shape
    assert np.abs(photo.pixels.astype(int) - flat).max() <= 4
    assert not photo.grey and photo.alpha is None and photo.left_out == ()


def test_a_heic_photo_that_turns_itself_is_not_turned_again_by_exif(tmp_path):
    """As phones write it: by `irot`, a quarter turn anticlockwise, and in EXIF as well."""
    upright = np.kron(picture(4, 3), np.ones((16, 16, 1), np.uint8))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 8
    stream = io.BytesIO()
    stored = Image.fromarray(np.ascontiguousarray(upright.swapaxes(0, 1)[:, ::-1]))
    stored.save(stream, "HEIF", quality=-1, exif=exif)
    turned = with_rotation(stream.getvalue())
    (tmp_path / "a.heic").write_bytes(turned)
    photo = read_photo(tmp_path / "a.heic")
    assert photo.pixels.shape == upright.shape
    assert np.abs(photo.pixels.astype(int) - upright).mean() < 3


def with_rotation(content):
    """A HEIF file of one picture with the property `irot` (ISO/IEC 23008-12, 6.5.10) of 90°."""
    box = struct.pack(">I4sB", 9, b"irot", 1)
    data = bytearray(content)
    ipma = data.index(b"ipma") - 4
    size, _, _, _, _, count = struct.unpack_from(">I4sIIHB", data, ipma)
    ipco = data.index(b"ipco") - 4
    end = ipco + struct.unpack_from(">I", data, ipco)[0]
    number, place = 1, ipco + 8  # of the new property: it comes last
    while place < end:
        number += 1
        place += struct.unpack_from(">I", data, place)[0]
    data[ipma + 19 + count : ipma + 19 + count] = bytes([0x80 | number])  # essential
    data[ipma + 18] = count + 1
    struct.pack_into(">I", data, ipma, size + 1)
    data[end:end] = box
    for name, more in ((b"ipco", 9), (b"iprp", 10), (b"meta", 10)):
        place = data.index(name) - 4
        struct.pack_into(">I", data, place, struct.unpack_from(">I", data, place)[0] + more)
    iloc = data.index(b"iloc") - 4
    version, sizes, bases, items = struct.unpack_from(">B3xBBH", data, iloc + 8)
    assert (version, sizes, bases & 0xF0) == (0, 0x44, 0x40), "the layout that libheif writes"
    place = iloc + 16
    for _ in range(items):
        base, extents = struct.unpack_from(">IH", data, place + 4)
        struct.pack_into(">I", data, place + 4, base + 10)
        place += 10 + 8 * extents
    return bytes(data)


@pytest.mark.parametrize("said_by", ["interoperability", "number"])
def test_colours_that_exif_alone_calls_adobe_rgb_are_kept(tmp_path, said_by):
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Camera"
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.ColorSpace] = 0xFFFF if said_by == "interoperability" else 2
    if said_by == "interoperability":
        details[ExifTags.IFD.Interop] = {1: "R03"}
    Image.new("RGB", (16, 16), (0, 255, 0)).save(tmp_path / "a.png", exif=exif)
    profile = read_photo(tmp_path / "a.png").icc_profile
    # Lindbloom's Adobe RGB (1998), D50 adapted by Bradford: the green primary.
    lab = ImageCms.profileToProfile(
        Image.new("RGB", (1, 1), (0, 255, 0)),
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("LAB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="LAB",
    )
    light, a, b = np.asarray(lab).astype(np.int8)[0, 0].tolist()
    xyz = np.array([0.2052767, 0.6256714, 0.0608681]) / (0.9642, 1, 0.8249)
    x, y, z = np.cbrt(xyz)
    assert abs(light % 256 / 2.55 - (116 * y - 16)) < 1
    assert abs(a - 500 * (x - y)) <= 1.5 and abs(b - 200 * (y - z)) <= 1.5
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ColorSpace] = 1
    exif.get_ifd(ExifTags.IFD.Exif).pop(ExifTags.IFD.Interop, None)
    Image.new("RGB", (16, 16)).save(tmp_path / "a.png", exif=exif)
    assert read_photo(tmp_path / "a.png").icc_profile == b""


def test_colours_that_a_heic_file_alone_calls_display_p3_are_kept(tmp_path):
    green = Image.new("RGB", (32, 32), (0, 255, 0))
    green.save(tmp_path / "a.heic", color_primaries=12, transfer_characteristics=13)
    profile = ImageCms.ImageCmsProfile(io.BytesIO(read_photo(tmp_path / "a.heic").icc_profile))
    back = ImageCms.profileToProfile(
        Image.new("RGB", (1, 1), (150, 150, 150)), ImageCms.createProfile("sRGB"), profile
    )
    assert np.abs(np.asarray(back).astype(int) - 150).max() <= 1, "white and curve are sRGB's"
    back = ImageCms.profileToProfile(
        Image.new("RGB", (1, 1), (0, 255, 0)), ImageCms.createProfile("sRGB"), profile
    )
    # W3C's CSS Color 4: color(srgb 0 1 0) is color(display-p3 0.4584 0.9853 0.2983)
    assert np.abs(np.asarray(back)[0, 0] - 255 * np.array([0.4584, 0.9853, 0.2983])).max() <= 1.5


@pytest.mark.parametrize(
    ("sign", "expected"),
    [
        (b'<x:xmpmeta xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"/>',
         "gain map"),
        (b"<apdi:AuxiliaryImageType>urn:com:apple:photo:2020:aux:hdrgainmap<", "gain map"),
        (b"urn:mpeg:hevc:2015:auxid:2", "depth map"),
        (b'<rdf:Description GCamera:MotionPhoto="1"/>', "video"),
    ],
)  # fmt: skip
def test_what_a_file_holds_beside_its_picture_is_known(tmp_path, sign, expected):
    Image.fromarray(picture()).save(tmp_path / "a.jpg", xmp=sign)
    assert read_photo(tmp_path / "a.jpg").left_out == (expected,)


def test_the_first_page_is_read_and_that_there_are_more_is_known(tmp_path):
    pages = [Image.fromarray(picture(seed=seed)) for seed in range(2)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    photo = read_photo(tmp_path / "a.tif")
    np.testing.assert_array_equal(photo.pixels, picture())
    assert photo.left_out == ("further pictures",)


def test_a_raw_photo_is_not_taken_for_its_small_copy(tmp_path):
    Image.fromarray(picture()).save(tmp_path / "a.tif", tiffinfo={254: 1})
    with pytest.raises(PhotoError, match="a raw photo; export it"):
        read_photo(tmp_path / "a.tif")


@pytest.mark.parametrize(("quality", "expected"), [(60, 95), (95, 95), (97, 97), (100, 100)])
def test_the_quality_of_a_jpeg_is_known_where_it_is_high(tmp_path, quality, expected):
    for mode in ("L", "RGB"):
        Image.fromarray(picture()).convert(mode).save(tmp_path / "a.jpg", quality=quality)
        assert read_photo(tmp_path / "a.jpg").quality == expected


def test_grey_is_known(tmp_path):
    for name in ("a.jpg", "a.png", "a.heic", "a.tif"):
        Image.fromarray(picture()).convert("L").save(tmp_path / name)
        assert read_photo(tmp_path / name).grey
        Image.fromarray(picture()).save(tmp_path / name)
        assert not read_photo(tmp_path / name).grey


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
        with pytest.raises(PhotoError, match=rf"cannot read .*part{suffix}: "):
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
