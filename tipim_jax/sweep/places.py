"""Where a sweep keeps what it makes: each thing under a name that all that decides it goes into.

So a run finds what an earlier one did with the same settings, faces and weights, and nothing else.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tipim_jax.sweep.settings import Cell


@dataclass(frozen=True, eq=False)
class Places:
    """The places in a sweep's folder.

    Attributes:
      output: the folder.
      masked: stands for the probes and the targets.
      gallery: stands for what is searched.
      drawn: how many distractors are added to it.
      weights: a hash of each recogniser's weights, surrogates included.
      dtype: what the surrogates compute in, a name of `networks.PRECISIONS`.
      strangers: stands for those whose photos are added to the gallery; empty without any.
    """

    output: Path
    masked: str
    gallery: str
    drawn: int
    weights: Mapping[str, str]
    dtype: str = "float32"
    strangers: str = ""

    def cell(self, cell: Cell) -> Path:
        """The folder of a cell's protected photos or crops."""
        weights = [self.weights[name] for name in cell.surrogates]
        decides = [cell.decides, self.masked, weights]
        if self.dtype != "float32":  # what was done before there was a choice keeps its place
            decides.append(self.dtype)
        return self.output / "cells" / _digest(*decides)

    def row(self, cell: Cell | None) -> Path:
        """The measurement of a cell; None: of the clean faces."""
        about = "clean" if cell is None else self.cell(cell).name
        searched = self.masked, self.gallery, self.drawn, self.strangers
        return self.output / "rows" / f"{_digest(about, searched, dict(self.weights))}.json"

    @property
    def unfinished(self) -> Path:
        """The folder for batches under way."""
        return self.output / "unfinished"


def _digest(*decides: Any) -> str:
    text = json.dumps(decides, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
