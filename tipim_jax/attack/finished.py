"""Remembers which photos are done and with what, so that a run can be stopped and go on."""

import dataclasses
import hashlib
import json
from pathlib import Path

from tipim_jax.photos import write_whole

_FOLDER = ".tipim_jax"


@dataclasses.dataclass(frozen=True)
class Finished:
    """The record of one output folder: a small file for each photo done, below `.tipim_jax`.

    Attributes:
      output: the output folder.
      settings: all that decides what is written besides the photo itself; JSON can hold it.
    """

    output: Path
    settings: dict

    def fingerprint(self, source: Path) -> str:
        """A hash of the photo and of the settings."""
        content = hashlib.sha256(source.read_bytes()).hexdigest()
        settings = json.dumps(self.settings, sort_keys=True)
        return hashlib.sha256(f"{content} {settings}".encode()).hexdigest()

    def has(self, source: Path, target: Path) -> bool:
        """Whether `target` is there and is what this photo gives with these settings."""
        return target.is_file() and self._read(target) == self.fingerprint(source)

    def is_foreign(self, target: Path) -> bool:
        """Whether there is a file at `target` that no run of ours wrote."""
        return target.exists() and self._read(target) is None

    def add(self, source: Path, target: Path) -> None:
        """Notes that `target` has been written whole."""
        with write_whole(self._record(target)) as stream:
            stream.write(self.fingerprint(source).encode())

    def _record(self, target: Path) -> Path:
        return self.output / _FOLDER / f"{target.relative_to(self.output)}.done"

    def _read(self, target: Path) -> str | None:
        try:
            return self._record(target).read_text()
        except (OSError, UnicodeDecodeError):
            return None
