"""Who is searched for, and among whom: targets, gallery, and the people in the given photos."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from tipim_jax.attack.scan import AlignedFace, ScannedPhoto
from tipim_jax.configuration import SettingsError
from tipim_jax.console import Console
from tipim_jax.datasets import bundled as people
from tipim_jax.identification import agreement, group_people
from tipim_jax.photos import PhotoFile, find_photos
from tipim_jax.report import NotProtected

# Equal for faces of one person: a name, or a number where nobody named them.
Identity = str | int


@dataclass(frozen=True, eq=False)
class Portraits:
    """One aligned face per photo, each of somebody known by name.

    Attributes:
      origin: where they come from, in words.
      names: identity of each.
      crops: canonical crops, RGB in [0, 255].
    """

    origin: str
    names: tuple[str, ...]
    crops: Float[np.ndarray, "images 112 112 3"]


@dataclass(frozen=True, eq=False)
class ProbeFace:
    """A face in a given photo.

    Attributes:
      photo: index of its photo.
      face: where it is, aligned.
      identity: whose face it is.
      name: the person's name, where it is known.
    """

    photo: int
    face: AlignedFace
    identity: Identity
    name: str | None


def bundled_file(path: Path) -> PhotoFile:
    """A photo of the bundled people, in LFW's layout."""
    return PhotoFile(path, Path(path.parent.name, path.name))


def target_files(folder: Path | None) -> tuple[str, list[tuple[str, PhotoFile]]]:
    """The origin of the targets, and one photo of each with its name."""
    if folder is None:
        photos = people.target_photos()
        return "bundled people", [(name, bundled_file(path)) for name, path in photos.items()]
    files = {}
    for file in find_photos([folder]):
        files.setdefault(_name(file) or file.source.stem, file)
    if not files:
        raise SettingsError(f"--targets {folder} holds no photos; expected one of each person")
    return str(folder), list(files.items())


def gallery_files(folder: Path | None) -> tuple[str, list[tuple[str, PhotoFile]]]:
    """The origin of the gallery, and its photos with the names of those they show."""
    if folder is None:
        photos = people.gallery_photos()
        return "bundled people", [(name, bundled_file(path)) for name, path in photos]
    files = [
        (file.source.parent.name, file)
        for file in find_photos([folder])
        if file.relative.parent.parts
    ]
    if not files:
        raise SettingsError(
            f"--gallery {folder} holds no folders with photos; expected one folder for each person"
        )
    return str(folder), files


def portraits(
    origin: str,
    files: Sequence[tuple[str, PhotoFile]],
    scanned: Iterable[ScannedPhoto | NotProtected],
    console: Console,
) -> Portraits:
    """The largest face of each photo; those without a face are left out, which is said.

    Args:
      origin: where they come from, in words.
      files: with the names of those they show.
      scanned: what was found in each of them.

    Raises:
      SettingsError: there is a face in none of them.
    """
    names, photos = [], []
    for (name, _), photo in zip(files, scanned, strict=True):
        if isinstance(photo, NotProtected):
            console.print(f"left out of {origin}: {photo.input}: {photo.reason}")
        else:
            names.append(name)
            photos.append(photo)
    if not photos:
        raise SettingsError(f"{origin}: no face was found in any of its {len(files)} photos")
    return Portraits(
        origin=origin,
        names=tuple(names),
        crops=np.stack([photo.faces[0].crop for photo in photos]),
    )


def probe_faces(
    photos: Sequence[ScannedPhoto],
    named_gallery: Sequence[str],
    cosines: Sequence[Float[np.ndarray, "faces faces_and_gallery"]],
    thresholds: Sequence[float],
) -> list[ProbeFace]:
    """Says of every face in the given photos whose it is, as far as that can be known.

    A photo in a folder called as somebody of the gallery, or laid out as LFW is
    (Name/Name_0001.jpg), shows that person: the largest face is theirs. Of all other faces the
    recognisers say, of the unprotected photos, who in the gallery and which others are the same.

    Args:
      photos: the given photos.
      named_gallery: name of each image of a gallery whose people may be in the photos.
      cosines: from each recogniser, of all faces (in order of the photos) to each other, followed
        by those to the gallery's images.
      thresholds: of the recognisers.
    """
    faces = [(i, k, face) for i, photo in enumerate(photos) for k, face in enumerate(photo.faces)]
    names = [_name(photos[i].file, named_gallery) if k == 0 else None for i, k, _ in faces]
    says = agreement(cosines, thresholds)
    to_each_other, to_gallery = says[:, : len(faces)], says[:, len(faces) :]
    for n, name in enumerate(names):
        if name is None and to_gallery.size and to_gallery[n].max() > 0:
            names[n] = named_gallery[to_gallery[n].argmax()]

    unnamed = np.array([n for n, name in enumerate(names) if name is None], int)
    of_photo = np.array([faces[n][0] for n in unnamed])
    different = of_photo[:, None] == of_photo  # nobody is twice in a photo
    groups = group_people(to_each_other[np.ix_(unnamed, unnamed)], different)
    identities: list[Identity] = [name or 0 for name in names]
    for n, group in zip(unnamed, groups, strict=True):
        identities[n] = int(group)
    return [
        ProbeFace(i, face, identity, name)
        for (i, _, face), identity, name in zip(faces, identities, names, strict=True)
    ]


def _name(file: PhotoFile, known: Sequence[str] = ()) -> str | None:
    folder = file.source.parent.name
    if folder in known or re.fullmatch(rf"{re.escape(folder)}_\d+", file.source.stem):
        return folder
    return None
