"""The strengths that the page offers, each as the method's settings."""

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass

from tipim_jax.engine import defaults
from tipim_jax.method.settings import PRESETS, TipIm


@dataclass(frozen=True)
class Strength:
    """A choice of how much is changed.

    Attributes:
      name: as the command calls it.
      words: what one sees of it, and what it protects from where that was measured.
      method: the settings.
    """

    name: str
    words: str
    method: TipIm


def strengths(
    iterations: int | None = None, surrogates: Collection[str] = defaults.SURROGATES
) -> tuple[Strength, ...]:
    """All, from faint to strong.

    Args:
      iterations: in place of each one's own number.
      surrogates: networks that masks are made against.
    """
    found = []
    for name, look in defaults.LOOKS.items():
        method = own = PRESETS[name]()
        if iterations:
            method = dataclasses.replace(own, iterations=iterations)
        measured = method == own and set(surrogates) == set(defaults.SURROGATES)
        found.append(Strength(name, defaults.STRENGTHS[name] if measured else look, method))
    return tuple(found)
