"""Do two pictures show the same person, for a recogniser?"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tipim_jax.backend import backend
from tipim_jax.engine.pictures import Picture, pixels_of
from tipim_jax.identification.faces import PhotoFace
from tipim_jax.identification.recogniser import Recogniser
from tipim_jax.photos import NO_FACE, UNSURE, YUNET, FaceDetector
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
    (cosine,) = pair_cosines(loaded, [(_largest("first", first), _largest("second", second))])
    return Comparison(cosine, threshold, cosine >= threshold)


def pair_cosines(
    recogniser: Recogniser, pairs: Sequence[tuple[PhotoFace, PhotoFace]]
) -> list[float]:
    """How alike the two faces of each pair are to a recogniser, in [-1, 1]."""
    seen = [face.to(recogniser.looking) for pair in pairs for face in pair]
    embeddings = recogniser(np.stack(seen))
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    return [float(one @ other) for one, other in zip(unit[::2], unit[1::2], strict=True)]


def _largest(which: str, picture: Picture) -> PhotoFace:
    """The largest face."""
    pixels = pixels_of(picture).pixels
    faces, unsure = _detector().find(pixels)
    if not faces:
        raise ValueError(f"{UNSURE if unsure else NO_FACE} in the {which} picture")
    return PhotoFace(pixels, faces[0])


@functools.cache
def _loaded(name: str) -> Recogniser:
    return Recogniser.load(name)


@functools.cache
def _detector() -> FaceDetector:
    return FaceDetector(obtain(YUNET))
