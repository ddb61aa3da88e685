"""From a sweep's protocol to its faces."""

import hashlib
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tipim_jax.configuration import SettingsError
from tipim_jax.console import Console
from tipim_jax.datasets import (
    AlignedFaces,
    FaceSet,
    Protocol,
    Roles,
    face_key,
    paper,
    people,
    reproduction,
)
from tipim_jax.datasets.distractor_photos import load_strangers
from tipim_jax.datasets.lfw import LfwError, LfwPhoto
from tipim_jax.identification import CropFaces, Experiment, PhotoFaces
from tipim_jax.photos import Face
from tipim_jax.progress import Bars
from tipim_jax.runtime import cores
from tipim_jax.sweep.settings import Sweep

_BATCH = 256


def load_experiment(
    sweep: Sweep,
    lfw: Path | None,
    roles: Path | None,
    distractor_photos: Path | None,
    output: Path,
    bars: Bars,
) -> Experiment:
    """The faces of a sweep; writes who is what to `protocol.json`.

    Args:
      sweep: its settings.
      lfw: where LFW is, see `FaceSet.lfw`; None for the bundled people.
      roles: a file that says who may be what, see `Roles`; None lets everybody be anything.
      distractor_photos: where photos of strangers are, see `load_strangers`; None for no such.
      output: the sweep's folder.
      bars: for progress; photos without a face are named above them.

    Raises:
      SettingsError: the photos are not enough, or cannot be had.
    """
    if lfw is not None and sweep.protocol == "people":
        raise SettingsError("--lfw goes with the protocols 'paper' and 'reproduction'")
    try:
        faces = FaceSet.bundled() if lfw is None else FaceSet.lfw(lfw)
        protocol = _protocol(sweep, faces, roles)
        protocol.write(output / "protocol.json")
        workers = max(1, cores() - 1) if lfw else 0
        parts = [
            _located(faces, getattr(protocol, part), part, workers, sweep.crops, bars)
            for part in ("probes", "targets", "gallery")
        ]
    except (LfwError, ValueError) as error:
        raise SettingsError(str(error)) from None
    strangers = None
    if distractor_photos is not None:
        known = (face_key(face.crop) for face in itertools.chain.from_iterable(parts))
        strangers = load_strangers(distractor_photos, known, bars)
    return Experiment(*parts, drawn=sweep.drawn_distractors, strangers=strangers)


def _protocol(sweep: Sweep, faces: FaceSet, roles: Path | None) -> Protocol:
    numbers = {
        role: count
        for role in ("probes", "targets", "distractors")
        if (count := getattr(sweep, role)) is not None
    }
    if sweep.protocol == "people":
        if roles or "distractors" in numbers:
            raise SettingsError("protocol 'people' has no --roles and no distractors")
        return people(sweep.protocol_seed, **numbers)
    draw = {"paper": paper, "reproduction": reproduction}[sweep.protocol]
    return draw(faces, sweep.protocol_seed, Roles.read(roles) if roles else None, **numbers)


def _located(
    faces: FaceSet,
    photos: Sequence[LfwPhoto],
    part: str,
    workers: int,
    crops: bool,
    bars: Bars,
) -> PhotoFaces | CropFaces:
    """The face nearest the centre of each photo: in the photo, or as a crop."""
    batches = AlignedFaces(
        faces,
        photos,
        batch=_BATCH,
        workers=workers,
        advance=bars.add(f"aligning {part}", len(photos), "photos"),
    )
    found = list(batches)
    for photo, reason in batches.left_out.items():
        Console(stderr=True).one_line(f"left out of the {part}: {photo}: {reason}")
    named = [photo for batch in found for photo in batch.photos]
    if not named:
        raise SettingsError(f"{faces.origin}: no face was found in any of the {part}")
    names, people = tuple(map(str, named)), tuple(photo.person for photo in named)
    if crops:
        return CropFaces(names, people, np.concatenate([batch.crops for batch in found]))
    return PhotoFaces(
        names=names,
        people=people,
        faces=tuple(
            Face(box, landmarks, score=1.0)
            for batch in found
            for box, landmarks in zip(batch.boxes, batch.landmarks, strict=True)
        ),
        contents=tuple(hashlib.sha256(faces.read(photo)).hexdigest() for photo in named),
        read=lambda number: faces.read(named[number]),
    )
