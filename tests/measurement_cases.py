"""Measurements as a sweep makes them."""

from tipim_jax.identification import FIGURES, WITH_THRESHOLD, Estimate, Recognition, Threshold
from tipim_jax.report import Measurement


def row(gamma, name="TIP-IM", value=0.5, surrogates=("mobileface",)):
    about = {
        "surrogates": list(surrogates),
        "method": name,
        "gamma": gamma,
        "epsilon": 12.0,
        "iterations": 4,
        "seed": 0,
        "settings": {"gamma": gamma},
        "folder": f"{gamma}",
    }
    same = Estimate(value, value, value)
    quality = dict.fromkeys(("psnr", "ssim", "mmd", "difference"), same)
    return Measurement(about, 4, quality, recognitions(value))


def recognitions(value):
    figures = dict.fromkeys(FIGURES, Estimate(value, value - 0.1, value + 0.1))
    thresholds = {name: Threshold(0.3, 0.0567) for name in WITH_THRESHOLD}
    return {
        "mobileface": Recognition(False, figures, thresholds, (0.5, 0.75)),
        "sface": Recognition(True, figures | {"rank1_t": None}, {}, (0.5, 0.75)),
    }


CLEAN = Measurement({"method": "clean"}, 4, {}, recognitions(0.0))
