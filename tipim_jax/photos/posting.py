"""What happens to a photo that is posted: sites scale it down and compress it anew.

A photo is RGB, uint8 in [0, 255], height × width × 3, and comes back as such. Resampling and
encoding are Pillow's.
"""

import io
import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image

_JPEG_SIDE = 65_500  # pixels, libjpeg's JPEG_MAX_DIMENSION


@dataclass(frozen=True, kw_only=True)
class Posting:
    """One way to post a photo, in this order: scaled down, without colour, compressed.

    Attributes:
      scale: of both sides, in (0, 1], by Lanczos' filter; sides are whole numbers, 1 or more.
      grey: keep the luma of ITU-R 601-2 alone, the same in all channels.
      quality: of JPEG, 1 to 95, with colour at half the resolution (4:2:0); None for PNG, which
        changes nothing.
    """

    scale: float = 1.0
    grey: bool = False
    quality: int | None = None

    def __str__(self) -> str:
        parts = []
        if self.scale != 1:
            parts.append(f"scaled to {self.scale:g}")
        if self.grey:
            parts.append("grey")
        if self.quality is not None:
            parts.append(f"JPEG {self.quality}")
        return ", ".join(parts) or "as saved"

    def __call__(self, pixels: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "h w 3"]:
        """The photo as those see it who look at the post.

        Raises:
          ValueError: JPEG cannot hold a photo that is so wide or so high.
        """
        image = Image.fromarray(pixels)
        if self.scale != 1:
            size = [max(1, round(side * self.scale)) for side in image.size]
            image = image.resize(size, Image.Resampling.LANCZOS)
        if self.grey:
            image = image.convert("L")
        if self.quality is not None:
            if max(image.size) > _JPEG_SIDE:
                raise ValueError(
                    f"is {image.width}x{image.height}; JPEG holds sides of {_JPEG_SIDE} at most"
                )
            stream = io.BytesIO()
            image.save(stream, "JPEG", quality=self.quality, subsampling="4:2:0")
            image = Image.open(stream, formats=["JPEG"])
        return np.array(image.convert("RGB"))


AS_SAVED = Posting()
# Beside the photo as it was saved: each scale with each quality, and grey.
POSTINGS = (
    *(
        Posting(scale=scale, quality=quality)
        for scale, quality in itertools.product((1.0, 0.75, 0.5), (None, 95, 90, 75, 50, 30))
        if (scale, quality) != (1.0, None)
    ),
    Posting(grey=True),
)
