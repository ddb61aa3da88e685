"""Work done by threads beside the device's: in order, and no more of it at once than is wanted."""

import collections
import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

A, B = TypeVar("A"), TypeVar("B")


@contextlib.contextmanager
def threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Some threads; at the end, that of an error too, they finish what they have begun alone."""
    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def ahead(
    function: Callable[[A], B], items: Iterable[A], pool: ThreadPoolExecutor, most: int
) -> Iterator[B]:
    """What the function gives of each item, in order, computed by the pool from now on.

    Args:
      most: how many results there are at once that nobody has taken, those under way included.
    """
    rest = iter(items)
    under_way = collections.deque(pool.submit(function, i) for i in itertools.islice(rest, most))

    def results():
        while under_way:
            result = under_way.popleft().result()
            under_way.extend(pool.submit(function, item) for item in itertools.islice(rest, 1))
            yield result

    return results()
