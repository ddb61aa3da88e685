"""Random choices that are the same on every system and with every version of NumPy.

NumPy promises that of the 64-bit numbers of its bit generators and of `SeedSequence`, but not of
what `Generator` makes of them (NEP 19). What is made of them is therefore written out here.
"""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

_Item = TypeVar("_Item")
_WORD = 2**64


class Draw:
    """A stream of choices; each purpose has its own, whatever others take from theirs."""

    def __init__(self, seed: int, purpose: str):
        """A stream from a seed, 0 or more, for a purpose: any text."""
        name = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:8], "big")
        self._bits = np.random.PCG64(np.random.SeedSequence([seed, name]))

    def sample(self, items: Sequence[_Item], count: int) -> list[_Item]:
        """That many different items in random order; fewer are the first of more.

        The beginning of a shuffle of Fisher and Yates (Durstenfeld 1964), from the front.
        """
        pool = list(items)
        for place in range(count):
            other = place + self._below(len(pool) - place)
            pool[place], pool[other] = pool[other], pool[place]
        return pool[:count]

    def _below(self, end: int) -> int:
        """A whole number in [0, end), all equally likely: the last, incomplete round is redrawn."""
        complete = _WORD - _WORD % end
        while (word := int(self._bits.random_raw())) >= complete:
            pass
        return word % end
