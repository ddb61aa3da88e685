"""Work done by threads beside the device's: in order, and no more of it at once than is wanted.

Threads are enough: of the 63 ms that finding the face in a photo of 250 × 250 takes one core, 60
are OpenCV's, and of writing one nearly all is NumPy's, OpenCV's and the disk's, during which other
threads run.
"""

import collections
import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import cv2

from tipim_jax.backend import backend
from tipim_jax.runtime import cores

A, B = TypeVar("A"), TypeVar("B")


class Crew(NamedTuple):
    """How many threads work beside the devices.

    Attributes:
      finders: Find faces.
      writers: Write photos; finding a face takes two to three times as long.
      readers: Look at what was written, while nothing else is done.
      one_core_each: Whether a call of OpenCV is to take one core, as others have the rest.
    """

    finders: int
    writers: int
    readers: int
    one_core_each: bool

    @classmethod
    def here(cls) -> "Crew":
        """For this machine."""
        return cls.of(backend(), cores())

    @classmethod
    def of(cls, kind: str, cores: int) -> "Crew":
        """For devices of a kind, as `backend` has it.

        A CPU that is the device itself is to be left alone. Else its cores have nothing else to do.
        """
        if kind == "cpu":
            return cls(max(1, min(8, cores // 2)), 1, 1, one_core_each=False)
        return cls(max(1, cores * 5 // 8), max(1, cores // 4), cores, one_core_each=True)


@contextlib.contextmanager
def threads(count: int, *, one_core_each: bool = False) -> Iterator[ThreadPoolExecutor]:
    """Some threads; at the end, that of an error too, they finish what they have begun alone.

    Args:
      one_core_each: As of `Crew`; until the end it holds for all threads.
    """
    pool, before = ThreadPoolExecutor(count), cv2.getNumThreads()
    if one_core_each:
        cv2.setNumThreads(1)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        if one_core_each:
            cv2.setNumThreads(before)


def ahead(
    function: Callable[[A], B], items: Iterable[A], pool: ThreadPoolExecutor, most: int
) -> Iterator[B]:
    """What the function gives of each item, in order, computed by the pool from now on.

    An error, of the items too, comes in its place: after what the items before it give.

    Args:
      most: how many results there are at once that nobody has taken, those under way included.
    """
    begun = _begun(function, items, pool)
    under_way = collections.deque(itertools.islice(begun, most))

    def results():
        while under_way:
            result = under_way.popleft().result()
            under_way.extend(itertools.islice(begun, 1))
            yield result

    return results()


def _begun(
    function: Callable[[A], B], items: Iterable[A], pool: ThreadPoolExecutor
) -> "Iterator[Future[B]]":
    try:
        for item in items:
            yield pool.submit(function, item)
    except Exception as error:
        failed = Future()
        failed.set_exception(error)
        yield failed


def when_asked(function: Callable[[], B]) -> "Future[B]":
    """In place of `ThreadPoolExecutor.submit`: the caller does it, when it asks for the result."""
    return _WhenAsked(function)


class _WhenAsked(Future):
    def __init__(self, function: Callable[[], B]):
        super().__init__()
        self._function = function

    def result(self, timeout: float | None = None) -> B:
        return self._function()
