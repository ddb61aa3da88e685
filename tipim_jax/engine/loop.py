"""The one loop that drives the method: batches of one shape, in chunks of iterations.

A batch is padded to its shape. Of one that is under way the state is kept from time to time, so
that a process that is killed loses no more than half a minute of it.
"""

import hashlib
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, Num

from tipim_jax.engine.unfinished import Unfinished
from tipim_jax.method import (
    ITERATIONS_A_CALL,
    Layout,
    Surrogate,
    TipIm,
    advance,
    image_keys,
    start,
)
from tipim_jax.photos import Region
from tipim_jax.runtime import trim, uncollected

_SECONDS_BETWEEN_SAVES = 30


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


class Finished(NamedTuple):
    """What the method makes of a batch.

    Attributes:
      protected: x^p, not rounded.
      target: Index of the target that was taken last; -1 where all are taken together.
    """

    protected: Float[np.ndarray, "batch height width 3"]
    target: Int[np.ndarray, " batch"]


def drive(
    surrogates: Sequence[Surrogate],
    batch: Batch,
    targets: Num[np.ndarray, "targets 112 112 3"],
    settings: TipIm,
    *,
    layout: Layout,
    progress: Callable[[float], None],
    kept: Path | None = None,
) -> Finished:
    """All iterations of one batch.

    Args:
      surrogates, targets, settings, layout: see `tipim_jax.method.start`; the surrogates are on the
        layout's devices.
      progress: Called with the share of the work just done.
      kept: Folder in which the state is kept while the batch is under way.
    """
    images = batch.images.astype(np.float32)
    with uncollected():
        problem, state = start(
            surrogates,
            images,
            targets.astype(np.float32),
            batch.keys,
            settings,
            alignments=batch.alignments,
            valid=batch.valid,
            layout=layout,
        )
    unfinished = Unfinished(kept / _digest(batch)) if kept else None
    done = 0
    if unfinished:
        state, done = unfinished.restore(state)
        progress(done / settings.iterations)
    saved = time.monotonic()
    while done < settings.iterations:
        count = min(ITERATIONS_A_CALL, settings.iterations - done)
        with uncollected():
            state, _ = advance(surrogates, problem, state, settings, count, layout=layout)
        jax.block_until_ready(state)
        done += count
        progress(count / settings.iterations)
        late = time.monotonic() > saved + _SECONDS_BETWEEN_SAVES
        if unfinished and late and done < settings.iterations:
            unfinished.save(state)
            saved = time.monotonic()
    finished = Finished(np.asarray(state.protected), np.asarray(state.target))
    trim()
    if unfinished:
        unfinished.remove()
    return finished


class Mask(NamedTuple):
    """x^p - x^r of a face's region, and the index of the target that it imitates."""

    values: Float[np.ndarray, "224 224 3"]
    target: int


def masks(
    surrogates: Sequence[Surrogate],
    regions: Iterable[Region],
    targets: Num[np.ndarray, "targets 112 112 3"],
    settings: TipIm,
    *,
    size: int,
    seed: int,
    layout: Layout,
    progress: Callable[[float], None],
    kept: Path | None = None,
) -> Iterator[Mask]:
    """Yields the mask of every region, in order, each batch when it is done.

    Args:
      surrogates, targets, settings, layout, kept: see `drive`.
      regions: Around the faces, taken a batch at a time.
      size: Number of faces in a batch, the same for every device; the last one is padded to it.
      seed: With the region itself it decides the random views, so that neither the order of the
        photos nor the batch changes a mask.
      progress: Called with the number of faces' worth of work just done.
    """
    surrogates, targets = layout.replicate((tuple(surrogates), targets))
    regions = iter(regions)
    while faces := list(islice(regions, size)):
        count = len(faces)
        rows = _dealt(count, size, len(layout.devices))
        valid = np.isin(np.arange(size), rows)
        padded = [faces[0]] * size
        for row, face in zip(rows, faces, strict=True):
            padded[row] = face
        images = np.stack([face.pixels for face in padded])
        batch = Batch(
            images,
            image_keys(seed, images),
            np.stack([face.matrix for face in padded]).astype(np.float32),
            valid,
        )
        found = drive(
            surrogates,
            batch,
            targets,
            settings,
            layout=layout,
            progress=lambda share, count=count: progress(share * count),
            kept=kept,
        )
        for row in rows:
            yield Mask(found.protected[row] - images[row], int(found.target[row]))


def size_of_batch(faces: int, most: int, *, devices: int, group: int, padding_is_free: bool) -> int:
    """Number of faces in a batch: one of few, since each is a program of its own.

    Args:
      faces: how many there are, more or less.
      most: how many are wanted together.
      devices: their number: all of them get as many, but where groups do not divide among them.
      group: of faces that the MMD takes together; a batch of more than one has whole ones.
      padding_is_free: as on a CPU, where one size serves all numbers but 1.
    """
    if faces <= 1 or most < devices:
        return min(most, max(1, faces))
    wanted = most if padding_is_free else min(faces, most)
    size = math.ceil(wanted / devices) * devices
    return size if size <= group or size % group == 0 else math.ceil(wanted / group) * group


def _dealt(faces: int, size: int, devices: int) -> Int[np.ndarray, " faces"]:
    """Rows of a batch for so many faces, dealt out to the devices in turn.

    A device has neighbouring rows; on a CPU padding costs nothing, so that all have as much to do.
    """
    share = math.ceil(size / devices)
    rows = np.arange(devices * share).reshape(devices, share).T.ravel()
    return rows[rows < size][:faces]  # the last device may have less than its share


def _digest(batch: Batch) -> str:
    """Stands for a batch's images and their random keys."""
    digest = hashlib.sha256(np.ascontiguousarray(batch.images))
    digest.update(np.asarray(jax.random.key_data(batch.keys)))
    return digest.hexdigest()[:16]
