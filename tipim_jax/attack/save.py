"""Protects photos and writes each one as soon as it is done.

While the device works on a batch, threads find the faces of the next ones and write the photos of
the last.
"""

import collections
import dataclasses
import itertools
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from pathlib import Path

import jax
import numpy as np

from tipim_jax.attack.batches import even_batch, masks
from tipim_jax.attack.finished import Finished
from tipim_jax.attack.gallery import Portraits
from tipim_jax.attack.plan import Plan
from tipim_jax.attack.scan import ScannedPhoto
from tipim_jax.attack.settings import Attack
from tipim_jax.method import Layout, Surrogate
from tipim_jax.photos import PhotoError, add_masks, read_photo, write_photo
from tipim_jax.progress import Bars
from tipim_jax.report import NotProtected


class Stopped(Exception):
    """The user stopped the run (Ctrl-C); the message says what is done."""


@dataclasses.dataclass(frozen=True, eq=False)
class Saved:
    """What is on disk now.

    Attributes:
      photos: the photos whose protected copy is there, by source.
      missed: the others, by source.
      faces: how many faces were protected in this run; the others were done already.
      seconds: what that took, compilation included, from when the first batch's faces were found.
      waiting: the seconds of these in which the device had nothing to do, as faces were not found
        or photos not written yet.
      layout: how the work was laid out.
    """

    photos: dict[Path, ScannedPhoto]
    missed: dict[Path, NotProtected]
    faces: int
    seconds: float
    waiting: float
    layout: Layout


def save_protected(
    settings: Attack,
    surrogates: tuple[Surrogate, ...],
    targets: Portraits,
    finished: Finished,
    plan: Plan,
    scanned: Iterator[ScannedPhoto | NotProtected],
    outputs: Mapping[Path, Path],
    pool: ThreadPoolExecutor,
    bars: Bars,
) -> Saved:
    """Protects all faces of the photos that are not done yet.

    Args:
      settings: the command's.
      surrogates: networks that the masks are made against.
      targets: whom the faces shall be taken for.
      finished: the record of what is done.
      plan: what becomes of which photo.
      scanned: what was found in each of the photos, in the plan's order.
      outputs: where each source's protected copy goes.
      pool: threads that write.
      bars: for progress.

    Raises:
      Stopped: on Ctrl-C; what was written stays.
    """
    photos: dict[Path, ScannedPhoto] = {}
    missed: dict[Path, NotProtected] = {}
    advance = bars.add("protecting", len(plan.to_do), "photos") if plan.to_do else None
    waits = _Stopwatch()

    def found():
        for file in plan.to_do:
            with waits:
                photo = next(scanned)
            if isinstance(photo, ScannedPhoto):
                yield photo
            else:
                missed[file.source] = photo
                advance(1)

    with_faces = found()
    first, size = _first_batch(with_faces, missed, len(plan.to_do), settings)
    batch_of = jax.ShapeDtypeStruct((size, *targets.crops.shape[1:]), np.float32)
    layout = Layout.choose(surrogates, batch_of, len(targets.crops))
    waits.seconds = 0.0  # what there was to wait for until now came before the attack
    began = time.perf_counter()
    faces = 0
    batch = collections.deque()  # of the faces that the device has: what share of a photo each is
    unsaved: collections.deque[ScannedPhoto] = collections.deque()
    writing: collections.deque[tuple[ScannedPhoto, Future]] = collections.deque()

    def regions():
        for photo in itertools.chain(first, with_faces):
            unsaved.append(photo)
            for face in photo.faces:
                batch.append(1 / len(photo.faces))
                yield face.region

    def settle(photo, future):
        try:
            future.result()
        except (PhotoError, OSError) as error:
            missed[photo.file.source] = NotProtected(str(photo.file.relative), str(error))
        else:
            photos[photo.file.source] = photo

    try:
        photo_masks = []
        for mask in masks(
            surrogates,
            regions(),
            targets.crops,
            settings.method,
            size=size,
            layout=layout,
            seed=settings.seed,
            progress=lambda share: advance(share * sum(batch)),
        ):
            faces += 1
            batch.popleft()
            photo_masks.append(mask)
            if len(photo_masks) < len(unsaved[0].faces):
                continue
            photo = unsaved.popleft()
            arguments = (settings, finished, photo, photo_masks, outputs)
            writing.append((photo, pool.submit(_write, *arguments)))
            photo_masks = []
            while writing[0][1].done() or len(writing) > size:
                with waits:
                    settle(*writing.popleft())
                if not writing:
                    break
        seconds = time.perf_counter() - began
        while writing:
            settle(*writing.popleft())
    except KeyboardInterrupt:
        wait_for([future for _, future in writing])
        done = len(photos) + sum(future.exception() is None for _, future in writing)
        everything = len(plan.order)
        raise Stopped(
            f"stopped: {done + len(plan.done)} of {everything - len(missed)} photos are done, in "
            f"{settings.output}; the same command goes on from there"
        ) from None
    for file, photo in zip(plan.foreign + plan.done, scanned, strict=True):
        source = file.source
        if isinstance(photo, NotProtected):
            missed[source] = photo
        elif file in plan.foreign:
            reason = (
                f"{outputs[source]} is there and not from a run of this command; "
                "--overwrite replaces it"
            )
            missed[source] = NotProtected(str(file.relative), reason)
        else:
            photos[source] = photo
    return Saved(photos, missed, faces, seconds, waits.seconds, layout)


def _first_batch(with_faces, missed, count, settings):
    """Photos for more than one full batch, or all, and what size of batches they ask for.

    A run over few faces shall not be padded to the largest batch, and the size of one over many is
    fixed before all of them are found: the photos looked at until then stand for the others.
    """
    first: list[ScannedPhoto] = []
    faces = 0
    for photo in with_faces:
        first.append(photo)
        faces += len(photo.faces)
        if faces > settings.batch_size:
            faces = round(faces * count / (len(first) + len(missed)))
            break
    devices = jax.local_device_count()
    return first, even_batch(faces, settings.batch_size, settings.method, devices)


def _write(settings, finished, photo, photo_masks, outputs):
    source, target = photo.file.source, outputs[photo.file.source]
    original = read_photo(source)
    regions = [face.region for face in photo.faces]
    pixels = add_masks(original.pixels, photo_masks, regions, settings.method.epsilon)
    write_photo(
        target,
        dataclasses.replace(original, pixels=pixels),
        keep_metadata=settings.keep_metadata,
    )
    finished.add(source, target)


class _Stopwatch:
    """Adds up the seconds spent in its context."""

    def __init__(self):
        self.seconds = 0.0

    def __enter__(self):
        self._began = time.perf_counter()

    def __exit__(self, *_):
        self.seconds += time.perf_counter() - self._began
