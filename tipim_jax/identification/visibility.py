"""How much an image was changed, and how much of that is seen.

Images are uint8 in [0, 255], RGB: what is measured is the picture as it is saved. PSNR, SSIM and
MMD are of aligned crops, as the paper's are, in batches, NHWC. What is `seen` is measured in the
face's box at the photo's own resolution: of one photo at a time and on the host, since every box
has another size. PSNR and SSIM are dm-pix's, whose value range is [0, 1] unless told otherwise.
Nothing is divided by 255 before it: the quotients of equal pixels part in the last bit when XLA
fuses one division of the two into a multiply-add, and an unchanged image came out at 157 dB. SSIM
is told the peak, PSNR gets it added. All images of a call have one size; each new size compiles
once.
"""

import math
from collections.abc import Mapping

import cv2
import dm_pix as pix
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from tipim_jax.identification.estimates import Estimate, mean
from tipim_jax.identification.faces import PhotoFace, Shown
from tipim_jax.method.budget import SSIM_C2, SSIM_DEVIATION, SSIM_WINDOW
from tipim_jax.method.mmd import mmd
from tipim_jax.method.settings import OFFICIAL_BANDWIDTHS

_PEAK = 255
_C1 = (0.01 * _PEAK) ** 2
_PATCH = 0.02  # standard deviation of the blur that leaves patches alone, as a share of the box
# What `seen` measures, and what it is called for people.
SEEN = {
    "dssim": "DSSIM in the box",
    "box_psnr": "PSNR in the box, dB",
    "colour": "patches of colour",
    "brightness": "patches of brightness",
}


def psnr(
    original: UInt8[Array, "batch height width 3"],
    protected: UInt8[Array, "batch height width 3"],
) -> Float[np.ndarray, " batch"]:
    """PSNR of each image in dB, peak 255: 20 log10(255 / RMS difference).

    A difference of at most e everywhere forces at least 20 log10(255 / e) dB, 26.55 for e = 12.

    Returns:
      float32; infinity for an image that did not change (JSON has no infinity: see
      `report.results.finite_or_none`).

    Raises:
      ValueError: the arrays are not two uint8 batches of one shape.
    """
    _check(original, protected)
    return np.asarray(_psnr(original, protected))


def ssim(
    original: UInt8[Array, "batch height width 3"],
    protected: UInt8[Array, "batch height width 3"],
) -> Float[np.ndarray, " batch"]:
    """SSIM of each image, at most 1 (no change), as Wang et al. 2004 define it.

    Gaussian window of 11x11 pixels, standard deviation 1.5, no padding; K1 = 0.01, K2 = 0.03;
    the mean over pixels and over the three colour channels, each compared on its own.

    Raises:
      ValueError: as `psnr`, or the images are smaller than the window.
    """
    _check(original, protected)
    if min(original.shape[1:3]) < SSIM_WINDOW:
        raise ValueError(
            f"SSIM needs images of at least {SSIM_WINDOW}x{SSIM_WINDOW} pixels, "
            f"found {original.shape[1]}x{original.shape[2]}"
        )
    return np.asarray(_ssim(original, protected))


def published_mmd(
    original: UInt8[Array, "batch height width 3"],
    protected: UInt8[Array, "batch height width 3"],
) -> Float[np.ndarray, " batch"]:
    """MMD of each image as the official code has it (TIP-IM, mmd.py) at its batch size of 1.

    The two sets are the image and its original: Σ_σ 2 − 2 exp(−d² / 2σ), d² the squared distance
    of their pixels and σ one of 19 widths. 0 for an image that did not change, at most 38.

    Raises:
      ValueError: as `psnr`.
    """
    _check(original, protected)
    return np.asarray(_published_mmd(original, protected))


def greatest_difference(original: UInt8[Array, "*shape"], protected: UInt8[Array, "*shape"]) -> int:
    """The greatest absolute difference of any two pixel values, in [0, 255]; 0 for no pixels."""
    difference = np.maximum(original, protected) - np.minimum(original, protected)
    return int(difference.max(initial=0))


