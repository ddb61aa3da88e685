"""Judges protected photos by whole programs: who is found by whom, and whose face is seen at all.

A photo that a program cannot read is left out for it, and so is a clean one in which it finds no
face; a protected one in which it finds none is not found.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from tipim_jax.evaluate.programs.environment import (
    PROGRAMS,
    Program,
    ProgramError,
    Seen,
    ask,
    interpreter,
)
from tipim_jax.identification import FARS, Judge, Recognition, Roster, share
from weights_convert import ConversionError

# Makes the matrix definite where faces are equal, and is less than what float32 holds of a cosine.
_RIDGE = 1e-9


@dataclass(frozen=True)
class People:
    """Photos of known people.

    Attributes:
      files: The photos.
      names: Who is in each.
    """

    files: Sequence[Path]
    names: Sequence[str]


@dataclass(frozen=True)
class Judged:
    """What programs make of photos.

    Attributes:
      clean, protected: What each makes of these, by its name. Of the figures `detected` is the
        share of all photos, the others are of those in which it finds a face while they are clean.
      about: What is to be known of each besides.
      missing: Programs that could not be asked, and why.
    """

    clean: Mapping[str, Recognition]
    protected: Mapping[str, Recognition]
    about: Mapping[str, dict[str, Any]]
    missing: Mapping[str, str]

    @classmethod
    def nothing(cls) -> "Judged":
        """By no program."""
        return cls({}, {}, {}, {})

    @property
    def told(self) -> dict[str, Any]:
        """What a measurement's `about` has to say of them."""
        found = {"programs": self.about, "programs_missing": self.missing}
        return {name: dict(value) for name, value in found.items() if value}


def judge_by_programs(
    clean: People,
    protected: Sequence[Path],
    gallery: People,
    targets: People,
    surrogates: Sequence[str],
    bar: Callable[[str, int, str], Callable[[float], None]],
    programs: Sequence[Program] = PROGRAMS,
) -> Judged:
    """Asks all programs that there are.

    Args:
      protected: the clean photos' protected copies, in the same order.
      gallery, targets: as in an `Experiment`.
      surrogates: networks that the masks were made with, as far as one knows.
      bar: gives what is called with the number of photos just done, see `Bars.add`.

    Raises:
      SettingsError: there are no programs on this machine.
    """
    python = interpreter()
    known = [*gallery.files, *targets.files, *clean.files]
    found: dict[str, tuple[Recognition, Recognition, dict[str, Any]]] = {}
    missing = {}
    for program in programs:
        advance = bar(program.name, len(known) + len(protected), "photos")
        try:
            seen = [ask(program, photos, python, advance) for photos in (known, protected)]
            held_out = program.network not in surrogates
            found[program.name] = judge(
                *seen, gallery.names, targets.names, clean.names, held_out=held_out
            )
        except (ProgramError, ConversionError, ValueError) as error:
            missing[program.name] = str(error)
    return Judged(
        clean={name: one[0] for name, one in found.items()},
        protected={name: one[1] for name, one in found.items()},
        about={name: one[2] for name, one in found.items()},
        missing=missing,
    )


def judge(
    known: Seen,
    protected: Seen,
    gallery: Sequence[str],
    targets: Sequence[str],
    probes: Sequence[str],
    *,
    held_out: bool,
) -> tuple[Recognition, Recognition, dict[str, Any]]:
    """What a program makes of clean probes and of protected ones, and what else is to be said.

    Args:
      known: what it makes of the gallery, the targets and the clean probes, one behind the other.
      protected: what it makes of the protected probes.
      gallery, targets, probes: whom each photo shows.
      held_out: whether the masks were made without its network.

    Raises:
      ValueError: it finds the faces of too few people for a threshold, or those of no probe.
    """
    first = len(gallery) + len(targets)  # of the clean probes
    before, after = known.detected[first:], protected.detected
    readable = (known.failed[first:] == "") & (protected.failed == "")
    probed = before & readable
    if not probed.any():
        raise ValueError(f"it finds a face in none of the {len(probes)} clean photos")
    there = after[probed]
    wanted = np.concatenate([known.detected[:first], probed])
    parts = [known.embeddings[wanted]]
    if there.any():  # otherwise nobody knows of how many numbers an embedding would be
        parts.append(protected.embeddings[probed & after])
    least, vectors = comparable(np.concatenate(parts), known.distance, known.threshold)
    clear, hidden = np.split(vectors, [wanted.sum()])
    people = np.array([*gallery, *targets, *probes])[wanted]
    ends = [wanted[: len(gallery)].sum(), wanted[:first].sum()]
    roster = Roster.of(*(part.tolist() for part in np.split(people, ends)))
    search = Judge.of(least, roster, clear, fars=FARS)
    clean = search.standings(clear[ends[1] :])
    lost = clean.lost_but(there, search.standings(hidden, there))
    # No cosines of a program's own are known where it measures distances.
    unknown = {} if known.distance == "cosine" else {"own_cosine": None, "target_cosine": None}
    recognitions = []
    for found, detected in ((clean, before), (lost, after)):
        one = search.recognition(found, held_out=held_out)
        seen = {"detected": share(detected[readable].astype(float))}
        recognitions.append(dataclasses.replace(one, figures={**seen, **one.figures, **unknown}))
    about = {
        "versions": dict(known.versions),
        "distance": known.distance,
        "threshold": known.threshold,
        "photos": len(probes),
        "judged": int(probed.sum()),
        "no_face_in_clean": int((~before & readable).sum()),
        "no_face_in_protected": int((~there).sum()),
        "not_readable": int((~readable).sum()),
        "gallery": len(gallery),
        "gallery_without_face": len(gallery) - int(ends[0]),
    }
    return *recognitions, about


def comparable(
    embeddings: Float[np.ndarray, "faces dim"], distance: str, threshold: float
) -> tuple[float, Float[np.ndarray, "faces some"]]:
    """Vectors of which the cosine orders pairs as a program's distance does, and its threshold.

    A cosine distance is 1 less the cosine. Of Euclidean distances d between vectors of any length
    no cosine of these vectors is a function; but exp(-d²/2t²), t the threshold, is a positive
    definite kernel (Schoenberg 1938): there are unit vectors of as many numbers as there are faces
    with just these cosines, and a factor of the matrix of all of them has them as its rows. It
    falls with d, and is exp(-1/2) at the threshold. Memory grows with the square of the number of
    faces.

    Args:
      distance: "cosine" or "euclidean".
      threshold: the greatest distance at which two faces are one person's.

    Returns:
      the least cosine at which they are, and the vectors, float32.

    Raises:
      ValueError: another distance.
    """
    if distance == "cosine":
        return 1 - threshold, embeddings.astype(np.float32)
    if distance != "euclidean":
        raise ValueError(f"distance {distance!r}; expected 'cosine' or 'euclidean'")
    scaled = embeddings.astype(np.float64) / threshold
    squares = np.sum(scaled**2, axis=1)
    distances = np.maximum(squares[:, None] + squares - 2 * scaled @ scaled.T, 0)
    np.fill_diagonal(distances, 0)
    kernel = np.exp(-distances / 2) + _RIDGE * np.eye(len(scaled))
    return float(np.exp(-0.5)), np.linalg.cholesky(kernel).astype(np.float32)
