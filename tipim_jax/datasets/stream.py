"""The aligned faces of a set of photos, in batches, made ahead by other processes.

Conventions of crops and landmarks are those of `crops`. No more than a few batches are in memory,
and photos come in the order that was asked for, however many processes there are. Those processes
know nothing of JAX's devices.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import cv2
import grain
import jax
import numpy as np
from absl import flags
from jaxtyping import Bool, Float, UInt8

from tipim_jax.datasets.crops import AlignedFace, CropCache, ReadyCrops, aligned
from tipim_jax.datasets.face_set import FaceSet, PhotoFolder
from tipim_jax.datasets.lfw import LfwError, LfwPhoto
from tipim_jax.photos import YUNET, Face, PhotoError, decode_photo
from tipim_jax.progress import progress
from weights_convert import home, obtain

# Where YuNet finds the landmarks of a photo of LFW, 250 × 250 pixels and not funneled: the mean of
# 2,112 photos of 1,020 people, in all of which it finds a face. The medians differ by 0.4 at most.
AVERAGE_LANDMARKS = np.array(
    [[103.9, 112.7], [146.7, 112.3], [125.6, 137.5], [107.5, 157.0], [144.1, 156.7]]
)
_AVERAGE_BOX = np.array([78.6, 65.2, 94.5, 125.3])  # of the same photos
_LFW_SIZE = 250
_AHEAD = 32  # faces that each process may be ahead by; one takes 37 KiB


@dataclass(frozen=True, eq=False)
class FaceBatch:
    """The faces of some photos, one of each.

    Attributes:
      photos: what they are called.
      crops: what the networks are shown.
      landmarks: where they are in the photos.
      boxes: of the faces in the photos: left, top, width and height.
      found: False where no face was found and the crop is that of an average photo of LFW.
    """

    photos: tuple[LfwPhoto | Path, ...]
    crops: UInt8[np.ndarray, "batch 112 112 3"]
    landmarks: Float[np.ndarray, "batch 5 2"]
    boxes: Float[np.ndarray, "batch 4"]
    found: Bool[np.ndarray, " batch"]


class AlignedFaces:
    """Batches of aligned faces; each iteration starts anew.

    Crops are kept, so the faces of a photo are searched for once: a later run begins at once, and
    one that was killed goes on where it stopped.

    Attributes:
      left_out: why there is no face of some photos, of those that the iteration has come to.
      centred: the photos without a face whose crop is that of an average photo, likewise.
    """

    left_out: dict[LfwPhoto | Path, str]
    centred: list[LfwPhoto | Path]

    def __init__(
        self,
        faces: FaceSet | PhotoFolder,
        photos: Sequence[LfwPhoto | Path] | None = None,
        *,
        batch: int,
        workers: int = 0,
        ready: bool = False,
        centre_crop: bool = False,
        advance: Callable[[int], None] | None = None,
    ):
        """Says what is to be aligned; nothing is read before the iteration.

        Args:
          faces: the set.
          photos: which of them, in which order; None for all.
          batch: faces in a batch; the last one has what is left.
          workers: processes that align; 0 aligns in this one. They start when the first photo comes
            that was not aligned before, and import the program that runs, which therefore has its
            work below `if __name__ == "__main__"`.
          ready: the photos are crops already; those of another size are left out.
          centre_crop: take the middle of photos in which no face is found, as it would be aligned
            if the face were where it is in an average photo of LFW. Else they are left out. Photos
            that cannot be read always are.
          advance: called with the number of photos just done; None for a bar of our own.

        Raises:
          ValueError: `batch` or `workers` are too small.
        """
        if batch < 1 or workers < 0:
            raise ValueError(
                f"batch is {batch} and workers {workers}, expected at least 1 and at least 0"
            )
        self._faces = faces
        self._photos = faces.photos if photos is None else tuple(photos)
        self._batch = batch
        self._workers = workers
        self._ready = ready
        self._centre_crop = centre_crop
        self._advance = advance
        self.left_out, self.centred = {}, []

    def __iter__(self) -> Iterator[FaceBatch]:
        """The batches.

        Raises:
          LfwError: a photo is not in the set, the set is damaged, the cache cannot be written, or a
            process ended.
          ConversionError: the face detector cannot be obtained.
        """
        self.left_out, self.centred = {}, []
        crops = ReadyCrops() if self._ready else CropCache(home() / "crops", obtain(YUNET))
        align = _Align(self._faces, crops, self._centre_crop)
        waiting = []
        with ExitStack() as stack:
            advance = self._advance
            if advance is None:
                bar = progress(f"aligning {len(self._photos)} photos", len(self._photos))
                advance = stack.enter_context(bar)
            results = stack.enter_context(closing(_results(align, self._photos, self._workers)))
            for photo, result in zip(self._photos, results, strict=True):
                if result.face is None:
                    self.left_out[photo] = result.fault
                else:
                    waiting.append((photo, result))
                    if result.fault:
                        self.centred.append(photo)
                advance(1)
                if len(waiting) == self._batch:
                    yield _stacked(waiting)
                    waiting = []
        if waiting:
            yield _stacked(waiting)


@dataclass(frozen=True, eq=False)
class _Result:
    """What became of a photo: a face, a fault, or a centre crop with the fault that led to it."""

    face: AlignedFace | None
    fault: str = ""


@dataclass(frozen=True, eq=False)
class _Align:
    """Aligns photos of a set; can be sent to other processes."""

    faces: FaceSet | PhotoFolder
    crops: CropCache | ReadyCrops
    centre_crop: bool

    def __call__(self, photo: LfwPhoto) -> _Result:
        try:
            content = self.faces.read(photo)
            return self._result(content, photo, self.crops.align(content, str(photo)))
        except PhotoError as error:
            return _Result(None, str(error))

    def kept(self, photo: LfwPhoto) -> _Result | None:
        """What is there without aligning, None if nothing is."""
        try:
            content = self.faces.read(photo)
        except PhotoError as error:
            return _Result(None, str(error))
        found = self.crops.get(content)
        return None if found is None else self._result(content, photo, found)

    def _result(self, content: bytes, photo: LfwPhoto, found: AlignedFace | str) -> _Result:
        if isinstance(found, AlignedFace):
            return _Result(found)
        if not self.centre_crop:
            return _Result(None, found)
        pixels = decode_photo(content, str(photo)).pixels
        return _Result(aligned(pixels, average_face(*pixels.shape[:2])), found)


def average_face(height: int, width: int) -> Face:
    """Where the face of a photo would be if the square in its middle were an average of LFW's."""
    scale = min(height, width) / _LFW_SIZE
    middle = np.array([width - 1, height - 1]) / 2
    landmarks = (AVERAGE_LANDMARKS - (_LFW_SIZE - 1) / 2) * scale + middle
    corner = (_AVERAGE_BOX[:2] - _LFW_SIZE / 2) * scale + middle + 0.5
    box = np.concatenate([corner, _AVERAGE_BOX[2:] * scale])
    return Face(box.astype(np.float32), landmarks.astype(np.float32), score=0.0)


