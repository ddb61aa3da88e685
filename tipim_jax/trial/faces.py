"""Aligned faces of known people."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import UInt8


@dataclass(frozen=True, eq=False)
class Faces:
    """Canonical crops with their names.

    Attributes:
      names: of each photo, as in LFW: `A_Name_0001`.
      people: who is in each.
      crops: RGB.
    """

    names: tuple[str, ...]
    people: tuple[str, ...]
    crops: UInt8[np.ndarray, "faces 112 112 3"]

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def digest(self) -> str:
        """A hash of the names and the crops."""
        digest = hashlib.sha256("\n".join((*self.names, *self.people)).encode())
        digest.update(self.crops.tobytes())
        return digest.hexdigest()
