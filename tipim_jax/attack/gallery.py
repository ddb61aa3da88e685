"""Who is searched for, and among whom: the gallery, and the people in the given photos."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from tipim_jax.configuration import SettingsError
from tipim_jax.datasets import bundled
from tipim_jax.datasets.names import person, stated_person
from tipim_jax.identification import agreement, group_people
from tipim_jax.photos import PhotoFile, find_photos

# Equal for faces of one person: a name, or a number where nobody named them.
Identity = str | int


def bundled_file(path: Path) -> PhotoFile:
    """A photo of the bundled people, in LFW's layout."""
    return PhotoFile(path, Path(path.parent.name, path.name))


def gallery_files(folder: Path | None) -> tuple[str, list[tuple[str, PhotoFile]]]:
    """The origin of the gallery, and its photos with the names of those they show."""
    if folder is None:
        photos = bundled.gallery_photos()
        return "bundled people", [(name, bundled_file(path)) for name, path in photos]
    files = [(person(file), file) for file in find_photos([folder]) if file.relative.parent.parts]
    if not files:
        raise SettingsError(
            f"--gallery {folder} holds no folders with photos; expected one folder for each person"
        )
    return str(folder), files


def identities(
    files: Sequence[PhotoFile],
    faces: Sequence[int],
    named_gallery: Sequence[str],
    cosines: Sequence[Float[np.ndarray, "faces faces_and_gallery"]],
    thresholds: Sequence[float],
) -> list[Identity]:
    """Says of every face in the given photos whose it is, as far as that can be known.

    A photo in a folder called as somebody of the gallery, or laid out as LFW is
    (Name/Name_0001.jpg), shows that person: the largest face is theirs. Of all other faces the
    recognisers say, of the unprotected photos, who in the gallery and which others are the same.

    Args:
      files: the given photos.
      faces: for each face, the largest of a photo first, the index of its photo.
      named_gallery: name of each image of a gallery whose people may be in the photos.
      cosines: from each recogniser, of all faces to each other, followed by those to the gallery's
        images.
      thresholds: of the recognisers.

    Returns:
      for each face a name, or a number where nobody knows one.
    """
    faces = np.asarray(faces, int)
    largest = np.diff(faces, prepend=-1) > 0
    known = frozenset(named_gallery)
    names = [
        stated_person(files[photo], known) if first else None
        for photo, first in zip(faces, largest, strict=True)
    ]
    says = agreement(cosines, thresholds)
    to_each_other, to_gallery = says[:, : len(faces)], says[:, len(faces) :]
    for n, name in enumerate(names):
        if name is None and to_gallery.size and to_gallery[n].max() > 0:
            names[n] = named_gallery[to_gallery[n].argmax()]

    unnamed = np.array([n for n, name in enumerate(names) if name is None], int)
    different = faces[unnamed][:, None] == faces[unnamed]  # nobody is twice in a photo
    groups = group_people(to_each_other[np.ix_(unnamed, unnamed)], different)
    found: list[Identity] = [name or 0 for name in names]
    for n, group in zip(unnamed, groups, strict=True):
        found[n] = int(group)
    return found
