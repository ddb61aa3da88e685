"""The record of what an output folder holds: which photo was written, with what, and what is in it.

A run that was stopped or killed goes on from it. For each photo there is a small JSON file below
`.tipim_jax`. It is written before the photo itself and names the photo's hash, so that at whatever
instruction a run is killed a file of ours is known as ours, and counts as done only where its
content is what was to be written.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from tipim_jax.engine.found import FaceOutcome
from tipim_jax.photos import RECORD, Face, write_whole

State = Literal["to do", "done", "foreign", "another's"]


@dataclasses.dataclass(frozen=True)
class Entry:
    """What the record says of one output.

    Attributes:
      fingerprint: Hash of the source's content and of all that decides what is written.
      written: Hashes of what was written here or was about to be, the latest last.
      faces: What was done to each face.
      source: Hashes of the source's path and of its content; the folder may be posted.
    """

    fingerprint: str
    written: tuple[str, ...]
    faces: tuple[FaceOutcome, ...]
    source: tuple[str, str]


@dataclasses.dataclass(frozen=True)
class Journal:
    """The record of one output folder; several processes may share it.

    Attributes:
      output: Output folder.
      decides: Hash of all that decides what is written besides the photo itself.
    """

    output: Path
    decides: str

    def state(self, source: Path, target: Path) -> State:
        """Whether `target` is what this photo gives, is somebody else's, or is to be made.

        What was made with other settings is to be made again, and what was made of this file before
        it was changed, or of the same photo in another place. What was made of another photo is
        that one's. A source that cannot be read is to be done: that it cannot be is said where it
        is read for its faces.
        """
        if not target.exists():
            return "to do"
        entry = self.read(target)
        try:
            there = _digest(target.read_bytes())
            content = _digest(source.read_bytes())
        except OSError:
            return "to do"
        if entry is None or there not in entry.written:
            return "foreign"
        if not {_place_of(source), content} & set(entry.source):
            return "another's"
        wanted = self.fingerprint(content)
        whole = there == entry.written[-1] and entry.fingerprint == wanted
        return "done" if whole else "to do"

    def fingerprint(self, source_digest: str) -> str:
        """Of a photo whose content has this hash."""
        return _digest(f"{source_digest} {self.decides}".encode())

    def announce(
        self,
        target: Path,
        source: Path,
        source_digest: str,
        content: bytes,
        faces: Sequence[FaceOutcome],
    ) -> None:
        """Notes what is about to be written to `target`; to be called before it is."""
        before = self.read(target)
        earlier = before.written if before else ()  # killed before it wrote, the last is not there
        entry = Entry(
            self.fingerprint(source_digest),
            (*earlier, _digest(content)),
            tuple(faces),
            (_place_of(source), source_digest),
        )
        with write_whole(self._place(target)) as stream:
            stream.write(json.dumps(dataclasses.asdict(entry), default=_plain).encode())

    def read(self, target: Path) -> Entry | None:
        """What is noted of `target`; None where nothing is, or nothing that can be read."""
        try:
            table = json.loads(self._place(target).read_bytes())
            faces = tuple(_outcome(face) for face in table["faces"])
            source = tuple(table["source"])
            return Entry(table["fingerprint"], tuple(table["written"]), faces, source)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @property
    def unfinished(self) -> Path:
        """Folder for batches under way."""
        return self.output / RECORD / "unfinished"

    def _place(self, target: Path) -> Path:
        return self.output / RECORD / f"{target.relative_to(self.output)}.json"


def _place_of(source: Path) -> str:
    return _digest(os.fsencode(source.absolute()))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _plain(value):
    return value.tolist()


def _outcome(table: dict) -> FaceOutcome:
    face = table.pop("face")
    box, landmarks = (np.array(face[name], np.float32) for name in ("box", "landmarks"))
    return FaceOutcome(Face(box, landmarks, face["score"]), **table)
