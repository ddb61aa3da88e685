"""The figures of one set of protected faces, as a data structure and as JSON."""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Num

from tipim_jax.identification.intervals import interval
from tipim_jax.photos import write_whole

# Mean over the probes, and the bounds of its 95 % bootstrap interval; None for what does not exist.
Figure = tuple[float | None, float | None, float | None]


def figure(values: Num[np.ndarray, " probes"]) -> Figure:
    """Of one value for each probe; NaN where there is none."""
    return tuple(float(v) if math.isfinite(v) else None for v in interval(values))


@dataclass(frozen=True)
class Seen:
    """What one recogniser makes of the faces.

    Attributes:
      held_out: whether the masks were made without it.
      figures: by the names in `FIGURES`.
      cmc: share of the probes whose person is among the N nearest gallery images, N from 1.
    """

    held_out: bool
    figures: Mapping[str, Figure]
    cmc: tuple[float, ...]


@dataclass(frozen=True)
class Row:
    """A line of the results.

    Attributes:
      about: what was protected and how, and what is special about the search (`Trial.about`): names
        and numbers by name; `method` is "clean" for faces as they were.
      probes: number of faces.
      quality: "psnr", "ssim", "mmd", "difference"; empty for clean faces.
      recognisers: by name.
    """

    about: Mapping[str, Any]
    probes: int
    quality: Mapping[str, Figure]
    recognisers: Mapping[str, Seen]

    def write(self, path: Path) -> None:
        """Writes JSON, all of it or nothing."""
        with write_whole(path) as stream:
            stream.write(json.dumps(dataclasses.asdict(self), indent=1).encode() + b"\n")

    @classmethod
    def read(cls, path: Path) -> "Row":
        """Reads what `write` wrote.

        Raises:
          OSError, ValueError, KeyError, TypeError: the file is missing or damaged.
        """
        table = json.loads(path.read_text(encoding="utf-8"))
        recognisers = {
            name: Seen(seen["held_out"], _figures(seen["figures"]), tuple(seen["cmc"]))
            for name, seen in table["recognisers"].items()
        }
        return cls(table["about"], table["probes"], _figures(table["quality"]), recognisers)


def _figures(table: Mapping[str, list]) -> dict[str, Figure]:
    return {name: tuple(values) for name, values in table.items()}
