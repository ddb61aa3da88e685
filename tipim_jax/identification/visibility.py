"""How much an image was changed: peak signal-to-noise ratio, structural similarity, and MMD.

Images are uint8 in [0, 255], RGB, batches in NHWC: what is measured is the picture as it is saved.
The first two are dm-pix's, whose value range is [0, 1] unless told otherwise. Nothing is divided by
255 before it: the quotients of equal pixels part in the last bit when XLA fuses one division of
the two into a multiply-add, and an unchanged image came out at 157 dB. SSIM is told the peak, PSNR
gets it added. All images of a call have one size; each new size compiles once.
"""

import math
from collections.abc import Mapping

import dm_pix as pix
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from tipim_jax.identification.estimates import Estimate, mean
from tipim_jax.method.mmd import mmd
from tipim_jax.method.settings import OFFICIAL_BANDWIDTHS

_PEAK = 255
_SSIM_WINDOW = 11


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
    if min(original.shape[1:3]) < _SSIM_WINDOW:
        raise ValueError(
            f"SSIM needs images of at least {_SSIM_WINDOW}x{_SSIM_WINDOW} pixels, "
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


def quality(each: Mapping[str, Float[np.ndarray, " faces"]]) -> dict[str, Estimate | None]:
    """Means of `changes` over the faces; of the greatest difference it is the greatest.

    PSNR is over the faces that were changed at all. MMD is the official code's, at a batch of one.
    """
    greatest = float(np.max(each["difference"]))
    return {
        "psnr": mean(np.where(np.isinf(each["psnr"]), np.nan, each["psnr"])),
        "ssim": mean(each["ssim"]),
        "mmd": mean(each["mmd"]),
        "difference": Estimate(greatest, greatest, greatest),
    }


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
        filter_size=_SSIM_WINDOW,
        filter_sigma=1.5,
        k1=0.01,
        k2=0.03,
    )


@jax.jit
def _published_mmd(original, protected):
    def of_one(original, protected):
        sets = (image.reshape(1, -1).astype(jnp.float32) for image in (protected, original))
        return mmd(*sets, jnp.ones(1), OFFICIAL_BANDWIDTHS)

    return jax.vmap(of_one)(original, protected)


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
