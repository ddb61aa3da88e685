"""What a sweep reads back of a cell: the same whether its masks are in photos or in crops."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from jaxtyping import Float, UInt8

from tipim_jax.identification import Faces
from tipim_jax.sweep.settings import Cell


@dataclass(frozen=True, eq=False)
class SavedProbes:
    """The probes as a cell saved them.

    Attributes:
      faces: What recognisers are shown.
      changes: How much each face was changed, see `identification.changes` and, in photos, `seen`.
      lost: Names of the probes in which no face is found any more.
    """

    faces: Faces
    changes: Mapping[str, Float[np.ndarray, " probes"]]
    lost: tuple[str, ...]


class Way(Protocol):
    """How probes are protected, saved and read back: in photos, or as crops."""

    def protect(
        self, cells: Sequence[Cell], folders: Sequence[Path], progress: Callable[[float], None]
    ) -> None:
        """Writes what is not there of cells of one `shape`, each into its folder.

        Args:
          progress: called with the number of probes' worth of work just done.
        """

    def saved(self, folder: Path) -> SavedProbes:
        """The probes as they are in a cell's folder."""

    def crops(self, folder: Path, count: int) -> Sequence[UInt8[np.ndarray, "112 112 3"]]:
        """The first probes in a cell's folder, aligned as they were before."""
