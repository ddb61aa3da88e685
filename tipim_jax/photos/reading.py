"""Reads photos: whatever the file holds becomes upright RGB, uint8 in [0, 255]."""

import contextlib
import functools
import io
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pi_heif
from jaxtyping import UInt8
from PIL import Image, ImageCms

from tipim_jax.photos.colour import (
    ADOBE_CURVE,
    ADOBE_RGB,
    DISPLAY_P3,
    SRGB_CURVE,
    impersonal,
    rgb_profile,
)
from tipim_jax.photos.formats import HEAD, SUFFIXES_OF, picture_format
from tipim_jax.photos.metadata import companions, said

pi_heif.register_heif_opener()

# EXIF orientation: what makes the picture upright (EXIF 2.32, tag 0x0112).
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_FORMATS = tuple(SUFFIXES_OF)
_READABLE = "JPEG, PNG, WebP, HEIC, AVIF, TIFF, BMP, GIF, JPEG 2000, PPM"
_DAMAGED = (
    "the file is damaged, or a picture of an unusual kind; if another program shows it whole, save "
    "it there as JPEG or PNG, otherwise get another copy of it"
)
_ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")  # others of several pictures are no films
# Tags of TIFF 6.0 and of Adobe's Digital Negative 1.7
_NEW_SUBFILE_TYPE, _DNG_VERSION = 254, 50706
_P3 = 12  # ITU-T H.273, table 2

_warning_filters = threading.Lock()


class PhotoError(Exception):
    """A photo that cannot be found, read or written; the message names the file and the reason."""


class _Refused(ValueError):
    """A file that is not read on purpose; the message is for who has it, and no library's."""


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo in memory.

    Attributes:
      pixels: upright, as the file says.
      alpha: the opacity of each pixel, 255 is opaque; None for a photo without transparency.
      icc_profile: colour profile of `pixels`, empty where they are sRGB; of a grey photo that of
        its one channel. Of a device it says no more than its colours.
      exif: EXIF without orientation, previews and the maker's private notes; may be empty.
      taken: EXIF that says when the photo was taken and nothing else; may be empty.
      grey: the file has one channel, which stands in all three.
      quality: that of the JPEG file that it was, by the IJG's tables, in [95, 100]; 95, too, for a
        lower one and for other formats.
      left_out: what the file holds beside this picture: "gain map", "depth map", "video", "further
        pictures".
    """

    pixels: UInt8[np.ndarray, "height width 3"]
    alpha: UInt8[np.ndarray, "height width"] | None = None
    icc_profile: bytes = b""
    exif: bytes = b""
    taken: bytes = b""
    grey: bool = False
    quality: int = 95
    left_out: tuple[str, ...] = ()


def read_photo(path: Path, *, first_frame: bool = False) -> Photo:
    """Reads a photo of one of the formats in `formats.SUFFIXES_OF`, by its content.

    Every kind of picture becomes 8-bit RGB: 16-bit channels are reduced, palettes looked up, grey
    repeated, CMYK converted by its colour profile where it has one. Of a file of several pictures
    (MPO, as some cameras write, bursts, pages) the first is taken, or the one that the file says.

    Args:
      first_frame: take the first picture of an animation.

    Raises:
      PhotoError: the file is missing, damaged, of another format, an animation, or so large that it
        can be a decompression bomb (about 179 million pixels); no other error leaves this function.
    """
    try:
        return _decode(path.read_bytes(), first_frame)
    except Exception as fault:  # decoders of hostile files raise errors of any kind
        raise PhotoError(f"cannot read {path}: {_why(fault)}") from fault


def decode_photo(content: bytes, name: str, *, first_frame: bool = False) -> Photo:
    """As `read_photo`, of a file in memory; its errors call it `name`."""
    try:
        return _decode(content, first_frame)
    except Exception as fault:
        raise PhotoError(f"cannot read {name}: {_why(fault)}") from fault


def pixel_size(content: bytes) -> tuple[int, int] | None:
    """Two sides of a picture in pixels, by its file's header; None where that cannot be read."""
    try:
        with _no_warnings(), Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            return image.size
    except Exception:  # as `decode_photo`, which says what is wrong
        return None


def transparent(path: Path) -> bool:
    """Whether a file says that its picture has transparency; False for a damaged one."""
    try:
        with _no_warnings(), Image.open(path, formats=_FORMATS) as image:
            return image.has_transparency_data
    except Exception:
        return False