def changes(
    original: UInt8[np.ndarray, "faces height width 3"],
    protected: UInt8[np.ndarray, "faces height width 3"],
) -> dict[str, Float[np.ndarray, " faces"]]:
    """How much each face was changed: PSNR (dB), SSIM, MMD, and the greatest difference.

    Raises:
      ValueError: as of the functions that measure these.
    """
    return {
        "psnr": psnr(original, protected),
        "ssim": ssim(original, protected),
        "mmd": published_mmd(original, protected),
        "difference": np.array(
            [greatest_difference(*pair) for pair in zip(original, protected, strict=True)]
        ),
    }


def seen(
    original: UInt8[np.ndarray, "height width 3"],
    protected: UInt8[np.ndarray, "height width 3"],
    box: Float[np.ndarray, " 4"],
) -> dict[str, float]:
    """What is seen of a mask in the face's box, at the photo's resolution.

    Args:
      original, protected: the photo before and after.
      box: left, top, width and height of the face; what of it lies outside the photo is cut off.

    Returns:
      `dssim`: as `dssim`. `box_psnr`: in dB, infinity without a change. `colour`, `brightness`:
      root mean squares, in levels of 255, of the change in Cb and Cr and of that in Y (ITU-R
      BT.601), blurred by 2 % of the box's longer side: patches, waves and wrinkles rather than
      grain. All are NaN where less of the box than SSIM's window lies in the photo.

    Raises:
      ValueError: the photos differ in shape, or are not RGB in uint8.
    """
    structure = dssim(original, protected, box)
    if math.isnan(structure):
        return dict.fromkeys(SEEN, math.nan)
    before, after = (in_box(pixels, box).astype(np.float64) for pixels in (original, protected))
    change = after - before
    error = float(np.mean(change**2))
    patches = cv2.GaussianBlur(change @ _YCBCR.T, (0, 0), _PATCH * max(before.shape[:2]))
    return {
        "dssim": structure,
        "box_psnr": 10 * math.log10(_PEAK**2 / error) if error else math.inf,
        "colour": float(np.sqrt(np.mean(patches[..., 1:] ** 2))),
        "brightness": float(np.sqrt(np.mean(patches[..., 0] ** 2))),
    }


def dssim(
    original: UInt8[np.ndarray, "height width 3"],
    protected: UInt8[np.ndarray, "height width 3"],
    box: Float[np.ndarray, " 4"],
) -> float:
    """(1 − SSIM) / 2 of a face's box, in [0, 1], 0 without a change.

    SSIM as of `ssim`, whose windows lie within the box; arguments and errors as of `seen`. NaN
    where less of the box than such a window lies in the photo.
    """
    return Dssim(original, box)(protected)


class Dssim:
    """`dssim` of one face's box, for several protected versions of a photo."""

    def __init__(self, original: UInt8[np.ndarray, "height width 3"], box: Float[np.ndarray, " 4"]):
        """Takes the photo before, and the box; see `dssim`."""
        self._original, self._box = original, box
        before = in_box(original, box).astype(np.float64)
        self._before = _Moments(before) if min(before.shape[:2]) >= SSIM_WINDOW else None

    def __call__(self, protected: UInt8[np.ndarray, "height width 3"]) -> float:
        """Of the photo after; value and errors as of `dssim`."""
        _check(self._original[None], protected[None])
        if self._before is None:
            return math.nan
        after = _Moments(in_box(protected, self._box).astype(np.float64))
        return (1 - float(_ssim_of(self._before, after).mean())) / 2


def face_changes(before: Shown, after: Shown) -> dict[str, Float[np.ndarray, " 1"]]:
    """The `changes` of one face's crop and, where there are photos around it, what is `seen`.

    Args:
      before: the face as it was.
      after: the same place of the protected photo, or its crop.
    """
    found = changes(before.crop[None], after.crop[None])
    if isinstance(before, PhotoFace):
        visible = seen(before.pixels, after.pixels, before.face.box)
        found |= {name: np.array([one]) for name, one in visible.items()}
    return found


