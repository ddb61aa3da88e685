"""Pictures as callers have them: paths, arrays and PIL images."""

import hashlib
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from tipim_jax.photos import PhotoError, decode_photo, eight_bit

Picture = str | PathLike | Image.Image | UInt8[np.ndarray, "height width 3"]


class Pixels(NamedTuple):
    """A picture as pixels.

    Attributes:
      pixels: Upright, RGB.
      digest: Hash of the file's content; empty for what is no file.
    """

    pixels: UInt8[np.ndarray, "height width 3"]
    digest: str


def pixels_of(picture: Picture, *, first_frame: bool = False) -> Pixels:
    """A picture, read where it is a file, upright as its EXIF data says.

    Args:
      first_frame: of a file that is an animation its first picture.

    Raises:
      PhotoError: a file that is missing, damaged or no photo.
      ValueError: an array that is no uint8 RGB picture, or a PIL image whose levels are no whole
        numbers of 8 or 16 bits.
      TypeError: neither path, array nor PIL image.
    """
    if isinstance(picture, str | PathLike):
        path = Path(picture)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise PhotoError(f"cannot read {path}: {error.strerror}") from None
        photo = decode_photo(content, str(path), first_frame=first_frame)
        return Pixels(photo.pixels, hashlib.sha256(content).hexdigest())
    if isinstance(picture, Image.Image):
        upright = eight_bit(ImageOps.exif_transpose(picture))
        return Pixels(np.array(upright.convert("RGB")), "")
    if isinstance(picture, np.ndarray):
        return Pixels(_checked(picture), "")
    raise TypeError(
        f"found a picture of type {type(picture).__name__}; expected a path, a PIL image or a "
        "uint8 array [height, width, 3]"
    )


def _checked(array: np.ndarray) -> np.ndarray:
    if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3 and array.size:
        return array
    way_out = ""
    if array.dtype != np.uint8:
        way_out = "; levels in [0, 255] become uint8 by `numpy.rint(x).astype(numpy.uint8)`"
        if array.size and np.issubdtype(array.dtype, np.floating) and np.nanmax(array) <= 1:
            way_out = "; levels in [0, 1] become uint8 by `numpy.rint(255 * x).astype(numpy.uint8)`"
    elif array.ndim == 2:
        way_out = "; grey becomes RGB by `numpy.repeat(x[..., None], 3, axis=2)`"
    elif array.ndim == 3 and array.shape[2] == 4:
        way_out = "; without its opacity it is `x[..., :3]`"
    elif array.ndim == 3 and array.shape[0] == 3:
        way_out = "; channels come last: `x.transpose(1, 2, 0)`"
    elif array.ndim == 4:
        way_out = "; several pictures go to `protect_many`"
    raise ValueError(
        f"found an array of {array.dtype} {list(array.shape)}, expected uint8 [height, width, 3], "
        f"RGB in [0, 255]{way_out}"
    )