def eight_bit(image: Image.Image) -> Image.Image:
    """16-bit grey as 8-bit grey; the library's own conversion would clip it.

    Raises:
      ValueError: its levels are of another kind.
    """
    if image.mode == "F":
        raise _Refused("its levels are no whole numbers; save it with 8 or 16 bits")
    if not image.mode.startswith("I"):
        return image
    levels = np.asarray(image).astype(np.int64)
    if levels.min() < 0 or levels.max() > 65535:
        raise _Refused("its levels are outside [0, 65535]; save it with 8 or 16 bits")
    return Image.fromarray(((levels * 255 + 32767) // 65535).astype(np.uint8))


def _decode(content: bytes, first_frame: bool) -> Photo:
    image_format = picture_format(content[:HEAD])
    if image_format is None:
        if not content:
            raise _Refused("the file is empty; get another copy of it")
        raise _Refused(f"no picture in a format that can be read ({_READABLE})")
    with _no_warnings():
        image = Image.open(io.BytesIO(content), formats=(image_format,))
        _check_kind(image, first_frame)
        further = getattr(image, "n_frames", 1) > 1
    # Of TIFF more of the header is read now; others need not wait for each other.
    with _no_warnings() if image_format == "TIFF" else contextlib.nullcontext():
        image.load()
    with _no_warnings():
        found = said(image, content)
    profile = image.info.get("icc_profile") or _profile_without(image, found.adobe_rgb)
    tables = getattr(image, "quantization", None)
    left_out = companions(content)
    if further and not left_out:
        left_out.append("further pictures")
    turn = _TURNS.get(found.orientation)
    image = image if turn is None else image.transpose(turn)
    if image.mode in ("La", "RGBa"):  # colours multiplied by their opacity
        image = image.convert(image.mode.upper())
    grey = image.mode in ("1", "L", "LA") or image.mode.startswith("I")
    image = eight_bit(image)
    alpha = None
    if image.has_transparency_data:
        # A palette's transparency can lie in its colours; RGBA takes it from wherever it is.
        alpha = np.array(image.convert("RGBA").getchannel("A"))
    rgb, profile = _to_rgb(image, profile)
    return Photo(
        pixels=np.array(rgb),
        alpha=alpha,
        icc_profile=impersonal(profile),
        exif=found.exif,
        taken=found.taken,
        grey=grey,
        quality=_quality(tables[0]) if tables and 0 in tables else 95,
        left_out=tuple(left_out),
    )


def _check_kind(image: Image.Image, first_frame: bool) -> None:
    """Refuses what is no photo, or not the whole of one."""
    if image.format in _ANIMATED and getattr(image, "is_animated", False) and not first_frame:
        raise _Refused(
            f"an animation of {image.n_frames} pictures; only stills are protected, or its first "
            "picture with --first-frame"
        )
    if image.format == "TIFF":
        tags = image.tag_v2
        if _DNG_VERSION in tags or tags.get(_NEW_SUBFILE_TYPE, 0) & 1:
            raise _Refused("a raw photo; export it as JPEG or TIFF")


@contextlib.contextmanager
def _no_warnings():
    """Warnings of the picture library about odd headers are of no use to who reads a thousand."""
    with _warning_filters, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _profile_without(image: Image.Image, adobe_rgb: bool) -> bytes:
    """The colour profile of a picture that has none but says what its colours are."""
    if adobe_rgb:
        return rgb_profile("Adobe RGB (1998) compatible", ADOBE_RGB, ADOBE_CURVE)
    if image.info.get("nclx_profile", {}).get("color_primaries") == _P3:
        return rgb_profile("Display P3 compatible", DISPLAY_P3, SRGB_CURVE)
    return b""


def _to_rgb(image: Image.Image, profile: bytes) -> tuple[Image.Image, bytes]:
    """8-bit RGB and its colour profile."""
    space = profile[16:20]  # ICC.1:2022, 7.2: the colour space of the data
    srgb = ImageCms.createProfile("sRGB")
    if image.mode == "CMYK" and space == b"CMYK":
        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            return ImageCms.profileToProfile(image, source, srgb, outputMode="RGB"), b""
    if image.mode == "LAB":
        lab = ImageCms.createProfile("LAB")
        return ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB"), b""
    kept = {b"RGB ": ("RGB", "RGBA", "P", "PA"), b"GRAY": ("1", "L", "LA")}
    if image.mode not in kept.get(space, ()):
        profile = b""
    if image.mode == "P":  # by way of RGBA, or transparency in the palette brings a warning
        image = image.convert("RGBA")
    return image.convert("RGB"), profile


def _quality(table) -> int:
    """The lowest quality from 95 on whose table for brightness is as fine as this one."""
    return next((q for q in range(95, 100) if sum(_table(q)) <= sum(table)), 100)


@functools.cache
def _table(quality: int) -> list[int]:
    """As the IJG's library, which everybody's is made after, quantises brightness."""
    stream = io.BytesIO()
    Image.new("L", (1, 1)).save(stream, "JPEG", quality=quality)
    return Image.open(stream, formats=("JPEG",)).quantization[0]


def _why(fault: BaseException) -> str:
    """Why a photo cannot be read, in words for who has it; a decoder's own help nobody."""
    if isinstance(fault, Image.DecompressionBombError):
        return f"more than {2 * Image.MAX_IMAGE_PIXELS // 10**6} million pixels"
    if isinstance(fault, MemoryError):
        return "it takes more memory than there is"
    of_system = isinstance(fault, OSError) and fault.strerror
    return reason(fault) if of_system or isinstance(fault, _Refused) else _DAMAGED


def reason(fault: BaseException) -> str:
    """What went wrong, in words for who has the photo."""
    if isinstance(fault, OSError) and fault.strerror:
        return fault.strerror
    return str(fault) or type(fault).__name__
