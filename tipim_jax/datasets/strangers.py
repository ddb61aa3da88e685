"""The aligned faces of strangers: any photos, of whomever, for a gallery that they make larger.

Conventions of crops are those of `crops`. No more than a few batches are in memory.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from jaxtyping import UInt8

from tipim_jax.datasets.face_set import FaceSet, PhotoFolder
from tipim_jax.datasets.stream import AlignedFaces

_BATCH = 256
_KNOWN = "shows a face that is there already, pixel for pixel"


class NewFaces:
    """Batches of faces that are new; each iteration starts anew, and aligns nothing a second time.

    A face is new if it is not known, nor that of an earlier photo: pixel for pixel, so that a photo
    that is there twice, or among those that are known, is seen whatever its file is called.

    Attributes:
      left_out: why there is no face of some photos, of those that the iteration has come to.
    """

    left_out: dict[object, str]

    def __init__(
        self,
        photos: FaceSet | PhotoFolder,
        known: Iterable[UInt8[np.ndarray, "112 112 3"]] = (),
        *,
        ready: bool = False,
        workers: int = 0,
        advance: Callable[[int], None] = lambda _: None,
    ):
        """Says what is to be aligned; nothing is read before the iteration.

        Args:
          known: faces that are passed over.
          ready, workers, advance: as of `AlignedFaces`.
        """
        self._faces = AlignedFaces(
            photos, batch=_BATCH, ready=ready, workers=workers, advance=advance
        )
        self._known = frozenset(map(_key, known))
        self.left_out = {}

    def __iter__(self) -> Iterator[UInt8[np.ndarray, "batch 112 112 3"]]:
        """The crops; errors as those of `AlignedFaces`."""
        self.left_out = {}
        seen = set(self._known)
        for batch in self._faces:
            new = []
            for number, (photo, crop) in enumerate(zip(batch.photos, batch.crops, strict=True)):
                if (key := _key(crop)) in seen:
                    self.left_out[photo] = _KNOWN
                else:
                    seen.add(key)
                    new.append(number)
            if new:
                yield batch.crops[new]
        self.left_out |= self._faces.left_out


def _key(crop) -> bytes:
    return hashlib.blake2b(crop.tobytes(), digest_size=16).digest()
