"""The files that are made of a photo, for a browser and to be saved.

Pictures are RGB, uint8 in [0, 255], height × width × 3.
"""

import errno
import time
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from tipim_jax.app.pages import Photo as PagePhoto
from tipim_jax.photos import (
    Photo,
    PhotoError,
    PhotoFile,
    decode_photo,
    encode_photo,
    output_paths,
    pixel_size,
    write_whole,
)

_SMALL = 960  # longest side of what is shown before there is anything to compare, pixels
_MASK_GAIN = 10
_AROUND = 2.2  # side of what is shown of a face, of its box's longer one


def read(path: Path, name: str, most: int) -> Photo:
    """A photo that was sent; of an animation its first picture.

    Raises:
      PhotoError: it cannot be read, or has more than `most` pixels.
    """
    content = path.read_bytes()
    size = pixel_size(content)
    if size and size[0] * size[1] > most:
        raise PhotoError(
            f"it has {size[0] * size[1] / 1e6:,.0f} million pixels; the page takes photos of up to "
            f"{most // 10**6} million"
        )
    return decode_photo(content, name, first_frame=True)


def write_small(photo: Photo, folder: Path) -> None:
    """small.jpg, which shows the photo as it is."""
    scale = min(1.0, _SMALL / max(photo.pixels.shape[:2]))
    height, width = (max(1, round(scale * side)) for side in photo.pixels.shape[:2])
    pixels = cv2.resize(photo.pixels, (width, height), interpolation=cv2.INTER_AREA)
    small = Photo(pixels, icc_profile=b"" if photo.grey else photo.icc_profile)
    _write(folder / "small.jpg", encode_photo(small, Path("small.jpg")))


def write_compared(
    photo: Photo, after: UInt8[np.ndarray, "height width 3"], folder: Path, name: Path
) -> str:
    """The protected photo, and before.jpg and mask.jpg to be seen beside it, at full size.

    Args:
      photo: as it was.
      after: its protected pixels.
      folder: for the files.
      name: of the protected copy, which says its type.

    Returns:
      the protected photo's file's name in the folder.
    """
    saved = f"after{name.suffix.lower()}"
    protected = replace(photo, pixels=after)
    _write(folder / saved, encode_photo(protected, Path(saved), metadata="dates"))
    before = "before.jpg" if photo.alpha is None else "before.png"
    _write(folder / before, encode_photo(photo, Path(before)))
    _write(folder / "mask.jpg", _jpeg(_mask(photo.pixels, after)))
    return saved


def write_face(
    photo: Photo, after: UInt8[np.ndarray, "height width 3"], box: Sequence[float], folder: Path
) -> None:
    """before.jpg, after.jpg and mask.jpg of one face and what is around it."""
    left, top, width, height = box
    side = _AROUND * max(width, height)
    spans = []
    for start, length, most in ((top, height, after.shape[0]), (left, width, after.shape[1])):
        first = round(min(max(0, start + length / 2 - side / 2), max(0, most - side)))
        spans.append(slice(first, min(most, round(first + side))))
    here = tuple(spans)
    profile = b"" if photo.grey else photo.icc_profile
    for name, pixels in (("before.jpg", photo.pixels), ("after.jpg", after)):
        part = Photo(np.ascontiguousarray(pixels[here]), icc_profile=profile)
        _write(folder / name, encode_photo(part, Path(name)))
    _write(folder / "mask.jpg", _jpeg(_mask(photo.pixels[here], after[here])))


def file_names(photos: Sequence[PagePhoto]) -> list[Path]:
    """What the protected copies are called, each other than the others; as the command does it.

    Of photos that share a name, from several folders say, all but the first are numbered.
    """
    files, taken = [], set()
    for photo in photos:
        name, number = photo.name, 2
        while str(name).casefold() in taken:
            name, number = photo.name.with_stem(f"{photo.name.stem} ({number})"), number + 1
        taken.add(str(name).casefold())
        files.append(PhotoFile(photo.folder / "original", Path(name)))
    nowhere = files[0].source / "named" if files else Path()  # below a file, so that none is there
    return [path.relative_to(nowhere) for path in output_paths(files, nowhere, saved_as="same")]


def write_zip(photos: Sequence[PagePhoto], place: Path) -> None:
    """All protected photos as an archive, with the times of what they were made of.

    Those that are removed meanwhile are left out.
    """
    with zipfile.ZipFile(place, "w", zipfile.ZIP_STORED) as archive:
        for photo, name in zip(photos, file_names(photos), strict=True):
            try:
                content = (photo.folder / photo.saved).read_bytes()
            except FileNotFoundError:
                continue
            entry = zipfile.ZipInfo(name.as_posix(), _moment(photo.modified))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)


def _write(path: Path, content: bytes) -> None:
    """A file that is whole whenever somebody reads it, though it is written anew.

    Raises:
      FileNotFoundError: its folder is gone, as of a photo that was removed.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "the photo was removed", str(path))
    with write_whole(path) as stream:
        stream.write(content)


def _moment(seconds: float | None) -> tuple[int, int, int, int, int, int]:
    """Local time, as archives have it; they know none before 1980 or after 2107."""
    try:
        moment = datetime.fromtimestamp(time.time() if seconds is None else seconds)
    except (OverflowError, OSError, ValueError):
        moment = datetime.now()
    moment = moment if 1980 <= moment.year <= 2107 else datetime.now()
    return moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second


def _mask(before, after) -> UInt8[np.ndarray, "height width 3"]:
    """Ten times what was changed, about mid-grey."""
    return cv2.addWeighted(after, _MASK_GAIN, before, -_MASK_GAIN, 127.5, dtype=cv2.CV_8U)


def _jpeg(pixels) -> bytes:
    return encode_photo(Photo(pixels), Path("mask.jpg"))
