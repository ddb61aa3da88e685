"""What the command says before it starts: what it will do, and how long that takes, roughly."""

import math
import threading
from collections.abc import Callable

from tipim_jax.attack.settings import Attack
from tipim_jax.engine.defaults import STRENGTHS
from tipim_jax.report.wording import counted
from tipim_jax.runtime import cores

# Seconds of one iteration of one face against one network, towards one target: of one core of a
# server and of a GPU, as measured. Other machines have others.
_CORE, _ACCELERATOR = 0.06, 0.0007
# What comes on top where nothing is kept of earlier runs yet: mostly compiling.
_FIRST_TIME = {"cpu": "two minutes", "gpu": "four minutes", "tpu": "four minutes"}
_TARGETS = 10  # people, as many as are bundled; a search tries a step towards each of them


def plan(settings: Attack, photos: int | None, there: int, kind: str) -> list[str]:
    """Lines that say it.

    Args:
      photos: how many there are; None: whatever arrives.
      there: of how many of them an earlier run has made protected copies.
      kind: of the devices, as `backend` has it.
    """
    name = settings.preset
    strength = f"strength {name}" if name in STRENGTHS else f"preset {name}"
    device = f"{cores()} cores of the CPU" if kind == "cpu" else f"the {kind.upper()}"
    to_do = cores() if photos is None else max(1, photos - there)
    seconds = seconds_for(settings, kind, to_do)
    what, in_all = "photos that arrive", ""
    if photos is not None:
        what = counted(photos, "photo") + (f", {there:,} of them masked before" if there else "")
        if to_do > 1:
            in_all = f", {roughly(seconds)} with one in each photo"
    return [
        f"{what}, masks of {strength}, on {device}",
        f"about {roughly(seconds / to_do)} a face{in_all}; "
        f"the first time up to {_FIRST_TIME[kind]} more",
    ]


def seconds_for(settings: Attack, kind: str, faces: int) -> float:
    """How long so many faces take, as far as one can know before; a core works on one of them."""
    method = settings.method
    searches = _TARGETS / method.search_every if method.target_choice == "search" else 0
    passes = method.iterations * len(settings.surrogates) * max(1, method.views) * (1 + searches)
    if kind == "cpu":
        return passes * _CORE * max(1, faces / cores())
    return passes * _ACCELERATOR * faces


def roughly(seconds: float) -> str:
    """A duration with no more digits than a guess deserves."""
    if seconds < 100:
        return f"{_rounded(seconds)} s"
    if seconds < 100 * 60:
        return f"{_rounded(seconds / 60)} min"
    return f"{_rounded(seconds / 3600)} h"


def _rounded(value: float) -> int:
    """To one digit, or to two that end in 5: 7, 15, 20, 45, 90."""
    if value < 10:
        return max(1, round(value))
    unit = 5 * 10 ** (math.floor(math.log10(value)) - 1)
    return round(value / unit) * unit


class FacesFound:
    """Says how long it takes as faces are found; called by threads."""

    def __init__(self, say: Callable[[str], None], seconds: Callable[[int], float]):
        """Takes what shows a line, and what says how long so many faces take."""
        self._say, self._seconds = say, seconds
        self._faces, self._lock = 0, threading.Lock()

    def __call__(self, faces: int) -> None:
        if not faces:
            return
        with self._lock:
            self._faces += faces
            in_all = roughly(self._seconds(self._faces))
            self._say(f"{counted(self._faces, 'face')} to mask, found so far: about {in_all}")
