"""Faces that are protected together: how many, and made ready for the device."""

import hashlib
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, Num, UInt8

from tipim_jax.engine.found import FoundPhoto
from tipim_jax.engine.unfinished import Unfinished
from tipim_jax.method import Layout, Surrogate, TipIm, image_keys
from tipim_jax.photos import Region

# Faces for each accelerator where nobody chooses: with fewer it has too little to do at once.
_LEAST = 64
# Batches that a run has at least, where each has the least number of faces: while those of the
# first are found, and the photos of the last written, an accelerator does nothing.
_BATCHES = 4
# Of so few photos an accelerator waits for the faces: one alone may show dozens of people, and a
# batch is not to be smaller than it need be.
_FEW = 16


def most_of_run(faces: int | None, devices: int) -> int:
    """Number of faces that accelerators protect together in a run of so many, at the most.

    Args:
      faces: None: nobody knows how many.
      devices: their number.
    """
    share = (faces or 0) // _BATCHES
    return max(_LEAST * devices, 1 << max(0, share.bit_length() - 1))


def size_of_batch(faces: int, most: int, *, devices: int, group: int, padding_is_free: bool) -> int:
    """Number of faces in a batch: one of few, since each is a program of its own.

    Args:
      faces: how many there are, more or less.
      most: how many are wanted together.
      devices: their number: all of them get as many, but where groups do not divide among them.
      group: of faces that the MMD takes together; a batch of more than one has whole ones.
      padding_is_free: as on a CPU, where one size serves all numbers but 1. Elsewhere there is one
        for each power of two.
    """
    if faces <= 1 or most < devices:
        return min(most, max(1, faces))
    wanted = most if padding_is_free else min(most, 1 << (faces - 1).bit_length())
    size = math.ceil(wanted / devices) * devices
    return size if size <= group or size % group == 0 else math.ceil(wanted / group) * group


@dataclass(frozen=True)
class Sizes:
    """How many faces of a run are protected together.

    Attributes:
      most: Number of faces that are wanted together.
      several: Whether it is to be less where a run would have few batches.
      devices, group: As of `size_of_batch`.
      on_cpu: Whether the devices are a CPU's.
    """

    most: int
    several: bool
    devices: int
    group: int
    on_cpu: bool

    def most_of(self, faces: int | None) -> int:
        """The most of so many; None: nobody knows how many."""
        return min(self.most, most_of_run(faces, self.devices)) if self.several else self.most

    def begin(
        self, photos: Iterable[FoundPhoto], expected: int | None, *, one_size: bool
    ) -> tuple[Iterator[FoundPhoto], int]:
        """The photos, the first of which may have been looked at, and a batch's number of faces.

        It is 0 where it is known that there is none. Arguments as of `Protector.masked`.
        """
        if expected is None and isinstance(photos, Sized):
            expected = sum(len(photo.faces) for photo in photos)
        photos, most = iter(photos), self.most_of(expected)
        if one_size:
            faces = self.most
        elif expected is not None and expected > _FEW and not self.on_cpu:
            faces = expected  # a photo has one face more often than not
        else:
            photos, faces = _first(photos, 1 if self.on_cpu else most)
        return photos, faces and size_of_batch(
            faces, most, devices=self.devices, group=self.group, padding_is_free=self.on_cpu
        )


def _first(photos: Iterator[FoundPhoto], enough: int) -> tuple[Iterator[FoundPhoto], int]:
    """The photos, after a look at the first that have more than enough faces, and how many."""
    seen: list[FoundPhoto] = []
    faces = 0
    for photo in photos:
        seen.append(photo)
        faces += len(photo.faces)
        if faces > enough:
            break
    return chain(seen, photos), faces