def in_box(
    pixels: UInt8[np.ndarray, "height width 3"], box: Float[np.ndarray, " 4"]
) -> UInt8[np.ndarray, "rows columns 3"]:
    """The part of a photo that a box (left, top, width, height) covers, to whole pixels."""
    left, top, width, height = box
    rows, columns = (
        slice(max(0, round(low)), max(0, round(low + side)))
        for low, side in ((top, height), (left, width))
    )
    return pixels[rows, columns]


def ssim_map(
    before: Float[np.ndarray, "height width 3"], after: Float[np.ndarray, "height width 3"]
) -> Float[np.ndarray, "rows columns 3"]:
    """SSIM at each place where its window of 11 × 11 lies within the image, by channel."""
    return _ssim_of(_Moments(before), _Moments(after))


class _Moments:
    """An image, and its mean and variance in SSIM's window at each place."""

    def __init__(self, image: Float[np.ndarray, "height width 3"]):
        self.image, self.mean = image, _mean_of(image)
        self.variance = _mean_of(image * image) - self.mean * self.mean


def _mean_of(image):
    margin, size = SSIM_WINDOW // 2, (SSIM_WINDOW, SSIM_WINDOW)
    return cv2.GaussianBlur(image, size, SSIM_DEVIATION)[margin:-margin, margin:-margin]


def _ssim_of(one: _Moments, other: _Moments):
    covariance = _mean_of(one.image * other.image) - one.mean * other.mean
    return ((2 * one.mean * other.mean + _C1) * (2 * covariance + SSIM_C2)) / (
        (one.mean**2 + other.mean**2 + _C1) * (one.variance + other.variance + SSIM_C2)
    )


def quality(each: Mapping[str, Float[np.ndarray, " faces"]]) -> dict[str, Estimate | None]:
    """Means over the faces of `changes` and, where they are there, of what is `seen`.

    Of the greatest difference it is the greatest, and `worst_dssim` is that of the worst face. PSNR
    is over the faces that were changed at all. MMD is the official code's, at a batch of one.
    """
    found = {name: mean(np.where(np.isinf(each[name]), np.nan, each[name])) for name in each}
    for name, of in (("difference", "difference"), ("worst_dssim", "dssim")):
        if of in each and not np.isnan(each[of]).all():
            greatest = float(np.nanmax(each[of]))
            found[name] = Estimate(greatest, greatest, greatest)
    return found


@jax.jit
def _psnr(original, protected):
    peak_of_one = pix.psnr(original.astype(jnp.float32), protected.astype(jnp.float32))
    return peak_of_one + 20 * math.log10(_PEAK)


@jax.jit
def _ssim(original, protected):
    return pix.ssim(
        original.astype(jnp.float32),
        protected.astype(jnp.float32),
        max_val=_PEAK,
        filter_size=SSIM_WINDOW,
        filter_sigma=SSIM_DEVIATION,
        k1=0.01,
        k2=0.03,
    )


@jax.jit
def _published_mmd(original, protected):
    def of_one(original, protected):
        sets = (image.reshape(1, -1).astype(jnp.float32) for image in (protected, original))
        return mmd(*sets, jnp.ones(1), OFFICIAL_BANDWIDTHS)

    return jax.vmap(of_one)(original, protected)


# To Y, Cb and Cr, of the change alone, which has no offset.
_YCBCR = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])


def _check(original, protected):
    for image in (original, protected):
        if image.dtype != np.uint8 or image.ndim != 4 or image.shape[-1] != 3:
            raise ValueError(
                f"found an image batch of {image.dtype}{list(image.shape)}, "
                "expected uint8[batch, height, width, 3]: measure the pixels as they are saved"
            )
    if original.shape != protected.shape:
        raise ValueError(
            f"the originals are {list(original.shape)} and the protected images "
            f"{list(protected.shape)}: they must be one shape"
        )
