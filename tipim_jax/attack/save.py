"""Protects photos and writes each one as soon as it is done."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tipim_jax.attack.batches import masks
from tipim_jax.attack.finished import Finished
from tipim_jax.attack.gallery import Portraits
from tipim_jax.attack.scan import ScannedPhoto
from tipim_jax.attack.settings import Attack
from tipim_jax.method import Surrogate
from tipim_jax.photos import PhotoError, add_masks, read_photo, write_photo
from tipim_jax.progress import Bars
from tipim_jax.report import NotProtected


class Stopped(Exception):
    """The user stopped the run (Ctrl-C); the message says what is done."""


@dataclasses.dataclass(frozen=True, eq=False)
class Saved:
    """What is on disk now.

    Attributes:
      photos: the photos whose protected copy is there, in their order.
      failed: those that could not be written.
      faces: how many faces were protected in this run; the others were done already.
      seconds: what that took, compilation included.
    """

    photos: tuple[ScannedPhoto, ...]
    failed: tuple[NotProtected, ...]
    faces: int
    seconds: float


def save_protected(
    settings: Attack,
    surrogates: Mapping[str, Surrogate],
    targets: Portraits,
    photos: Sequence[ScannedPhoto],
    outputs: Mapping[Path, Path],
    bars: Bars,
) -> Saved:
    """Protects all faces of the photos that are not done yet.

    Args:
      settings: the command's.
      surrogates: by name.
      targets: whom the faces shall be taken for.
      photos: with their faces.
      outputs: where each source's protected copy goes.

    Raises:
      Stopped: on Ctrl-C; what was written stays.
    """
    finished = Finished(settings.output, _what_decides(settings, surrogates, targets))
    present, failed, waiting = set(), [], []
    for photo in photos:
        source, target = photo.file.source, outputs[photo.file.source]
        if settings.overwrite or not target.exists():
            waiting.append(photo)
        elif finished.is_foreign(target):
            reason = (
                f"{target} is there and not from a run of this command; --overwrite replaces it"
            )
            failed.append(NotProtected(str(photo.file.relative), reason))
        elif finished.has(source, target):
            present.add(source)
        else:  # of other settings
            waiting.append(photo)

    began = time.perf_counter()
    crops = [face.crop for photo in waiting for face in photo.faces]
    stream = masks(
        list(surrogates.values()),
        crops,
        targets.crops,
        settings.method,
        batch_size=settings.batch_size,
        seed=settings.seed,
        progress=bars.add("protecting", len(crops), "faces") if crops else lambda _: None,
    )
    try:
        for photo in waiting:
            source, target = photo.file.source, outputs[photo.file.source]
            photo_masks = np.stack([next(stream) for _ in photo.faces])
            try:
                original = read_photo(source)
                matrices = np.stack([face.matrix for face in photo.faces])
                pixels = add_masks(original.pixels, photo_masks, matrices, settings.method.epsilon)
                write_photo(
                    target,
                    dataclasses.replace(original, pixels=pixels),
                    keep_metadata=settings.keep_metadata,
                )
                finished.add(source, target)
            except (PhotoError, OSError) as error:
                failed.append(NotProtected(str(photo.file.relative), str(error)))
            else:
                present.add(source)
    except KeyboardInterrupt:
        raise Stopped(
            f"stopped: {len(present)} of {len(photos)} photos are done, in {settings.output}; "
            "the same command goes on from there"
        ) from None
    return Saved(
        photos=tuple(photo for photo in photos if photo.file.source in present),
        failed=tuple(failed),
        faces=len(crops),
        seconds=time.perf_counter() - began,
    )


def _what_decides(settings: Attack, surrogates, targets: Portraits) -> dict:
    """All settings that change what is written."""
    together = settings.method.gamma and settings.method.mmd_group_size > 1
    return {
        "method": dataclasses.asdict(settings.method),
        "surrogates": sorted(surrogates),
        "targets": [targets.names, [float(crop.sum()) for crop in targets.crops]],
        "seed": settings.seed,
        "keep_metadata": settings.keep_metadata,
        # Only the MMD of a group makes faces depend on the batch around them.
        "batch_size": settings.batch_size if together else None,
    }