class Layouts:
    """How batches of each size are laid out on the devices: always as they were at first.

    What is free in their memory differs from time to time, and another layout is another program.

    Attributes:
      last: The size that was new last; None: there was none yet.
    """

    def __init__(
        self,
        surrogates: Sequence[Surrogate],
        targets: Num[np.ndarray, "targets 112 112 3"],
        settings: TipIm,
    ):
        """Of batches with these; the devices are all local ones, as far as they are of use."""
        self._surrogates, self._settings = surrogates, settings
        self._count, self._crop = len(targets), targets.shape[1:]
        self._known: dict[int, Layout] = {}
        self._compiled: set[int] = set()

    @property
    def most(self) -> int:
        """Number of images of the largest batch that is worth while."""
        return Layout.most_images(self._surrogates, self._crop, self._settings, self._count)

    @property
    def last(self) -> int | None:
        return next(reversed(self._known), None)

    def of(self, size: int) -> Layout:
        """Of a batch of so many."""
        if size not in self._known:
            batch_of = jax.ShapeDtypeStruct((size, *self._crop), np.float32)
            count = self._settings.gradients(self._count)
            self._known[size] = Layout.choose(self._surrogates, batch_of, count)
        return self._known[size]

    def to_compile(self, size: int) -> Callable[[Layout], None] | None:
        """What is told of the layout with which programs fit; None where they are known."""
        return None if size in self._compiled else partial(self._keep, size)

    def _keep(self, size: int, layout: Layout) -> None:
        self._known[size] = layout
        self._compiled.add(size)


def dealt(faces: int, size: int, devices: int) -> Int[np.ndarray, " faces"]:
    """Rows of a batch for so many faces, dealt out to the devices in turn.

    A device has neighbouring rows; on a CPU padding costs nothing, so that all have as much to do.
    """
    share = math.ceil(size / devices)
    rows = np.arange(devices * share).reshape(devices, share).T.ravel()
    return rows[rows < size][:faces]  # the last device may have less than its share


class Batch(NamedTuple):
    """Images that are protected together.

    Attributes:
      images: Crops, or parts of photos around faces; RGB in [0, 255].
      keys: Random key of each image.
      alignments: From each image's points to its crop's; None where images are crops.
      valid: Whether an image is one, and not padding.
    """

    images: Num[np.ndarray, "batch height width 3"]
    keys: Key[Array, " batch"]
    alignments: Float[np.ndarray, "batch 2 3"] | None
    valid: Bool[np.ndarray, " batch"]

    @property
    def digest(self) -> str:
        """Stands for its images and their random keys."""
        digest = hashlib.sha256(np.ascontiguousarray(self.images))
        digest.update(np.asarray(jax.random.key_data(self.keys)))
        return digest.hexdigest()[:16]


class Prepared(NamedTuple):
    """A batch of regions that is ready.

    Attributes:
      batch: Of an accelerator the images are there already.
      images: The regions as they are in the photos.
      rows: Of the faces, in their order; the others are padding.
      unfinished: Where its state is kept; None where that is not.
    """

    batch: Batch
    images: UInt8[np.ndarray, "batch 224 224 3"]
    rows: Int[np.ndarray, " faces"]
    unfinished: Unfinished | None


class Preparation:
    """Makes the next batch ready, each time it is called; by one thread at a time.

    Attributes:
      began: When the first region was there, as `time.monotonic` has it; 0 before that.
    """

    def __init__(
        self, regions: Iterator[Region], size: int, seed: int, layout: Layout, kept: Path | None
    ):
        """Arguments as of `loop.masks`."""
        self._regions, self._size, self._seed = regions, size, seed
        self._layout, self._kept = layout, kept
        self.began = 0.0

    def __call__(self) -> Prepared | None:
        """The next batch; None after the last one."""
        faces = []
        for face in islice(self._regions, self._size):
            self.began = self.began or time.monotonic()
            faces.append(face)
        if not faces:
            return None
        rows = dealt(len(faces), self._size, len(self._layout.devices))
        valid = np.isin(np.arange(self._size), rows)
        padded = [faces[0]] * self._size
        for row, face in zip(rows, faces, strict=True):
            padded[row] = face
        images = np.stack([face.pixels for face in padded])
        batch = Batch(
            images,
            image_keys(self._seed, images),
            np.stack([face.matrix for face in padded]).astype(np.float32),
            valid,
        )
        unfinished = Unfinished(self._kept / batch.digest) if self._kept else None
        return Prepared(self._there(batch), images, rows, unfinished)

    def _there(self, batch: Batch) -> Batch:
        if self._layout.on_cpu:
            return batch
        return batch._replace(images=jax.device_put(batch.images.astype(np.float32)))
