"""What a run begins with: the files, the place for its output, and what is loaded."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from tipim_jax.attack.gallery import bundled_file
from tipim_jax.attack.settings import Attack
from tipim_jax.configuration import SettingsError
from tipim_jax.datasets import bundled
from tipim_jax.engine import Chooser, Protector
from tipim_jax.photos import FoundFiles, PhotoFile, find_files, output_paths


def load_protector(settings: Attack) -> Protector:
    """Everything that protecting takes.

    Raises:
      SettingsError, PhotoError, ConversionError: something of it cannot be had.
    """
    chooser = None
    if settings.only or settings.excepted or settings.smallest:
        chooser = Chooser.load(
            smallest=settings.smallest, only=settings.only, spared=settings.excepted
        )
    loaded = chooser.recognisers if chooser else {}
    return Protector(
        settings.method,
        surrogates=[loaded.get(name, name) for name in settings.surrogates],
        targets=settings.targets,
        seed=settings.seed,
        batch_size=settings.batch_size,
        dtype=settings.dtype,
        chooser=chooser,
    )


def input_files(settings: Attack) -> FoundFiles:
    if not settings.paths:
        return FoundFiles([bundled_file(path) for path in bundled.demonstration_photos()], [])
    files = find_files(settings.paths, skip=settings.output)
    if not files.photos:
        others = f"{len(files.others)} other files" if files.others else "nothing"
        raise SettingsError(
            f"no photos in {', '.join(map(str, settings.paths))}; expected JPEG, PNG, HEIC or "
            f"other pictures, found {others}"
        )
    return files


def already_there(settings: Attack, files: Sequence[PhotoFile]) -> int:
    """Of how many photos there are protected copies, by their names, that are not made anew."""
    if settings.overwrite:
        return 0
    outputs = output_paths(files, settings.output, saved_as=settings.format)
    return sum(path.is_file() for path in outputs)


def make_output(folder: Path) -> None:
    """Finds out now, not after hours of work, that nothing can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SettingsError(
            f"--output {folder} is no folder that can be written to: {error.strerror}"
        ) from None
