"""Reads photos: whatever the file holds becomes upright RGB, uint8 in [0, 255]."""

import contextlib
import io
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image, ImageCms

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
SUFFIXES = tuple(FORMATS)

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

_warning_filters = threading.Lock()


class PhotoError(Exception):
    """A photo that cannot be found, read or written; the message names the file and the reason."""


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo in memory.

    Attributes:
      pixels: upright, as the EXIF orientation says.
      alpha: the opacity of each pixel, 255 is opaque; None for a photo without transparency.
      icc_profile: colour profile of `pixels`, empty where they are sRGB.
      exif: EXIF without orientation, previews and the maker's private notes; may be empty.
    """

    pixels: UInt8[np.ndarray, "height width 3"]
    alpha: UInt8[np.ndarray, "height width"] | None = None
    icc_profile: bytes = b""
    exif: bytes = b""


def read_photo(path: Path) -> Photo:
    """Reads a PNG, JPEG or WebP photo, by its content, whatever its name.

    Every kind of picture becomes 8-bit RGB: 16-bit channels are reduced, palettes looked up, grey
    repeated, CMYK converted by its colour profile where it has one. Of a picture made of several
    (MPO, as some cameras write) the first is taken.

    Raises:
      PhotoError: the file is missing, damaged, of another format, an animation, or so large that it
        can be a decompression bomb (about 179 million pixels); no other error leaves this function.
    """
    try:
        with open(path, "rb") as stream:
            return _decode(stream)
    except Exception as fault:  # decoders of hostile files raise errors of any kind
        raise PhotoError(f"cannot read {path}: {reason(fault)}") from fault


def decode_photo(content: bytes, name: str) -> Photo:
    """As `read_photo`, of a file in memory; its errors call it `name`."""
    try:
        return _decode(io.BytesIO(content))
    except Exception as fault:
        raise PhotoError(f"cannot read {name}: {reason(fault)}") from fault


def _decode(stream) -> Photo:
    with _no_warnings():
        image = Image.open(stream, formats=("PNG", "JPEG", "WEBP"))
        if getattr(image, "is_animated", False) and image.format != "MPO":
            raise ValueError(
                f"an animation of {image.n_frames} pictures; only stills are protected"
            )
    image.load()
    profile = image.info.get("icc_profile") or b""
    with _no_warnings():
        image, exif = _upright(image)
    image = _eight_bit(image)
    alpha = None
    if image.has_transparency_data:
        # A palette's transparency can lie in its colours; RGBA takes it from wherever it is.
        alpha = np.array(image.convert("RGBA").getchannel("A"))
    rgb, profile = _to_rgb(image, profile)
    return Photo(np.array(rgb), alpha, profile, exif)


@contextlib.contextmanager
def _no_warnings():
    """Warnings of the picture library about odd headers are of no use to who reads a thousand."""
    with _warning_filters, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _upright(image: Image.Image) -> tuple[Image.Image, bytes]:
    """The picture turned as its EXIF data says, and what may be kept of that data."""
    kept = b""
    # Damaged EXIF data is no reason to leave a sound photo unprotected.
    with contextlib.suppress(Exception):
        exif = image.getexif()
        turn = _TURNS.get(exif.pop(ExifTags.Base.Orientation, 1))
        image = image if turn is None else image.transpose(turn)
        # The maker's notes can hold a small copy of the photo as it was before it was protected,
        # and so does the second directory, which `tobytes` leaves out.
        exif.get_ifd(ExifTags.IFD.Exif).pop(ExifTags.Base.MakerNote, None)
        kept = exif.tobytes() if len(exif) else b""
    return image, kept


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit grey as 8-bit grey; the library's own conversion would clip it."""
    if not image.mode.startswith("I"):
        return image
    levels = np.asarray(image).astype(np.uint32)
    return Image.fromarray(((levels * 255 + 32767) // 65535).astype(np.uint8))


def _to_rgb(image: Image.Image, profile: bytes) -> tuple[Image.Image, bytes]:
    """8-bit RGB and its colour profile."""
    space = profile[16:20]  # ICC.1:2022, 7.2: the colour space of the data
    if image.mode == "CMYK" and space == b"CMYK":
        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            srgb = ImageCms.createProfile("sRGB")
            return ImageCms.profileToProfile(image, source, srgb, outputMode="RGB"), b""
    if image.mode not in ("RGB", "RGBA", "P", "PA") or space != b"RGB ":
        profile = b""
    if image.mode == "P":  # by way of RGBA, or transparency in the palette brings a warning
        image = image.convert("RGBA")
    return image.convert("RGB"), profile


def reason(fault: BaseException) -> str:
    """What went wrong, in words for who has the photo."""
    if isinstance(fault, Image.UnidentifiedImageError):
        return "not a PNG, JPEG or WebP picture, or damaged at its start"
    if isinstance(fault, Image.DecompressionBombError):
        return f"more than {2 * Image.MAX_IMAGE_PIXELS // 10**6} million pixels"
    if isinstance(fault, OSError) and fault.strerror:
        return fault.strerror
    return str(fault) or type(fault).__name__