def _results(align: _Align, photos: Sequence[LfwPhoto], workers: int) -> Iterator[_Result]:
    """What becomes of each photo, in their order."""
    done = 0
    if workers:  # as long as all is there, this process is faster than any that has to start
        for photo in photos:
            if (result := align.kept(photo)) is None:
                break
            yield result
            done += 1
    yield from _made(align, photos[done:], workers)


def _made(align: _Align, photos: Sequence[LfwPhoto], workers: int) -> Iterator[_Result]:
    """The same, by Grain."""
    if not photos:
        return
    one_at_a_time = grain.ReadOptions(num_threads=0, prefetch_buffer_size=0)
    dataset = grain.MapDataset.source(photos).map(align).to_iter_dataset(one_at_a_time)
    if workers:
        # Grain asks its own flags, which belong to programs that take Abseil's on the command line.
        if not flags.FLAGS.is_parsed():
            flags.FLAGS.mark_as_parsed()
        options = grain.MultiprocessingOptions(
            num_workers=min(workers, len(photos)), per_worker_buffer_size=_AHEAD
        )
        dataset = dataset.mp_prefetch(options, worker_init_fn=_prepare_process)
    with closing(iter(dataset)) as results:
        try:
            yield from results
        except RuntimeError as error:
            if not workers:
                raise
            raise LfwError(
                f"{align.faces.origin}: a process that aligns faces ended ({error}); what it did "
                "before is kept: run this again, with fewer workers if memory was short"
            ) from None


def _prepare_process(index: int, count: int) -> None:
    # Of a turned face O-Net is asked; an accelerator is the first process's alone.
    jax.config.update("jax_platforms", "cpu")
    cv2.setNumThreads(1)  # the processes are what runs in parallel
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one closes it
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Grain's processes would wait forever for one that was killed."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _stacked(faces: list[tuple[LfwPhoto, _Result]]) -> FaceBatch:
    photos, results = zip(*faces, strict=True)
    return FaceBatch(
        photos,
        np.stack([result.face.crop for result in results]),
        np.stack([result.face.face.landmarks for result in results]),
        np.stack([result.face.face.box for result in results]),
        np.array([not result.fault for result in results]),
    )
