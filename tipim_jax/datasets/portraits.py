"""Photos of known people, each with one face."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from tipim_jax.datasets.crops import AlignedFace, CropCache, ReadyCrops
from tipim_jax.identification import PhotoFaces
from tipim_jax.photos import NO_FACE, Face, PhotoError, PhotoFile


def find_portraits(
    named: Sequence[tuple[str, PhotoFile]],
    kept: CropCache | ReadyCrops,
    which: Literal["largest", "central"],
    *,
    each: Callable[[Callable, Sequence[PhotoFile]], Iterable] = map,
    progress: Callable[[float], None] = lambda _: None,
) -> tuple[PhotoFaces, dict[str, str]]:
    """One face of each photo of people who are known by name.

    Args:
      named: photos, and who is in each.
      kept: where the faces are, found now as far as that is not kept; `ReadyCrops` for photos that
        are canonical crops already.
      which: whose face counts where there are several: the largest, or the one nearest the centre.
      each: applies a function to the photos, in order; threads may do so.
      progress: called with the number of photos just done.

    Returns:
      The faces, and the photos without one, by where they lie, with the reason.

    Raises:
      LfwError: the cache cannot be written.
    """

    def find(file):
        try:
            content = _content(file)
            found = _face(kept, content, str(file.relative), which)
            return found, hashlib.sha256(content).hexdigest()
        except PhotoError as error:
            return str(error), ""
        finally:
            progress(1)

    faces, left_out = [], {}
    found = each(find, [file for _, file in named])
    for (name, file), (face, content) in zip(named, found, strict=True):
        if isinstance(face, Face):
            faces.append((name, file, face, content))
        else:
            left_out[str(file.relative)] = face
    return PhotoFaces(
        names=tuple(str(file.relative) for _, file, _, _ in faces),
        people=tuple(name for name, _, _, _ in faces),
        faces=tuple(face for _, _, face, _ in faces),
        contents=tuple(content for _, _, _, content in faces),
        read=lambda number: _content(faces[number][1]),
        ready=isinstance(kept, ReadyCrops),
    ), left_out


def _face(kept, content: bytes, name: str, which: str) -> Face | str:
    """The face, or why there is none."""
    if which == "central":
        found = kept.align(content, name)
        return found.face if isinstance(found, AlignedFace) else found
    faces = kept.faces(content, name)
    return faces[0] if faces else NO_FACE


def _content(file: PhotoFile) -> bytes:
    try:
        return file.source.read_bytes()
    except OSError as error:
        raise PhotoError(f"cannot read {file.relative}: {error.strerror}") from None
