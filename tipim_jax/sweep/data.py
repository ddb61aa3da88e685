"""From a sweep's protocol to its faces."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tipim_jax.configuration import SettingsError
from tipim_jax.console import Console
from tipim_jax.datasets import AlignedFaces, FaceSet, Protocol, Roles, paper, people, reproduction
from tipim_jax.datasets.distractor_photos import load_strangers
from tipim_jax.datasets.lfw import LfwError, LfwPhoto
from tipim_jax.identification import Faces, Trial
from tipim_jax.progress import Bars
from tipim_jax.runtime import cores
from tipim_jax.sweep.settings import Sweep

_BATCH = 256


def load_trial(
    sweep: Sweep,
    lfw: Path | None,
    roles: Path | None,
    distractor_photos: Path | None,
    output: Path,
    bars: Bars,
) -> Trial:
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
            _aligned(faces, getattr(protocol, part), part, workers, bars)
            for part in ("probes", "targets", "gallery")
        ]
    except (LfwError, ValueError) as error:
        raise SettingsError(str(error)) from None
    strangers = None
    if distractor_photos is not None:
        known = itertools.chain.from_iterable(part.crops for part in parts)
        strangers = load_strangers(distractor_photos, known, bars)
    return Trial(*parts, drawn=sweep.drawn_distractors, strangers=strangers)


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


def _aligned(
    faces: FaceSet, photos: Sequence[LfwPhoto], part: str, workers: int, bars: Bars
) -> Faces:
    batches = AlignedFaces(
        faces,
        photos,
        batch=_BATCH,
        workers=workers,
        advance=bars.add(f"aligning {part}", len(photos), "photos"),
    )
    found = list(batches)
    for photo, reason in batches.left_out.items():
        Console(stderr=True).print(f"left out of the {part}: {photo}: {reason}")
    names = [photo for batch in found for photo in batch.photos]
    if not names:
        raise SettingsError(f"{faces.origin}: no face was found in any of the {part}")
    return Faces(
        tuple(str(photo) for photo in names),
        tuple(photo.person for photo in names),
        np.concatenate([batch.crops for batch in found]),
    )
