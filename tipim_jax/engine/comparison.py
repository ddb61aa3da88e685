"""Do two pictures show the same person, for a recogniser?"""

import functools
from typing import NamedTuple

import numpy as np

from tipim_jax.backend import backend
from tipim_jax.engine.pictures import Picture, pixels_of
from tipim_jax.identification.recogniser import Recogniser
from tipim_jax.networks import Network
from tipim_jax.photos import NO_FACE, UNSURE, YUNET, FaceDetector, look
from tipim_jax.runtime import configure
from weights_convert import obtain


class Comparison(NamedTuple):
    """What a recogniser makes of two faces.

    Attributes:
      cosine: Likeness of the two, in [-1, 1].
      threshold: Cosine from which the recogniser takes two faces for one person.
      same: Whether it does.
    """

    cosine: float
    threshold: float
    same: bool


def compare(first: Picture, second: Picture, recogniser: str = "sface") -> Comparison:
    """Shows the largest face of each picture to a recogniser, through its own window.

    Args:
      first, second: Paths of photos, PIL images, or uint8 arrays [height, width, 3].
      recogniser: Name of a network with a threshold.

    Raises:
      PhotoError, TypeError, ValueError: a picture is none, or has no face; the network is unknown
        or has no threshold.
      ConversionError: its weights cannot be had.
    """
    configure()
    backend()
    loaded = _loaded(recogniser)
    threshold = loaded.network.threshold
    if threshold is None:
        raise ValueError(f"{recogniser} has no threshold; expected a network that has one")
    seen = [_seen("first", first, loaded.network), _seen("second", second, loaded.network)]
    embeddings = loaded(np.stack(seen))
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    cosine = float(unit[0] @ unit[1])
    return Comparison(cosine, threshold, cosine >= threshold)


def _seen(which: str, picture: Picture, network: Network):
    """The largest face, through the network's own window."""
    pixels = pixels_of(picture).pixels
    faces, unsure = _detector().find(pixels)
    if not faces:
        raise ValueError(f"{UNSURE if unsure else NO_FACE} in the {which} picture")
    return look(pixels, faces[0], network.window, network.input_size)


@functools.cache
def _loaded(name: str) -> Recogniser:
    return Recogniser.load(name)


@functools.cache
def _detector() -> FaceDetector:
    return FaceDetector(obtain(YUNET))
