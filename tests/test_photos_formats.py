"""Photos of all formats are read, by their content, in the colours that they say they have."""

import io
import struct

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from tests.test_photos_reading import picture
from tipim_jax.photos import PhotoError, read_photo


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
