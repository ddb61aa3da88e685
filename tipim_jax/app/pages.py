"""What is open: pages, the photos on them, and what the browser is told of both.

A photo's files lie in a folder of its own, whose name is drawn at random; the name that the browser
gave is only ever shown.
"""

import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from tipim_jax.app.engine import Opinion
from tipim_jax.photos import Face

# sent, being searched for faces, to be chosen from; in the queue, being protected, done; no use
State = Literal["sent", "looking", "ready", "waiting", "working", "done", "failed"]
PROTECTING = ("waiting", "working")
BUSY = ("sent", "looking", *PROTECTING)


def identity() -> str:
    """A name that cannot be guessed, and that any file system can hold."""
    return secrets.token_hex(12)


@dataclass(eq=False)
class Photo:
    """A photo on a page.

    Attributes:
      folder: its own.
      name: as the browser says, made safe.
      modified: when the file was changed last, seconds since 1970; None where that is not known.
      size: bytes that were sent.
      state: what is happening to it.
      progress: share of the masks that is made, in [0, 1].
      why: what is wrong with it, or what is not protected.
      width, height: in pixels, upright; 0 until it was read.
      faces: those of which it is sure how they lie; `unsure` are the others.
      alone: indices of the faces that are left alone.
      strength: which was asked for.
      opinions: of each face what recognisers say; empty for a face that was left alone.
      saved: name of the protected file in the folder; empty before.
      touched: when somebody last worked on it, seconds of `time.monotonic`.
      version: counts what is made of it, so that a browser keeps no old pictures.
    """

    folder: Path
    name: PurePosixPath
    modified: float | None
    id: str
    size: int = 0
    state: State = "sent"
    progress: float = 0.0
    why: str = ""
    width: int = 0
    height: int = 0
    faces: tuple[Face, ...] = ()
    unsure: tuple[Face, ...] = ()
    alone: frozenset[int] = frozenset()
    strength: str = ""
    opinions: Sequence[Sequence[Opinion]] = ()
    saved: str = ""
    touched: float = field(default_factory=time.monotonic)
    version: int = 0

    @property
    def chosen(self) -> tuple[Face, ...]:
        """The faces that are to be protected."""
        return tuple(face for i, face in enumerate(self.faces) if i not in self.alone)

    def told(self) -> dict:
        """As JSON; boxes are (left, top, width, height) in shares of the photo's sides."""

        def box(face: Face):
            left, top, width, height = face.box.tolist()
            return [
                round(value, 5)
                for value in (
                    *(left / self.width, top / self.height),
                    *(width / self.width, height / self.height),
                )
            ]

        return {
            "id": self.id,
            "name": str(self.name),
            "state": self.state,
            "progress": round(self.progress, 3),
            "why": self.why,
            "width": self.width,
            "height": self.height,
            "faces": [box(face) for face in self.faces],
            "unsure": [box(face) for face in self.unsure],
            "alone": sorted(self.alone),
            "strength": self.strength,
            "opinions": [[asdict(one) for one in face] for face in self.opinions],
            "saved": bool(self.saved),
            "version": self.version,
        }


@dataclass(eq=False)
class Trial:
    """One face, protected to be looked at before the rest is.

    Attributes:
      state: waiting, working, done or failed.
      seconds: that it took.
    """

    folder: Path
    id: str
    photo: str
    face: int
    strength: str
    state: State = "waiting"
    progress: float = 0.0
    why: str = ""
    seconds: float = 0.0
    opinions: Sequence[Opinion] = ()

    def told(self) -> dict:
        """As JSON."""
        return {
            "id": self.id,
            "photo": self.photo,
            "face": self.face,
            "strength": self.strength,
            "state": self.state,
            "progress": round(self.progress, 3),
            "why": self.why,
            "seconds": round(self.seconds, 1),
            "opinions": [asdict(one) for one in self.opinions],
        }


@dataclass(eq=False)
class Page:
    """One page in a browser.

    Attributes:
      folder: its photos' folders.
      photos: by id, in the order in which they came.
      trial: the face that was last asked for.
      left: when the page was left, seconds of `time.monotonic`; None while it is open.
      worked: photos were protected, or waiting for it, when it was left.
      seen: when its browser last asked, likewise.
    """

    folder: Path
    id: str
    photos: dict[str, Photo] = field(default_factory=dict)
    trial: Trial | None = None
    left: float | None = None
    worked: bool = False
    seen: float = field(default_factory=time.monotonic)

    @property
    def busy(self) -> bool:
        """Whether something is being made for it, or waits to be."""
        trial = self.trial is not None and self.trial.state in BUSY
        return trial or any(photo.state in BUSY for photo in self.photos.values())

    def told(self, loading: str) -> dict:
        """As JSON.

        Args:
          loading: what is being waited for that all pages wait for; may be empty.
        """
        return {
            "page": self.id,
            "loading": loading,
            "photos": [photo.told() for photo in self.photos.values()],
            "trial": self.trial.told() if self.trial else None,
        }
