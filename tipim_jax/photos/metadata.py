"""What a photo's file says besides its picture: which way is up, when it was taken, what is in it.

EXIF data is damaged more often than pictures are: what cannot be read of it is left out.
"""

import contextlib
import re
from typing import NamedTuple

from PIL import ExifTags, Image

# Of the first directory, EXIF 2.32's tags 0x010E and so on: what is said of the photo. The others
# are about how a file stores its picture, or hold pictures and programs' own records themselves.
_SAID = (
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.XResolution,
    ExifTags.Base.YResolution,
    ExifTags.Base.ResolutionUnit,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.HostComputer,
    ExifTags.Base.Rating,
    ExifTags.Base.Copyright,
    ExifTags.Base.XPTitle,
    ExifTags.Base.XPComment,
    ExifTags.Base.XPAuthor,
    ExifTags.Base.XPKeywords,
    ExifTags.Base.XPSubject,
)
# The maker's notes can hold a small copy of the photo as it was before it was protected, as can
# tags that the standard does not know. The sizes are those of a picture that was not turned yet.
_UNSAID = (
    ExifTags.Base.MakerNote,
    ExifTags.Base.ExifImageWidth,
    ExifTags.Base.ExifImageHeight,
    ExifTags.IFD.Interop,
)
_KNOWN = {
    ExifTags.IFD.Exif: [tag for tag in ExifTags.TAGS if tag <= ExifTags.Base.Gamma],  # the last one
    ExifTags.IFD.GPSInfo: ExifTags.GPSTAGS,
}
_MOMENT = re.compile(r"\d{4}:\d\d:\d\d \d\d:\d\d:\d\d")

# What a file can hold beside the picture, and what betrays it: names that ISO 21496-1, ISO/IEC
# 23008-12, Apple, Google and Samsung have given them, written in plain text.
_COMPANIONS = {
    "gain map": (b":aux:hdrgainmap", b"hdrgm:Version", b"urn:iso:std:iso:ts:21496:-1"),
    "depth map": (
        b"urn:mpeg:hevc:2015:auxid:2",
        b"urn:mpeg:mpegB:cicp:systems:auxiliary:depth",
        b":aux:depth",
        b":aux:disparity",
        b":aux:portraiteffectsmatte",
        b"http://ns.google.com/photos/1.0/depthmap/",
    ),
    "video": (b"MotionPhoto_Data", b'MotionPhoto="1"', b'MicroVideo="1"'),
}


class Said(NamedTuple):
    """What EXIF data says.

    Attributes:
      orientation: EXIF 2.32, tag 0x0112; 1 is upright.
      exif: all that may be kept, for an upright picture: without orientation, previews and the
        maker's private notes; may be empty.
      taken: the moment of capture alone, as EXIF; may be empty.
      adobe_rgb: the colours are those of Adobe RGB, if no colour profile says otherwise.
    """

    orientation: int = 1
    exif: bytes = b""
    taken: bytes = b""
    adobe_rgb: bool = False


def said(image: Image.Image, content: bytes) -> Said:
    """What the EXIF data of an open picture says.

    Args:
      content: of its file.
    """
    found = Said()
    with contextlib.suppress(Exception):
        exif = image.getexif()
        with contextlib.suppress(Exception):
            found = found._replace(orientation=_orientation(image, exif, content))
        details = exif.get_ifd(ExifTags.IFD.Exif)
        with contextlib.suppress(Exception):
            found = found._replace(taken=_taken(exif, details))
        with contextlib.suppress(Exception):
            # DCF 2.0's option is told by its interoperability index; some cameras number it 2.
            index = exif.get_ifd(ExifTags.IFD.Interop).get(1, "")
            adobe = details.get(ExifTags.Base.ColorSpace) == 2 or index[:3] == "R03"
            found = found._replace(adobe_rgb=adobe)
        kept = Image.Exif()
        for tag in _SAID:
            if tag in exif:
                kept[tag] = exif[tag]
        something = bool(kept)
        for directory, known in _KNOWN.items():
            entries = exif.get_ifd(directory)
            entries = {tag: entries[tag] for tag in known if tag in entries and tag not in _UNSAID}
            if entries:
                kept.get_ifd(directory).update(entries)
                something = True
        found = found._replace(exif=kept.tobytes() if something else b"")
    return found


def companions(content: bytes) -> list[str]:
    """What a file holds beside its picture: "gain map", "depth map", "video"."""
    found = [name for name, signs in _COMPANIONS.items() if any(sign in content for sign in signs)]
    # ISO/IEC 23008-12, 6.6.2.4: the item that joins a picture and its gain map
    if "gain map" not in found and re.search(rb"infe.{8}tmap", _meta(content), re.DOTALL):
        found.insert(0, "gain map")
    return found


def _orientation(image: Image.Image, exif: Image.Exif, content: bytes) -> int:
    """A HEIF file turns its picture by properties of its own, which reading has then done.

    Where it has none of them, EXIF is what is left; the reader has taken it out of there.
    """
    if image.format != "HEIF":
        return exif.get(ExifTags.Base.Orientation, 1)
    turned = any(name in _meta(content) for name in (b"irot", b"imir"))
    return 1 if turned else image.info.get("original_orientation") or 1


def _taken(exif, details) -> bytes:
    """The moment of capture, or the one that comes next to it."""
    candidates = (
        details.get(ExifTags.Base.DateTimeOriginal),
        details.get(ExifTags.Base.DateTimeDigitized),
        exif.get(ExifTags.Base.DateTime),
    )
    moment = next((str(one)[:19] for one in candidates if _MOMENT.match(str(one))), None)
    if moment is None:
        return b""
    kept = Image.Exif()
    kept.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = moment
    part = str(details.get(ExifTags.Base.SubsecTimeOriginal, ""))
    if candidates[0] and part.isascii() and part.isdigit():  # tells a burst's photos apart
        kept.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.SubsecTimeOriginal] = part[:9]
    return kept.tobytes()


def _meta(content: bytes) -> bytes:
    """The `meta` box of a HEIF file (ISO/IEC 14496-12, 8.11.1); empty where there is none."""
    place = 0
    while place + 8 <= len(content):
        size = int.from_bytes(content[place : place + 4], "big")
        if size == 1:
            size = int.from_bytes(content[place + 8 : place + 16], "big")
        if content[place + 4 : place + 8] == b"meta":
            return content[place : place + size] if size else content[place:]
        if size < 8:
            break
        place += size
    return b""
