"""The faces of strangers: any photos, of whomever, for a gallery that they make larger.

Conventions of crops are those of `crops`. No more than a few batches are in memory.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, UInt8

from tipim_jax.datasets.face_set import FaceSet, PhotoFolder
from tipim_jax.datasets.stream import AlignedFaces
from tipim_jax.identification import CropFace, PhotoFace, Shown
from tipim_jax.networks import Network
from tipim_jax.photos import Face, decode_photo

_BATCH = 256
_KNOWN = "shows a face that is there already, pixel for pixel"


@dataclass(frozen=True, eq=False)
class KeptFace:
    """A face of which the crop is kept; its photo is read when a network is to look at it.

    Attributes:
      crop: The canonical crop.
      face: Where it is in the photo.
      name: What errors call the photo.
      read: Gives the photo's file.
    """

    crop: UInt8[np.ndarray, "112 112 3"]
    face: Face
    name: str
    read: Callable[[], bytes]

    def to(self, network: Network) -> Float[np.ndarray, "height width 3"]:
        return self._in_photo.to(network)

    @cached_property
    def _in_photo(self) -> PhotoFace:
        return PhotoFace(decode_photo(self.read(), self.name).pixels, self.face)


class NewFaces:
    """Faces that are new; each iteration starts anew, and aligns nothing a second time.

    A face is new if it is not known, nor that of an earlier photo: pixel for pixel, so that a photo
    that is there twice, or among those that are known, is seen whatever its file is called.

    Attributes:
      left_out: why there is no face of some photos, of those that the iteration has come to.
    """

    left_out: dict[object, str]

    def __init__(
        self,
        photos: FaceSet | PhotoFolder,
        known: Iterable[bytes] = (),
        *,
        ready: bool = False,
        workers: int = 0,
        advance: Callable[[int], None] = lambda _: None,
    ):
        """Says what is to be aligned; nothing is read before the iteration.

        Args:
          known: keys of faces that are passed over, see `face_key`.
          ready, workers, advance: as of `AlignedFaces`.
        """
        self._photos, self._ready = photos, ready
        self._faces = AlignedFaces(
            photos, batch=_BATCH, ready=ready, workers=workers, advance=advance
        )
        self._known = frozenset(known)
        self.left_out = {}

    def __iter__(self) -> Iterator[Shown]:
        """The faces; errors as those of `AlignedFaces`."""
        self.left_out = {}
        seen = set(self._known)
        for batch in self._faces:
            faces = zip(batch.photos, batch.crops, batch.boxes, batch.landmarks, strict=True)
            for photo, crop, box, landmarks in faces:
                if (key := face_key(crop)) in seen:
                    self.left_out[photo] = _KNOWN
                    continue
                seen.add(key)
                if self._ready:
                    yield CropFace(crop)
                else:
                    face = Face(box, landmarks, score=1.0)
                    yield KeptFace(crop, face, str(photo), lambda p=photo: self._photos.read(p))
        self.left_out |= self._faces.left_out


def face_key(crop: UInt8[np.ndarray, "112 112 3"]) -> bytes:
    """A short hash of a crop."""
    return hashlib.blake2b(crop.tobytes(), digest_size=16).digest()
