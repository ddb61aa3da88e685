"""The strengths that the page offers, each as the method's settings."""

import dataclasses
from dataclasses import dataclass

from tipim_jax.engine import defaults
from tipim_jax.method.settings import PRESETS, TipIm


@dataclass(frozen=True)
class Strength:
    """A choice of how much is changed.

    Attributes:
      name: as the command calls it.
      words: what one sees of it, and what it protects from.
      method: the settings.
    """

    name: str
    words: str
    method: TipIm


def strengths(iterations: int | None = None) -> tuple[Strength, ...]:
    """All, from faint to strong.

    Args:
      iterations: in place of each one's own number.
    """
    found = []
    for name, words in defaults.STRENGTHS.items():
        method = PRESETS[name]()
        if iterations:
            method = dataclasses.replace(method, iterations=iterations)
        found.append(Strength(name, words, method))
    return tuple(found)
