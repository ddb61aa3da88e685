"""Damaged and hostile pictures of all formats, and a process that reads them.

    python -m tests.mutated_photos SEED FIRST COUNT

reads so many of the pictures that the seed gives, from number FIRST on, and prints a line before
each and one when all are read. It ends by a signal where a decoder crashes, or takes more than
five seconds of CPU time for one.
"""

import io
import signal
import struct
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pi_heif
import pillow_heif
from PIL import Image

from tipim_jax.photos import PhotoError, decode_photo, read_photo

pillow_heif.register_heif_opener()  # writes HEIC, which the product does not
pi_heif.register_heif_opener()  # reads it, as in the product

_MOST = 5.0  # seconds of CPU time a file
_GIANT = (0, 1, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF, 13_000)


def sound() -> dict[str, bytes]:
    """One picture in each format and kind of coding, by name."""
    rng = np.random.default_rng(0)
    smooth = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).resize((96, 72))
    grey = smooth.convert("L")
    exif = Image.Exif()
    exif[274], exif[36867] = 6, "2024:01:01 00:00:00"
    frames = {"save_all": True, "append_images": [smooth.rotate(90)] * 2}
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    kinds = {
        "jpeg": (smooth, "JPEG", {"exif": exif}),
        "progressive": (smooth, "JPEG", {"progressive": True, "subsampling": 2}),
        "cmyk": (smooth.convert("CMYK"), "JPEG", {}),
        "mpo": (smooth, "MPO", frames),
        "png": (smooth, "PNG", {"exif": exif}),
        "palette": (smooth.quantize(16), "PNG", {"transparency": 3}),
        "deep": (deep, "PNG", {}),
        "apng": (smooth, "PNG", frames),
        "webp": (smooth, "WEBP", {"exif": exif}),
        "lossless": (smooth.convert("RGBA"), "WEBP", {"lossless": True}),
        "moving": (smooth, "WEBP", frames),
        "tiff": (smooth, "TIFF", {}),
        "lzw": (smooth, "TIFF", {"compression": "tiff_lzw"}),
        "deflate": (deep, "TIFF", {"compression": "tiff_deflate"}),
        "jpeg-tiff": (smooth, "TIFF", {"compression": "jpeg"}),
        "fax": (smooth.convert("1"), "TIFF", {"compression": "group4"}),
        "bmp": (smooth, "BMP", {}),
        "bmp-palette": (smooth.quantize(16), "BMP", {}),
        "gif": (smooth.quantize(64), "GIF", {}),
        "gif-frames": (smooth, "GIF", frames),
        "avif": (smooth, "AVIF", {}),
        "avif-frames": (smooth, "AVIF", frames),
        "jpeg2000": (smooth, "JPEG2000", {}),
        "ppm": (smooth, "PPM", {}),
        "ico": (smooth, "ICO", {}),
        "tga": (smooth, "TGA", {}),
        "heic": (smooth, "HEIF", {"exif": exif}),
        "heic-several": (smooth, "HEIF", frames),
    }
    made = {}
    for name, (image, image_format, options) in kinds.items():
        stream = io.BytesIO()
        image.save(stream, image_format, **options)
        made[name] = stream.getvalue()
    return made


def mutated(seed: int, number: int, whole: dict[str, bytes]) -> tuple[str, bytes]:
    """A picture that is damaged in one way or two, and what was done to which."""
    rng = np.random.default_rng((seed, number))
    name = list(whole)[number % len(whole)]
    content, done = whole[name], [name]
    for _ in range(rng.integers(1, 3)):
        way = _WAYS[rng.integers(len(_WAYS))]
        content = way(rng, bytes(content), whole)
        done.append(way.__name__.strip("_"))
    return " ".join(done), bytes(content)


def _flipped(rng, content, whole):
    changed = bytearray(content)
    for _ in range(rng.integers(1, 9)) if content else ():
        changed[rng.integers(len(changed))] ^= 1 << rng.integers(8)
    return changed


