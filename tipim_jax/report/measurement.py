"""What was measured of one set of probes, as a data structure and as JSON."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tipim_jax.identification import Estimate, Recognition
from tipim_jax.photos import write_whole
from tipim_jax.report.typed_json import from_data, parsed, to_json


@dataclass(frozen=True)
class Measurement:
    """A line of the results.

    Attributes:
      about: What was protected and how, and what is special about the search (`Experiment.about`):
        names and numbers by name; `method` is "clean" for faces as they were.
      probes: Number of faces.
      quality: See `identification.quality`; empty for clean faces.
      recognisers: What each recogniser makes of the faces, by its name.
    """

    about: dict[str, Any]
    probes: int
    quality: dict[str, Estimate | None]
    recognisers: dict[str, Recognition]

    def write(self, path: Path) -> None:
        """Writes JSON, all of it or nothing."""
        with write_whole(path) as stream:
            stream.write(to_json(self, str(path)).encode())

    @classmethod
    def read(cls, path: Path) -> "Measurement":
        """Reads what `write` wrote.

        Raises:
          OSError, ValueError: the file is missing or damaged.
        """
        return from_data(cls, parsed(path.read_text(encoding="utf-8"), str(path)), str(path))
