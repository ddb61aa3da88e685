"""Work that threads do ahead."""

import time

import pytest

from tipim_jax.engine.threads import ahead, threads


def test_what_is_computed_ahead_comes_in_order_and_is_never_more_than_asked_for():
    begun, taken = [], 0
    most = 3

    def work(item):
        begun.append(item)
        assert len(begun) - taken <= most + 1  # the one that is handed over has been taken
        time.sleep(0.01 * (item % 3))
        return -item

    with threads(2) as pool:
        for result in ahead(work, range(12), pool, most):
            taken += 1
            assert result == 1 - taken
            time.sleep(0.005)
    assert taken == 12 and sorted(begun) == list(range(12))


def test_an_error_of_the_items_comes_after_what_was_before_it():
    def items():
        yield from range(5)
        raise ValueError("there are no more")

    for most in (3, 9):
        taken = []
        with threads(2) as pool, pytest.raises(ValueError, match="there are no more"):
            taken.extend(ahead(abs, items(), pool, most))
        assert taken == [0, 1, 2, 3, 4]


def test_an_error_leaves_what_has_not_begun_undone():
    begun = []

    def work(item):
        begun.append(item)
        time.sleep(0.05)
        if item == 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), threads(1) as pool:
        list(ahead(work, range(50), pool, 50))
    assert len(begun) < 10