def _flipped_at_the_start(rng, content, whole):
    return bytes(_flipped(rng, content[:64], whole)) + content[64:]


def _cut(rng, content, whole):
    return content[: rng.integers(len(content) + 1)]


def _without_a_part(rng, content, whole):
    first, last = sorted(rng.integers(0, len(content) + 1, 2))
    return content[:first] + content[last:]


def _twice_a_part(rng, content, whole):
    first, last = sorted(rng.integers(0, len(content) + 1, 2))
    return content[:last] + content[first:]


def _noise_in_it(rng, content, whole):
    place = rng.integers(len(content) + 1)
    return content[:place] + rng.bytes(rng.integers(1, 400)) + content[place:]


def _another_start(rng, content, whole):
    other = whole[list(whole)[rng.integers(len(whole))]]
    return other[: rng.integers(2, 200)] + content[rng.integers(0, 200) :]


def _giant_number(rng, content, whole):
    """A number of two or four bytes anywhere near the start, where sizes and offsets stand."""
    value = int(_GIANT[rng.integers(len(_GIANT))])
    form = ("<I", ">I")[rng.integers(2)] if value > 0xFFFF else ("<H", ">H")[rng.integers(2)]
    place = rng.integers(max(1, min(len(content), 600)))
    packed = struct.pack(form, value)
    return content[:place] + packed + content[place + len(packed) :]


def _giant_size(rng, content, whole):
    """The declared width and height, where they are known to stand."""
    width, height = (int(rng.choice([0, 1, 9000, 13_300, 40_000, 65_535])) for _ in range(2))
    changed = bytearray(content)
    if content[:8] == b"\x89PNG\r\n\x1a\n" and len(content) > 33:
        changed[16:24] = struct.pack(">II", width, height)
        changed[29:33] = struct.pack(">I", zlib.crc32(changed[12:29]))
    elif content[:3] == b"GIF" and len(content) > 10:
        changed[6:10] = struct.pack("<HH", width, height)
    elif content[:2] == b"BM" and len(content) > 26:
        changed[18:26] = struct.pack("<ii", width, height)
    elif (place := content.find(b"ispe")) > 0:
        changed[place + 8 : place + 16] = struct.pack(">II", width, height)
    else:
        for mark in (b"\xff\xc0", b"\xff\xc2"):  # the frame's header of JPEG
            if (place := content.find(mark)) > 0:
                changed[place + 5 : place + 9] = struct.pack(">HH", height, width)
    return changed


_WAYS = (
    _flipped,
    _flipped_at_the_start,
    _cut,
    _without_a_part,
    _twice_a_part,
    _noise_in_it,
    _another_start,
    _giant_number,
    _giant_size,
)


def _read(content: bytes, by_path: bool, folder: Path) -> str:
    """What comes of it; anything but a photo or a PhotoError leaves this function."""
    path = folder / "photo"
    try:
        if by_path:
            path.write_bytes(content)
            photo = read_photo(path)
        else:
            photo = decode_photo(content, "photo")
    except PhotoError as error:
        assert str(error).startswith("cannot read ") and "photo: " in str(error), str(error)
        return f"refused {error}"
    height, width, channels = photo.pixels.shape
    assert photo.pixels.dtype == np.uint8 and channels == 3 and height and width
    assert photo.alpha is None or photo.alpha.shape == (height, width)
    return f"read {width}x{height}"


def main(seed: int, first: int, count: int) -> None:
    whole = sound()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, first + count):
            done, content = mutated(seed, number, whole)
            print(f"{number} {done}", flush=True)
            signal.setitimer(signal.ITIMER_PROF, _MOST)  # whose signal ends the process
            found = _read(content, number % 2 == 0, Path(folder))
            signal.setitimer(signal.ITIMER_PROF, 0)
            print(f"  {found}")
    print("all read", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
