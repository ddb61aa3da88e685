"""The one loop that drives the method: batches of one shape, in chunks of iterations.

A batch is padded to its shape. Of one that is under way the state is kept from time to time, so
that a process that is killed loses no more than half a minute of it.

An accelerator is to wait for the host as little as can be: while it works on a batch a thread
prepares the next one, a call is queued behind the one that it works on, and the masks of a batch
are fetched when the next one is under way. It waits from the end of a batch until the next one is
asked for, which is ready then, and while a state is kept. On a CPU, which is the host, one comes
after the other.
"""

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import jax
import numpy as np
from jaxtyping import Float, Int, Num, UInt8

from tipim_jax.engine.batches import Batch, Preparation
from tipim_jax.engine.threads import when_asked
from tipim_jax.engine.unfinished import Unfinished
from tipim_jax.method import (
    ITERATIONS_A_CALL,
    Choice,
    Layout,
    Surrogate,
    TipIm,
    advance,
    prepare,
    start,
)
from tipim_jax.photos import Region
from tipim_jax.photos.region import REGION
from tipim_jax.runtime import trim, uncollected

_SECONDS_BETWEEN_SAVES = 30
_CALLS_QUEUED = 2  # on an accelerator; Ctrl-C waits for them

_REGION = REGION, REGION, 3

T = TypeVar("T")


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
    unfinished = Unfinished(kept / batch.digest) if kept else None
    one = _UnderWay(surrogates, batch, targets, settings, layout, unfinished)
    found = one.finish(progress)
    finished = Finished(np.asarray(found.protected), np.asarray(found.target))
    if layout.on_cpu:
        trim()
    return finished


