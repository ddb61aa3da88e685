"""Writes photos: the picture, its transparency, its colour profile and what metadata is asked.

Without its colour profile the colours would change.
"""

import io
from pathlib import Path
from typing import Literal

from PIL import Image

from tipim_jax.disk import write_whole
from tipim_jax.photos.reading import Photo, PhotoError, reason

# none: nothing; dates: the moment of capture; all: the EXIF data, the place included
Metadata = Literal["none", "dates", "all"]

WRITTEN = dict.fromkeys((".jpg", ".jpeg", ".jfif", ".jpe", ".jif"), "JPEG") | {".png": "PNG"}


def write_photo(path: Path, photo: Photo, *, metadata: Metadata = "none") -> None:
    """Writes what `encode_photo` gives: all of it or nothing.

    The folder is made where it is missing. A file that is already there is replaced at the end,
    when the new one is complete.

    Raises:
      PhotoError: as `encode_photo`, or the disk failed.
    """
    content = encode_photo(photo, path, metadata=metadata)
    try:
        with write_whole(path) as stream:
            stream.write(content)
    except OSError as fault:
        raise PhotoError(f"cannot write {path}: {reason(fault)}") from fault


def encode_photo(photo: Photo, path: Path, *, metadata: Metadata = "none") -> bytes:
    """A photo in the format that a path's suffix names; a grey one with one channel.

    PNG is lossless. JPEG has the photo's own quality, 95 at least, without subsampling of colour
    (4:4:4), as fine as the mask's (docs/protection.md).

    Args:
      photo: to encode.
      path: ends in a suffix of PNG or JPEG; nothing is written there.
      metadata: what to keep of it. Thumbnails, which would show the face as it was, the maker's
        notes and the way that the picture was turned are never kept.

    Raises:
      PhotoError: the suffix is another, or the format cannot hold the photo.
    """
    image_format = WRITTEN.get(path.suffix.lower())
    if image_format is None:
        raise PhotoError(
            f"cannot write {path}: its suffix is {path.suffix or 'missing'!r}, "
            f"expected one of {', '.join(WRITTEN)}"
        )
    if image_format == "JPEG" and photo.alpha is not None:
        raise PhotoError(f"cannot write {path}: JPEG has no transparency; write PNG")
    image = Image.fromarray(photo.pixels)
    if photo.grey:
        image = image.convert("L")
    if photo.alpha is not None:
        image.putalpha(Image.fromarray(photo.alpha))
    stream = io.BytesIO()
    try:
        # PNG takes neither quality nor subsampling.
        image.save(
            stream,
            format=image_format,
            quality=photo.quality,
            subsampling=0,
            icc_profile=photo.icc_profile,
            exif={"none": b"", "dates": photo.taken, "all": photo.exif}[metadata],
        )
    except Exception as fault:
        raise PhotoError(f"cannot write {path}: {reason(fault)}") from fault
    return stream.getvalue()
