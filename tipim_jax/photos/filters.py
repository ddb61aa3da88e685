"""What else happens to a photo: filters of sites, of phones, and of who wants to undo a mask.

A photo is RGB, uint8 in [0, 255], height × width × 3, and comes back as such, of the same size. The
filters are OpenCV's and Pillow's, with borders as theirs.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

Pixels = UInt8[np.ndarray, "height width 3"]
_SEED = 0


@dataclass(frozen=True, eq=False)
class Filter:
    """One way to change a photo.

    Attributes:
      name: For people.
      apply: What it does.
    """

    name: str
    apply: Callable[[Pixels], Pixels]

    def __str__(self) -> str:
        return self.name

    def __call__(self, pixels: Pixels) -> Pixels:
        return self.apply(np.ascontiguousarray(pixels))


def _blur(deviation: float) -> Filter:
    return Filter(
        f"Gaussian blur {deviation:g}", lambda pixels: cv2.GaussianBlur(pixels, (0, 0), deviation)
    )


def _median(side: int) -> Filter:
    return Filter(f"median {side}x{side}", lambda pixels: cv2.medianBlur(pixels, side))


def _pillow(name: str, apply: Callable[[Image.Image], Image.Image]) -> Filter:
    return Filter(name, lambda pixels: np.array(apply(Image.fromarray(pixels)).convert("RGB")))


def _noise(pixels: Pixels) -> Pixels:
    """The same noise in every photo of one size."""
    noise = np.random.default_rng(_SEED).normal(0, 4, pixels.shape)
    return _rounded(pixels + noise)


def _there_and_back(scale: float) -> Callable[[Image.Image], Image.Image]:
    def apply(image: Image.Image) -> Image.Image:
        size = [max(1, round(side * scale)) for side in image.size]
        return image.resize(size, Image.Resampling.LANCZOS).resize(
            image.size, Image.Resampling.LANCZOS
        )

    return apply


def _webp(image: Image.Image) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=80)
    return Image.open(stream, formats=["WEBP"])


def _grey_world(pixels: Pixels) -> Pixels:
    """The mean of all pixels becomes grey, as a phone's white balance would have it."""
    means = pixels.mean(axis=(0, 1))
    return _rounded(pixels * (means.mean() / np.maximum(means, 1)))


def _rounded(pixels) -> Pixels:
    return np.rint(np.clip(pixels, 0, 255)).astype(np.uint8)


# Standard deviations, sides and strengths are in pixels and levels of 255; bilateral and non-local
# means as OpenCV's own examples have them.
FILTERS = (
    *map(_blur, (0.5, 1, 2)),
    *map(_median, (3, 5)),
    Filter("bilateral", lambda pixels: cv2.bilateralFilter(pixels, 9, 75, 75)),
    Filter(
        "non-local means",
        lambda pixels: cv2.fastNlMeansDenoisingColored(pixels, None, 10, 10, 7, 21),
    ),
    _pillow("sharpened", lambda image: image.filter(ImageFilter.UnsharpMask())),
    Filter("noise 4", _noise),
    _pillow("half the size and back", _there_and_back(0.5)),
    _pillow("twice the size and back", _there_and_back(2)),
    _pillow("WebP 80", _webp),
    Filter("32 levels", lambda pixels: pixels // 8 * 8 + 4),
    _pillow("automatic contrast", lambda image: ImageOps.autocontrast(image, cutoff=1)),
    _pillow("contrast 1.3", lambda image: ImageEnhance.Contrast(image).enhance(1.3)),
    Filter("white balance", _grey_world),
)
