"""What the page asks of the engine, and the engine: `Protector`, loaded when it is first needed.

Pictures are RGB, uint8 in [0, 255], height × width × 3, upright.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from jaxtyping import UInt8

from tipim_jax.app.strengths import Strength, strengths
from tipim_jax.engine import defaults
from tipim_jax.photos import YUNET, Face, FaceDetector, region
from weights_convert import ConversionError, obtain

if TYPE_CHECKING:
    from tipim_jax.engine import Protector
    from tipim_jax.identification import Recogniser

_SAME_FACE = 0.5  # of the union of two boxes, from which they are one face


class Chosen(NamedTuple):
    """A photo and those of its faces that are to be protected, one or more."""

    pixels: UInt8[np.ndarray, "height width 3"]
    faces: Sequence[Face]


class Masked(NamedTuple):
    """A photo with its masks, and why a face has none, where that is so."""

    pixels: UInt8[np.ndarray, "height width 3"]
    reasons: tuple[str | None, ...]


@dataclass(frozen=True)
class Opinion:
    """What a recogniser makes of one face before and after.

    Attributes:
      recogniser: its name.
      held_out: the masks were made without it.
      cosine: likeness of the two, in [-1, 1].
      threshold: cosine from which it takes two faces for one person.
    """

    recogniser: str
    held_out: bool
    cosine: float
    threshold: float


class Engine(Protocol):
    """Finds faces, protects them, and asks recognisers; `find` is called beside the others."""

    strengths: tuple[Strength, ...]

    def find(self, pixels: UInt8[np.ndarray, "height width 3"]) -> tuple[list[Face], list[Face]]:
        """The faces of a photo, and those of which it is not sure how they lie."""
        ...

    def load(self) -> None:
        """Makes everything ready that `protect` takes; what is missing is downloaded."""
        ...

    @property
    def together(self) -> int:
        """Number of faces that are best protected at once."""
        ...

    def protect(
        self, photos: Sequence[Chosen], strength: str, progress: Callable[[float], None]
    ) -> Iterator[Masked]:
        """The photos with their masks, in order; progress is told of photos' worth of work."""
        ...

    def judge(self, before: Chosen, after: np.ndarray) -> list[list[Opinion]]:
        """For each chosen face what each recogniser makes of it and of the same face after."""
        ...


class ProtectorEngine:
    """The product's own engine.

    Attributes:
      strengths: what can be chosen, from faint to strong.
    """

    def __init__(
        self, *, surrogates: Sequence[str] = defaults.SURROGATES, iterations: int | None = None
    ):
        """Nothing is loaded yet.

        Args:
          surrogates: networks that masks are made against.
          iterations: in place of each strength's own number.
        """
        self.strengths = strengths(iterations, surrogates)
        self._surrogates = tuple(surrogates)

    @cached_property
    def _detector(self) -> FaceDetector:
        return FaceDetector(obtain(YUNET))

    @cached_property
    def _protector(self) -> "Protector":
        from tipim_jax.engine import Protector  # imports JAX, which finding faces need not wait for

        # As on a CPU everywhere: photos come few at a time, and one face is padded to as many.
        return Protector(surrogates=self._surrogates, batch_size=defaults.BATCH_SIZE)

    @cached_property
    def _judges(self) -> "dict[str, Recogniser]":
        from tipim_jax.identification import Recogniser

        loaded = dict(self._protector.surrogates)
        with contextlib.suppress(ConversionError):  # masks are made without a judge, too
            if defaults.HELD_OUT not in loaded:
                loaded[defaults.HELD_OUT] = Recogniser.load(defaults.HELD_OUT)
        return {n: one for n, one in loaded.items() if one.network.threshold is not None}

    def find(self, pixels):
        return self._detector.find(pixels)

    def load(self):
        _ = self._judges

    @property
    def together(self):
        import jax

        # A CPU's faces are protected one by one on each device, so that more would only wait.
        devices = jax.local_device_count()
        cpu = jax.default_backend() == "cpu"
        return devices if cpu else max(devices, self._protector.batch_size)

    def protect(self, photos, strength, progress):
        from tipim_jax.engine import FoundPhoto

        method = next(one.method for one in self.strengths if one.name == strength)
        protector = self._protector.with_settings(method)
        found = [
            FoundPhoto(
                source=None,
                pixels=pixels,
                digest="",
                faces=tuple(faces),
                regions=tuple(region(pixels, face.matrix) for face in faces),
            )
            for pixels, faces in photos
        ]
        # A face that is tried first and all the others are to be one program.
        for masked in protector.masked(found, progress=progress, one_size=True):
            pixels = masked.added_to(masked.photo.pixels, method)
            yield Masked(pixels, tuple(one.reason for one in masked.outcomes))

    def judge(self, before, after):
        from tipim_jax.engine.comparison import pair_cosines
        from tipim_jax.identification import PhotoFace

        found = self.find(after)[0]
        # A face that is found no more is looked at where it was.
        again = [
            next((one for one in found if one.is_same(face, _SAME_FACE)), face)
            for face in before.faces
        ]
        pairs = [
            (PhotoFace(before.pixels, face), PhotoFace(after, other))
            for face, other in zip(before.faces, again, strict=True)
        ]
        opinions: list[list[Opinion]] = [[] for _ in pairs]
        for name, recogniser in self._judges.items():
            for face, cosine in zip(opinions, pair_cosines(recogniser, pairs), strict=True):
                held_out = name not in self._surrogates
                face.append(Opinion(name, held_out, cosine, recogniser.network.threshold))
        return opinions
