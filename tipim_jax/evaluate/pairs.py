"""Finds, pairs and aligns the photos that are to be judged."""

import hashlib
import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from tipim_jax.configuration import SettingsError
from tipim_jax.evaluate.aligner import Aligner
from tipim_jax.evaluate.posted import Condition, Posted
from tipim_jax.identification import Faces
from tipim_jax.photos import NO_FACE, PhotoError, PhotoFile, find_photos, read_photo


@dataclass(frozen=True, eq=False)
class Pairs:
    """Photos before and after, aligned.

    Attributes:
      clean: one face a photo.
      protected: the same faces in the protected photos, as a recogniser would align them.
      compared: the same faces in the protected photos, where they are in the clean ones.
      contents: hashes of the clean photos' files.
      lost: names of protected photos in which no face was found.
      left_out: names of photos, and why they are not judged.
      posted: the photos before and after, as they are after being posted in several ways.
    """

    clean: Faces
    protected: UInt8[np.ndarray, "faces 112 112 3"]
    compared: UInt8[np.ndarray, "faces 112 112 3"]
    contents: frozenset[str]
    lost: tuple[str, ...]
    left_out: dict[str, str]
    posted: tuple[Posted, ...]


def align_pairs(
    protected: Path,
    clean: Path,
    aligner: Aligner,
    progress: Callable[[int], Callable],
    conditions: Sequence[Condition] = (),
) -> Pairs:
    """Aligns every protected photo and the clean one of the same name.

    Args:
      conditions: ways to post the photos. Photos are posted one at a time, and only their crops are
        kept: 75 kB for each pair and condition.

    Raises:
      SettingsError: there is nothing to judge.
    """
    originals = {file.relative.with_suffix(""): file for file in _photos(clean, "--clean")}
    files = _photos(protected, "PROTECTED")
    advance = progress(len(files))
    names, people, before, after, compared, lost = [], [], [], [], [], []
    contents, left_out = set(), {}
    shown = [[] for _ in conditions]
    for file in files:
        name = str(file.relative)
        original = originals.get(file.relative.with_suffix(""))
        try:
            if original is None:
                raise PhotoError(f"{clean} holds no photo of that name")
            old, new = (read_photo(f.source).pixels for f in (original, file))
            if old.shape != new.shape:
                raise PhotoError(f"is {_size(new)}, the clean photo is {_size(old)}")
            matrix = aligner.matrix(old)
            if matrix is None:
                raise PhotoError(f"{NO_FACE} in the clean photo")
            again = aligner.matrix(new)
            posted = [condition.show(old, new, matrix) for condition in conditions]
        except (PhotoError, ValueError) as error:
            left_out[name] = str(error)
        else:
            names.append(name)
            people.append(person(original))
            contents.add(content(original))
            before.append(aligner.crop(old, matrix))
            compared.append(aligner.crop(new, matrix))
            after.append(aligner.crop(new, matrix if again is None else again))
            if again is None:
                lost.append(name)
            for pairs, pair in zip(shown, posted, strict=True):
                pairs.append(pair)
        advance(1)
    if not names:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in list(left_out.items())[:3])
        raise SettingsError(f"none of {len(files)} photos in {protected} can be judged ({reasons})")
    return Pairs(
        clean=Faces(tuple(names), tuple(people), np.stack(before)),
        protected=np.stack(after),
        compared=np.stack(compared),
        contents=frozenset(contents),
        lost=tuple(lost),
        left_out=left_out,
        posted=tuple(
            Posted.of(condition, names, pairs)
            for condition, pairs in zip(conditions, shown, strict=True)
        ),
    )


def align_faces(
    folder: Path,
    flag: str,
    aligner: Aligner,
    progress: Callable[[int], Callable],
    skip: Container[str] = (),
) -> tuple[Faces, dict[str, str]]:
    """One face of each photo of known people, and the photos that are left out, with the reason.

    Args:
      skip: hashes of photos that are passed over, see `content`.

    Raises:
      SettingsError: there is no face at all.
    """
    files = _photos(folder, flag)
    advance = progress(len(files))
    names, people, crops, left_out = [], [], [], {}
    for file in files:
        try:
            pixels = read_photo(file.source).pixels
            if content(file) in skip:
                raise PhotoError("is one of the clean photos, which would be found by itself")
            matrix = aligner.matrix(pixels)
            if matrix is None:
                raise PhotoError(NO_FACE)
        except PhotoError as error:
            left_out[str(file.relative)] = str(error)
        else:
            names.append(str(file.relative))
            people.append(person(file))
            crops.append(aligner.crop(pixels, matrix))
        advance(1)
    if not crops:
        name, reason = next(iter(left_out.items()))
        raise SettingsError(
            f"{flag} {folder}: none of its {len(files)} photos can be used ({name}: {reason})"
        )
    return Faces(tuple(names), tuple(people), np.stack(crops)), left_out


def content(file: PhotoFile) -> str:
    """A hash of a photo's file."""
    return hashlib.sha256(file.source.read_bytes()).hexdigest()


def person(file: PhotoFile) -> str:
    """Who is in a photo: `A_Name` of A_Name_0001.jpg, else the name of its folder."""
    match = re.fullmatch(r"(.+)_\d+", file.source.stem)
    return match[1] if match else file.source.parent.name


def _photos(folder: Path, flag: str) -> Sequence[PhotoFile]:
    try:
        files = find_photos([folder])
    except PhotoError as error:
        raise SettingsError(f"{flag}: {error}") from None
    if not files:
        raise SettingsError(f"{flag} {folder} holds no photos (.jpg, .jpeg, .png, .webp)")
    return files


def _size(pixels) -> str:
    return f"{pixels.shape[1]}x{pixels.shape[0]}"
