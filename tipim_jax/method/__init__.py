"""TIP-IM itself: arrays and functions; no files, no names of networks, no command line."""

from tipim_jax.method.batch import advance, iterations_a_call, protect, start
from tipim_jax.method.identity import normalise
from tipim_jax.method.iteration import Choice, Problem, State
from tipim_jax.method.keys import image_keys
from tipim_jax.method.layout import Layout
from tipim_jax.method.settings import TipIm
from tipim_jax.method.surrogate import Surrogate
from tipim_jax.tip_im import PRESETS

__all__ = [
    "PRESETS",
    "Choice",
    "Layout",
    "Problem",
    "State",
    "Surrogate",
    "TipIm",
    "advance",
    "image_keys",
    "iterations_a_call",
    "normalise",
    "protect",
    "start",
]
