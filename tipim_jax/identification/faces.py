"""Aligned faces: of known people, and of strangers."""

import hashlib
from collections.abc import Iterable
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


@dataclass(frozen=True, eq=False)
class Strangers:
    """Canonical crops of people without names, perhaps more of them than memory holds.

    Attributes:
      batches: some at a time; each iteration starts anew.
      count: how many there are.
      digest: a hash of the crops.
    """

    batches: Iterable[UInt8[np.ndarray, "some 112 112 3"]]
    count: int
    digest: str

    def __len__(self) -> int:
        return self.count

    @classmethod
    def of(cls, batches: Iterable[UInt8[np.ndarray, "some 112 112 3"]]) -> "Strangers":
        """Looks through the batches once."""
        digest, count = hashlib.sha256(), 0
        for crops in batches:
            digest.update(crops.tobytes())
            count += len(crops)
        return cls(batches, count, digest.hexdigest())
