"""Writes photos: the picture, its transparency and its colour profile, and nothing else.

Without its colour profile the colours would change.
"""

import contextlib
import io
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from tipim_jax.disk import replace
from tipim_jax.photos.reading import FORMATS, SUFFIXES, Photo, PhotoError, reason


def write_photo(path: Path, photo: Photo, *, keep_metadata: bool = False) -> None:
    """Writes what `encode_photo` gives: all of it or nothing.

    The folder is made where it is missing. A file that is already there is replaced at the end,
    when the new one is complete.

    Raises:
      PhotoError: as `encode_photo`, or the disk failed.
    """
    content = encode_photo(photo, path, keep_metadata=keep_metadata)
    try:
        with write_whole(path) as stream:
            stream.write(content)
    except OSError as fault:
        raise PhotoError(f"cannot write {path}: {reason(fault)}") from fault


def encode_photo(photo: Photo, path: Path, *, keep_metadata: bool = False) -> bytes:
    """A photo in the format that a path's suffix names.

    PNG and WebP are lossless, JPEG has quality 95 without subsampling of colour (4:4:4).

    Args:
      photo: to encode.
      path: ends in .png, .jpg, .jpeg or .webp; nothing is written there.
      keep_metadata: keep the EXIF data too, the place where the photo was taken included.

    Raises:
      PhotoError: the suffix is another, or the format cannot hold the photo.
    """
    image_format = FORMATS.get(path.suffix.lower())
    if image_format is None:
        raise PhotoError(
            f"cannot write {path}: its suffix is {path.suffix or 'missing'!r}, "
            f"expected one of {', '.join(SUFFIXES)}"
        )
    if image_format == "JPEG" and photo.alpha is not None:
        raise PhotoError(f"cannot write {path}: JPEG has no transparency; write PNG or WebP")
    image = Image.fromarray(photo.pixels)
    if photo.alpha is not None:
        image.putalpha(Image.fromarray(photo.alpha))
    stream = io.BytesIO()
    try:
        # Each encoder takes what is its own of these. `exact` keeps colours that are fully
        # transparent.
        image.save(
            stream,
            format=image_format,
            quality=95 if image_format == "JPEG" else 50,  # for WebP the effort, not a loss
            subsampling=0,
            lossless=True,
            exact=True,
            icc_profile=photo.icc_profile,
            exif=photo.exif if keep_metadata else b"",
        )
    except Exception as fault:
        raise PhotoError(f"cannot write {path}: {reason(fault)}") from fault
    return stream.getvalue()


@contextlib.contextmanager
def write_whole(path: Path) -> Iterator[BinaryIO]:
    """A stream to write a file with: at the end it is there whole, or, after an error, not at all.

    The folder is made where it is missing; a file that is already there is replaced at the end.
    """
    partial = path.with_name(f".{secrets.token_hex(8)}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(partial, "xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        replace(partial, path)
    except BaseException as fault:  # KeyboardInterrupt too leaves no partial file
        if isinstance(fault, OSError) and str(fault.filename) in ("None", str(partial)):
            fault.filename, fault.filename2 = str(path), None
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
