"""Which kind of picture a file is: its first bytes say so, its name need not.

Formats are called as Pillow calls them.
"""

import re
from pathlib import Path

HEAD = 256  # bytes that tell the format

# The names that files of each format go by, the usual one first.
SUFFIXES_OF = {
    "JPEG": (".jpg", ".jpeg", ".jfif", ".jpe", ".jif", ".mpo"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "HEIF": (".heic", ".heif", ".hif", ".heics", ".heifs"),
    "AVIF": (".avif", ".avifs"),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "JPEG2000": (".jp2", ".j2k", ".jpx", ".jpf", ".j2c"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
}
SUFFIXES = tuple(suffix for suffixes in SUFFIXES_OF.values() for suffix in suffixes)

_SIGNATURES = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "WEBP": rb"RIFF....WEBP",
    "TIFF": rb"II\*\0|MM\0\*|II\+\0|MM\0\+",
    "BMP": rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0",  # the header's size is one of these
    "GIF": rb"GIF8[79]a",
    "JPEG2000": rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51",
    "PPM": rb"P[1-6][\s#]",
}
_PATTERNS = {name: re.compile(pattern, re.DOTALL) for name, pattern in _SIGNATURES.items()}
# ISO/IEC 23008-12 and AOM's AV1 Image File Format: what a file's `ftyp` box says it is.
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_HEIF_BRANDS = frozenset(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
)


def picture_format(head: bytes) -> str | None:
    """The format of a file that begins so; None where it is no picture that can be read.

    Args:
      head: its first `HEAD` bytes, or all of a shorter one.
    """
    if head[4:8] == b"ftyp":
        brands = [head[8:12], *_compatible_brands(head)]
        if _AVIF_BRANDS.intersection(brands):
            return "AVIF"
        return "HEIF" if brands[0] in _HEIF_BRANDS else None
    return next((name for name, pattern in _PATTERNS.items() if pattern.match(head)), None)


def format_of(path: Path) -> str | None:
    """As `picture_format`, of a file; None, too, for one that cannot be read."""
    try:
        with open(path, "rb") as stream:
            return picture_format(stream.read(HEAD))
    except OSError:
        return None


def _compatible_brands(head: bytes) -> list[bytes]:
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return [head[place : place + 4] for place in range(16, end - 3, 4)]
