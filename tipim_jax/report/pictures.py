"""Small pictures for the page: uint8 RGB arrays in, PNG or JPEG in a data: address out.

The page shows the neighbourhood of a face, so a face in a group photo is as large as in a portrait.
Pictures are made photo by photo, while the pixels are at hand; only the small ones are kept.
"""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image

_LONGEST_SIDE = 208  # pixels: sharp at the page's size on common screens, sixty faces below 6 MB
_MASK_GAIN = 10


@dataclass(frozen=True)
class Picture:
    """An encoded picture: a data: address and its size in pixels."""

    address: str
    width: int
    height: int


@dataclass(frozen=True)
class FacePictures:
    """One face as the page shows it: before, after, and the difference made visible."""

    original: Picture
    protected: Picture
    mask: Picture


def picture(image: UInt8[np.ndarray, "height width 3"]) -> Picture:
    """A photo scaled down (never up) to a small JPEG, quality 90, without chroma subsampling."""
    buffer = io.BytesIO()
    small = Image.fromarray(_checked(image))
    small = small.resize(_small(small.size), Image.Resampling.LANCZOS)
    small.save(buffer, "JPEG", quality=90, subsampling=0)
    return _embedded(buffer.getvalue(), "image/jpeg", small)


def png_picture(path: Path) -> Picture:
    """A PNG file as it is."""
    content = path.read_bytes()
    with Image.open(io.BytesIO(content)) as image:
        return _embedded(content, "image/png", image)


def face_pictures(
    original: UInt8[np.ndarray, "height width 3"],
    protected: UInt8[np.ndarray, "height width 3"],
    box: tuple[int, int, int, int],
) -> FacePictures:
    """The face in `box` (left, top, width, height) with its surroundings, from both photos.

    The mask is drawn as 127.5 + 10 * (protected - original): mid-grey where nothing changed. It
    stays within [0, 255] up to a difference of 12; greater ones are cut there.
    """
    if original.shape != protected.shape:
        raise ValueError(
            f"the original is {list(original.shape)} and the protected photo "
            f"{list(protected.shape)}: they must be one size"
        )
    region = _around(box, *original.shape[:2])
    before, after = _checked(original)[region], _checked(protected)[region]
    return FacePictures(picture(before), picture(after), _mask_picture(before, after))


def _mask_picture(before, after) -> Picture:
    difference = cv2.subtract(after, before, dtype=cv2.CV_32F)
    difference = cv2.resize(difference, _small(after.shape[1::-1]), interpolation=cv2.INTER_AREA)
    visible = np.clip(np.rint(127.5 + _MASK_GAIN * difference), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    small = Image.fromarray(visible)
    small.save(buffer, "PNG", optimize=True)
    return _embedded(buffer.getvalue(), "image/png", small)


def _around(box, height: int, width: int) -> tuple[slice, slice]:
    """The square 1.8 times the face, moved into the photo, or cut where the photo is smaller."""
    left, top, box_width, box_height = box
    side = max(1, round(1.8 * max(box_width, box_height)))
    x = _start(left + box_width / 2, side, width)
    y = _start(top + box_height / 2, side, height)
    return slice(y, y + side), slice(x, x + side)


def _start(centre: float, side: int, length: int) -> int:
    return max(0, min(round(centre - side / 2), length - side))


def _small(size: tuple[int, int]) -> tuple[int, int]:
    scale = min(1.0, _LONGEST_SIDE / max(size))
    return tuple(max(1, round(scale * side)) for side in size)


def _checked(image):
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(
            f"found a picture of {image.dtype}{list(image.shape)}, expected uint8[height, width, 3]"
        )
    return np.ascontiguousarray(image)


def _embedded(content: bytes, media_type: str, image: Image.Image) -> Picture:
    text = base64.b64encode(content).decode("ascii")
    return Picture(f"data:{media_type};base64,{text}", *image.size)
