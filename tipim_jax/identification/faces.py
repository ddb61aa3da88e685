"""Faces that recognisers are shown, and sets of them.

A face in a photo can be looked at through any network's window; of a canonical crop (RGB, 112 ×
112, aligned by ArcFace's five points) there is nothing beyond it, and each network is shown the
part of it that comes nearest to its window. What is shown is RGB, float32 in [0, 255].

A set of faces is iterated over, as often as wanted, and shows one face after the other: of photos
no more than one is in memory.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from jaxtyping import Float, UInt8

from tipim_jax.networks import Network
from tipim_jax.photos import Face, PhotoError, crop, decode_photo, look


class Shown(Protocol):
    """A face that can be shown to networks.

    Attributes:
      crop: The face aligned by ArcFace's five points, RGB in whole numbers.
    """

    @property
    def crop(self) -> UInt8[np.ndarray, "112 112 3"]: ...

    def to(self, network: Network) -> Float[np.ndarray, "height width 3"]:
        """What a network looks at, of the size of its input or of the canonical crop."""


@dataclass(frozen=True, eq=False)
class PhotoFace:
    """A face in a photo.

    Attributes:
      pixels: the photo, RGB.
      face: where it is.
    """

    pixels: UInt8[np.ndarray, "height width 3"]
    face: Face

    @property
    def crop(self) -> UInt8[np.ndarray, "112 112 3"]:
        return np.rint(crop(self.pixels, self.face.matrix)).astype(np.uint8)

    def to(self, network: Network) -> Float[np.ndarray, "height width 3"]:
        return look(self.pixels, self.face, network.window, network.input_size)


@dataclass(frozen=True, eq=False)
class CropFace:
    """A canonical crop, of which there is no photo."""

    crop: UInt8[np.ndarray, "112 112 3"]

    def to(self, network: Network) -> Float[np.ndarray, "112 112 3"]:
        return self.crop.astype(np.float32)


class Faces(Protocol):
    """A set of faces.

    Attributes:
      names: Name of each face's photo.
      people: Name of the person in each.
      digest: Hash of all that decides what networks are shown.
    """

    names: tuple[str, ...]
    people: tuple[str, ...]
    digest: str

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Shown]: ...


@dataclass(frozen=True, eq=False)
class PhotoFaces:
    """Faces in photos that are read anew each time.

    Attributes:
      names: Name of each face's photo; the faces of one photo are neighbours.
      people: Name of the person in each.
      faces: Where each face is in its photo.
      contents: Hash (SHA-256, hexadecimal) of each photo's file.
      read: Gives the file of a face's photo by the face's number.
      ready: Whether the photos are canonical crops already.
    """

    names: tuple[str, ...]
    people: tuple[str, ...]
    faces: tuple[Face, ...]
    contents: tuple[str, ...]
    read: Callable[[int], bytes]
    ready: bool = False

    @classmethod
    def none(cls) -> "PhotoFaces":
        """Of nobody."""
        return cls((), (), (), (), read=bytes)

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> "Iterator[PhotoFace | CropFace]":
        """Errors are those of `read`; PhotoError where a photo is not what it was."""
        last, pixels = None, None
        for number, face in enumerate(self.faces):
            content, name = self.contents[number], self.names[number]
            if content != last:
                photo = self.read(number)
                if hashlib.sha256(photo).hexdigest() != content:
                    raise PhotoError(f"{name} was changed while it was looked at; run this again")
                last, pixels = content, decode_photo(photo, name).pixels
            yield CropFace(pixels) if self.ready else PhotoFace(pixels, face)

    def some(self, numbers: Sequence[int]) -> "PhotoFaces":
        """Those with these numbers, in this order."""
        chosen = (
            tuple(values[n] for n in numbers)
            for values in (self.names, self.people, self.faces, self.contents)
        )
        return PhotoFaces(*chosen, read=lambda n: self.read(numbers[n]), ready=self.ready)

    @cached_property
    def digest(self) -> str:
        """A hash of the names, the photos' files, and the places of the faces."""
        digest = hashlib.sha256("\n".join((*self.names, *self.people, *self.contents)).encode())
        digest.update(bytes([self.ready]))
        for face in self.faces:
            digest.update(np.concatenate([face.box, face.landmarks.ravel()]).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class CropFaces:
    """Canonical crops.

    Attributes:
      names: Name of each crop's photo, as in LFW: `A_Name_0001`.
      people: Name of the person in each.
      crops: RGB.
    """

    names: tuple[str, ...]
    people: tuple[str, ...]
    crops: UInt8[np.ndarray, "faces 112 112 3"]

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[CropFace]:
        return map(CropFace, self.crops)

    @cached_property
    def digest(self) -> str:
        """A hash of the names and the crops."""
        digest = hashlib.sha256("\n".join((*self.names, *self.people)).encode())
        digest.update(self.crops.tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Strangers:
    """Faces of people without names, perhaps more of them than memory holds.

    Attributes:
      faces: The faces; each iteration starts anew.
      count: Number of faces.
      digest: Hash of their crops.
    """

    faces: Iterable[Shown]
    count: int
    digest: str

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Shown]:
        return iter(self.faces)

    @classmethod
    def of(cls, faces: Iterable[Shown]) -> "Strangers":
        """Looks through the faces once."""
        digest, count = hashlib.sha256(), 0
        for face in faces:
            digest.update(face.crop.tobytes())
            count += 1
        return cls(faces, count, digest.hexdigest())