class _UnderWay:
    """A batch that the device works on.

    Attributes:
      seconds_a_call: How long one of its calls took in the mean; known when it is finished.
    """

    def __init__(
        self,
        surrogates: Sequence[Surrogate],
        batch: Batch,
        targets: Num[np.ndarray, "targets 112 112 3"],
        settings: TipIm,
        layout: Layout,
        unfinished: Unfinished | None,
    ):
        """Starts it, or goes on from what was kept, and does not wait for it."""
        with uncollected():
            problem, self._state = start(
                surrogates,
                batch.images.astype(np.float32),
                targets.astype(np.float32),
                batch.keys,
                settings,
                alignments=batch.alignments,
                valid=batch.valid,
                layout=layout,
            )
        self._advance = partial(advance, surrogates, problem, settings=settings, layout=layout)
        self._iterations, self._unfinished = settings.iterations, unfinished
        self._at_once = 1 if layout.on_cpu else _CALLS_QUEUED
        self._asked = 0
        if unfinished:
            self._state, self._asked = unfinished.restore(self._state)
        self._restored = self._asked
        # Of calls that may not be done: their iterations, and what is there when they are. The
        # state is not, as the next call takes its memory.
        self._calls: deque[tuple[int, Choice]] = deque()
        self.seconds_a_call = 0.0
        self._ask()

    @property
    def queued(self) -> int:
        """Number of calls that may not be done."""
        return len(self._calls)

    @property
    def at_rest(self) -> bool:
        """Whether the device has done all that it was asked for."""
        return all(array.is_ready() for _, made in self._calls for array in jax.tree.leaves(made))

    def finish(self, progress: Callable[[float], None]) -> Finished:
        """Does all iterations; `progress` as of `drive`. What it gives may be on the device."""
        if self._restored:
            progress(self._restored / self._iterations)
        began = saved = time.monotonic()
        calls = 0
        while self._calls:
            count, choices = self._calls.popleft()
            jax.block_until_ready(choices)
            calls += 1
            progress(count / self._iterations)
            late = time.monotonic() > saved + _SECONDS_BETWEEN_SAVES
            if self._unfinished and late and self._asked < self._iterations:
                self._unfinished.save(self._state)
                saved = time.monotonic()
            self._ask()
        self.seconds_a_call = (time.monotonic() - began) / max(1, calls)
        if self._unfinished:
            self._unfinished.remove()
        return Finished(self._state.protected, self._state.target)

    def _ask(self) -> None:
        while self._asked < self._iterations and len(self._calls) < self._at_once:
            count = min(ITERATIONS_A_CALL, self._iterations - self._asked)
            with uncollected():
                self._state, choices = self._advance(self._state, count=count, begun=self._asked)
            self._asked += count
            self._calls.append((count, choices))


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
    waited: Callable[[float], None] = lambda _: None,
    compiled: Callable[[Layout], None] | None = None,
    kept: Path | None = None,
) -> Iterator[Mask]:
    """Yields the mask of every region, in order, each batch when it is done.

    Args:
      surrogates, targets, settings, layout, kept: see `drive`.
      regions: Around the faces, taken a batch at a time; by a thread, where that is not on a CPU.
      size: Number of faces in a batch, the same for every device; the last one is padded to it.
      seed: With the region itself it decides the random views, so that neither the order of the
        photos nor the batch changes a mask.
      progress: Called with the number of faces' worth of work just done.
      waited: Called with seconds in which the device had nothing to do, since there was a region;
        for the time in which masks are taken that is an estimate.
      compiled: If given all programs are compiled before the first batch is there; called with the
        layout then, of fewer images at once where so many do not fit.

    Raises:
      Exception: what the regions raise, after the masks of all batches before.
    """
    surrogates, targets = layout.replicate((tuple(surrogates), targets))
    preparation = Preparation(iter(regions), size, seed, layout, kept)
    with _beside(layout) as ask:
        coming = ask(preparation)
        if compiled:
            shapes = (jax.ShapeDtypeStruct((size, *one), np.float32) for one in (_REGION, (2, 3)))
            images, alignments = shapes
            layout = prepare(
                surrogates,
                images,
                targets.astype(np.float32),
                settings,
                layout=layout,
                alignments=alignments,
            )
            compiled(layout)
        under_way = partial(
            _UnderWay, surrogates, targets=targets, settings=settings, layout=layout
        )
        resting, made, seconds_a_call = time.monotonic(), iter(()), 0.0
        while True:
            if not coming.done() or coming.exception():
                yield from made
            prepared = coming.result()
            if prepared is None:
                break
            waited(time.monotonic() - max(resting, preparation.began))
            one = under_way(batch=prepared.batch, unfinished=prepared.unfinished)
            images, rows = prepared.images, prepared.rows
            del prepared  # or its regions would be in the device's memory beside those of `one`
            coming = ask(preparation)
            queued, since = one.queued, time.monotonic()
            yield from made
            over = time.monotonic() - since - queued * seconds_a_call
            if over > 0 and one.at_rest:
                waited(over)
            made = _each(images, rows, one.finish(partial(_of_faces, progress, len(rows))))
            resting, seconds_a_call = time.monotonic(), one.seconds_a_call
            del one  # or its state would be in the device's memory beside the next one's
            if layout.on_cpu:
                trim()
        yield from made


@contextlib.contextmanager
def _beside(layout: Layout) -> Iterator[Callable[[Callable[[], T]], Future[T]]]:
    """What has something done beside the device's work; on a CPU only when it is asked for.

    What is being done in the end is not waited for, as it may take many more photos. It goes no
    further than to the next one when no more are found.
    """
    if layout.on_cpu:
        yield when_asked
        return
    pool = ThreadPoolExecutor(1)
    try:
        yield pool.submit
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _of_faces(progress: Callable[[float], None], count: int, share: float) -> None:
    progress(share * count)


def _each(
    images: UInt8[np.ndarray, "batch 224 224 3"], rows: Int[np.ndarray, " faces"], found: Finished
) -> Iterator[Mask]:
    """The masks of the faces in these rows of a batch."""
    protected, target = np.asarray(found.protected), np.asarray(found.target)
    for row in rows:
        yield Mask(protected[row] - images[row], int(target[row]))
