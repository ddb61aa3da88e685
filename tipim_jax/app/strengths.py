"""The strengths that the page offers, in people's words."""

import dataclasses
from dataclasses import dataclass

from tipim_jax.method.settings import PRESETS, TipIm

WORDS = {
    "subtle": (
        "Subtle",
        "Hardly to be seen. Enough against a casual search; a determined one may still find you.",
    ),
    "balanced": (
        "Balanced",
        "Seen on a close look. Most recognisers take you for somebody else.",
    ),
    "strong": (
        "Strong",
        "Plainly seen. The best protection there is here, for photos that will be searched.",
    ),
}


@dataclass(frozen=True)
class Strength:
    """A choice of how much is changed.

    Attributes:
      name: as the command calls it.
      title: as people read it.
      words: what it protects from, and what one sees of it.
      method: the settings.
    """

    name: str
    title: str
    words: str
    method: TipIm


def strengths(iterations: int | None = None) -> tuple[Strength, ...]:
    """All, from faint to strong; the default one is called balanced, or is the only one.

    Args:
      iterations: in place of each one's own number.
    """
    names = [name for name in WORDS if name in PRESETS]
    # Without the others `strong` is what accelerators take the time for, and no choice of people.
    presets = {name: name for name in names} if "balanced" in names else {"balanced": "fast"}
    found = []
    for name, preset in presets.items():
        method = PRESETS[preset]()
        if iterations:
            method = dataclasses.replace(method, iterations=iterations)
        found.append(Strength(name, *WORDS[name], method))
    return tuple(found)
