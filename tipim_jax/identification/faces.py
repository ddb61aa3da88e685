"""Faces that recognisers are shown, and sets of them.

A face in a photo can be looked at through any network's window; of a canonical crop (RGB, 112 × 112,
aligned by ArcFace's five points) there is nothing beyond it, and each network is shown the part of
it that comes nearest to its window. What is shown is RGB, float32 in [0, 255].

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
from tipim_jax.photos import Face, crop, similarity


class Shown(Protocol):
    """A face that can be shown to networks."""

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

    def to(self, network: Network) -> Float[np.ndarray, "height width 3"]:
        return crop(self.pixels, similarity(self.face.landmarks))


@dataclass(frozen=True, eq=False)
class CropFace:
    """A canonical crop."""

    pixels: UInt8[np.ndarray, "112 112 3"]

    def to(self, network: Network) -> Float[np.ndarray, "112 112 3"]:
        return self.pixels.astype(np.float32)


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
      contents: Hash of each photo's file.
      read: Gives the pixels of a face's photo by the face's number.
    """

    names: tuple[str, ...]
    people: tuple[str, ...]
    faces: tuple[Face, ...]
    contents: tuple[str, ...]
    read: Callable[[int], UInt8[np.ndarray, "height width 3"]]

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[PhotoFace]:
        content, pixels = None, None
        for number, face in enumerate(self.faces):
            if self.contents[number] != content:
                content, pixels = self.contents[number], self.read(number)
            yield PhotoFace(pixels, face)

    @cached_property
    def digest(self) -> str:
        """A hash of the names, the photos' files, and the places of the faces."""
        digest = hashlib.sha256("\n".join((*self.names, *self.people, *self.contents)).encode())
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
      faces: Gives the faces; each iteration starts anew.
      count: Number of faces.
      digest: Hash of what networks are shown.
    """

    faces: Iterable[Shown]
    count: int
    digest: str

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Shown]:
        return iter(self.faces)
