"""TIP-IM itself: arrays and functions; no files, no names of networks, no command line."""

from tipim_jax.method.identity import normalise
from tipim_jax.method.iteration import Choice, Problem, State, Surrogate, advance, protect, start
from tipim_jax.method.settings import TipIm

__all__ = [
    "Choice",
    "Problem",
    "State",
    "Surrogate",
    "TipIm",
    "advance",
    "normalise",
    "protect",
    "start",
]
