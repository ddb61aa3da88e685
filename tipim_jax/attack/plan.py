"""Which photos are to be protected, and which are done already."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tipim_jax.attack.finished import Finished
from tipim_jax.attack.gallery import Portraits
from tipim_jax.attack.settings import Attack
from tipim_jax.photos import PhotoFile


@dataclass(frozen=True)
class Plan:
    """What becomes of the photos.

    Attributes:
      to_do: to be protected.
      foreign: those in whose place there is a file of somebody else.
      done: those whose protected copy is there.
    """

    to_do: tuple[PhotoFile, ...]
    foreign: tuple[PhotoFile, ...]
    done: tuple[PhotoFile, ...]

    @property
    def order(self) -> tuple[PhotoFile, ...]:
        """In which faces are wanted: the device waits for the first, the report for the others."""
        return self.to_do + self.foreign + self.done


def make_plan(
    files: Sequence[PhotoFile],
    outputs: Mapping[Path, Path],
    finished: Finished,
    *,
    overwrite: bool,
) -> Plan:
    """Looks at what is there.

    Args:
      files: the given photos.
      outputs: where each source's protected copy goes.
      finished: the record of what is done.
      overwrite: protect all of them whatever is there.
    """

    def state(file):
        target = outputs[file.source]
        if overwrite or not target.exists():
            return "to_do"
        if finished.is_foreign(target):
            return "foreign"
        try:  # one that is there and not done was made with other settings
            return "done" if finished.has(file.source, target) else "to_do"
        except OSError:  # that it cannot be read is said where it is read for its faces
            return "to_do"

    states = [(state(file), file) for file in files]
    return Plan(
        *(
            tuple(file for found, file in states if found == wanted)
            for wanted in ("to_do", "foreign", "done")
        )
    )


def what_decides(settings: Attack, targets: Portraits, dtype: str) -> dict:
    """All settings that change what is written, as JSON can hold them."""
    together = settings.method.gamma and settings.method.mmd_group_size > 1
    return {
        "method": dataclasses.asdict(settings.method),
        "surrogates": sorted(settings.surrogates),
        "targets": [targets.names, [float(crop.sum()) for crop in targets.crops]],
        "seed": settings.seed,
        "dtype": dtype,
        "keep_metadata": settings.keep_metadata,
        # Only the MMD of a group makes faces depend on the batch around them.
        "batch_size": settings.batch_size if together else None,
    }
