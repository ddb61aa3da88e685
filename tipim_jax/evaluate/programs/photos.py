"""The photos of a run of the command, as programs are given them: files."""

from collections.abc import Sequence
from pathlib import Path

from tipim_jax.evaluate.pairs import PhotoPair, photos
from tipim_jax.evaluate.programs.judging import Judged, People, judge_by_programs
from tipim_jax.evaluate.settings import Evaluate
from tipim_jax.identification import PhotoFaces
from tipim_jax.progress import Bars


def judge_photos(
    settings: Evaluate,
    pairs: Sequence[PhotoPair],
    clean: PhotoFaces,
    gallery: PhotoFaces,
    targets: PhotoFaces,
    bars: Bars,
) -> Judged:
    """Asks all programs about the photos that networks judge, without distractors.

    Args:
      pairs: protected photos and clean ones.
      clean: faces of the clean ones that can be judged, called as the protected ones.
      gallery, targets: faces of those in the settings' folders.

    Raises:
      SettingsError: there are no programs on this machine.
    """
    by_name = {pair.name: pair for pair in pairs}
    judged = [by_name[name] for name in clean.names]
    return judge_by_programs(
        People([pair.clean.source for pair in judged], clean.people),
        [pair.protected.source for pair in judged],
        _files(gallery, settings.gallery, "--gallery"),
        _files(targets, settings.targets, "--targets"),
        settings.surrogate,
        bars.add,
    )


def _files(faces: PhotoFaces, folder: Path | None, flag: str) -> People:
    if folder is None:
        return People((), ())
    sources = {str(file.relative): file.source for file in photos(folder, flag)}
    return People([sources[name] for name in faces.names], faces.people)
