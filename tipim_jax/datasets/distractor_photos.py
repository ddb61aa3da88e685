"""From the photos that `--distractor-photos` names to strangers in the gallery."""

from collections.abc import Iterable
from pathlib import Path

from tipim_jax.configuration import SettingsError
from tipim_jax.datasets import FaceSet, NewFaces, PhotoFolder
from tipim_jax.datasets.lfw import LfwError
from tipim_jax.identification import Strangers
from tipim_jax.photos import PhotoError
from tipim_jax.progress import Bars
from tipim_jax.runtime import cores

_SHOWN = 20  # photos that are left out
_WORTH_A_PROCESS = 500  # photos; one takes seconds to start


def load_strangers(
    place: Path,
    known: Iterable[bytes],
    bars: Bars,
    *,
    ready: bool = False,
) -> Strangers:
    """The face nearest the centre of every photo, aligned and kept in the cache of crops.

    Args:
      place: a folder of photos, or an archive in LFW's layout.
      known: keys of the other faces (`face_key`), which are passed over when they come again.
      bars: for progress; photos that are left out are named above them.
      ready: the photos are crops already.

    Raises:
      SettingsError: there is no face.
    """
    try:
        photos = FaceSet.lfw(place) if place.is_file() else PhotoFolder.of(place)
        count = len(photos.photos)
        workers = min(cores() - 1, count // _WORTH_A_PROCESS)
        advance = bars.add("aligning distractors", count, "photos")
        known = frozenset(known)
        first = NewFaces(photos, known, ready=ready, workers=workers, advance=advance)
        found = Strangers.of(first)
    except (LfwError, PhotoError) as error:
        raise SettingsError(f"--distractor-photos: {error}") from None
    for photo, reason in list(first.left_out.items())[:_SHOWN]:
        _say(bars, f"left out of the distractors: {photo}: {reason}")
    if len(first.left_out) > _SHOWN:
        _say(bars, f"left out of the distractors: {len(first.left_out) - _SHOWN} more")
    if not found:
        raise SettingsError(
            f"--distractor-photos {place}: none of its {count} photos has a face that is not there "
            "already"
        )
    # From here on all crops are kept, and no process is worth its start.
    return Strangers(NewFaces(photos, known, ready=ready), found.count, found.digest)


def _say(bars: Bars, line: str) -> None:
    bars.console.one_line(line)
