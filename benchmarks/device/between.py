"""What devices that share a batch send each other: computed from the code, not measured."""

import math
from typing import NamedTuple

import numpy as np

from tipim_jax.method import TipIm

_KEY = 8  # bytes of an image's random key
_GAMMA, _VALID = 4, 1


class Received(NamedTuple):
    """Bytes that each device is sent by the others.

    Attributes:
      call: once a compiled program, that is every `ITERATIONS_A_CALL` iterations.
      iteration: in each iteration.
    """

    call: int
    iteration: int


def received(settings: TipIm, images: int, shape: tuple[int, int], devices: int) -> Received:
    """While a batch is worked on; at its start each device gets the weights, its faces, and in the
    end gives their masks.

    Only the MMD of a group, at γ > 0, looks at the images of other devices: each device gathers the
    whole batch, x^r in each call and x^p in each iteration.

    Args:
      images: number of them in the batch, on all devices together.
      shape: (height, width) of what is protected, in pixels.
    """
    if settings.mmd_group_size == 1 or not np.any(settings.gamma):
        return Received(0, 0)
    others = math.ceil(images / devices) * (devices - 1)
    image = 3 * math.prod(shape) * np.dtype(np.float32).itemsize
    return Received(others * (image + _GAMMA + _VALID), others * (image + _KEY))
