"""Protected photos beside the clean ones: their faces, one pair after the other."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from tipim_jax.configuration import SettingsError
from tipim_jax.datasets import face_key, person
from tipim_jax.evaluate.finding import CentralFace
from tipim_jax.evaluate.posted import Condition, PostedPair
from tipim_jax.identification import Embeddings, PhotoFaces, Recogniser, Shown, embed, face_changes
from tipim_jax.photos import NO_FACE, PhotoError, PhotoFile, find_photos, read_photo
from tipim_jax.photos.posting import AS_SAVED


@dataclass(frozen=True, eq=False)
class PhotoPair:
    """A protected photo and the clean one that it was made of."""

    name: str
    clean: PhotoFile | None
    protected: PhotoFile


@dataclass(frozen=True, eq=False)
class Posted:
    """All pairs after being posted in one way, or as they were saved.

    Attributes:
      name: Name of the condition.
      clean, protected: Embeddings of the faces by each recogniser.
      lost_clean, lost: Names of the photos in which no face is found any more.
    """

    name: str
    clean: Embeddings
    protected: Embeddings
    lost_clean: tuple[str, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class EmbeddedPairs:
    """What recognisers make of the faces of the pairs.

    Attributes:
      clean: Faces of the clean photos that can be judged; their names are the protected ones'.
      posted: The faces as they were saved, then as they are after being posted in several ways.
      changes: How much each face was changed where it is in the clean photo (`face_changes`).
      keys: Keys of the crops of all faces (`face_key`), posted ones excepted.
      left_out: Names of the other photos, and why they are not judged.
    """

    clean: PhotoFaces
    posted: tuple[Posted, ...]
    changes: dict[str, Float[np.ndarray, " pairs"]]
    keys: frozenset[bytes]
    left_out: dict[str, str]


def pair_photos(protected: Path, clean: Path) -> list[PhotoPair]:
    """Every protected photo with the clean one of the same name, whatever the format.

    They are paired as `photos.output_paths` names copies: a.heic.jpg is that of a.heic, and where
    there are a.heic and a.jpg, a.jpg is that of the latter.

    Raises:
      SettingsError: one of the folders holds no photos.
    """
    originals = photos(clean, "--clean")
    by_stem = {file.relative.with_suffix(""): file for file in originals}
    by_name = {file.relative: file for file in originals}

    def original(name: Path) -> PhotoFile | None:
        stem = name.with_suffix("")  # where two would meet it is the clean photo's whole name
        return by_name.get(stem) or by_name.get(name) or by_stem.get(stem)

    return [
        PhotoPair(str(file.relative), original(file.relative), file)
        for file in photos(protected, "PROTECTED")
    ]


def show_pairs(
    pairs: Sequence[PhotoPair],
    recognisers: dict[str, Recogniser],
    finder: CentralFace,
    conditions: Sequence[Condition],
    progress: Callable[[float], None],
) -> EmbeddedPairs:
    """Shows the faces of all pairs to the recognisers; one pair is in memory at a time.

    Args:
      conditions: ways to post the photos.
      progress: called with the number of pairs just done.

    Raises:
      SettingsError: there is nothing to judge.
    """
    networks = [recogniser.looking for recogniser in recognisers.values()]
    reading = _Reading(pairs, networks, finder, conditions, progress)
    found = embed(recognisers, reading.faces())
    if not reading.names:
        reasons = (f"{name}: {why}" for name, why in [*reading.left_out.items()][:3])
        raise SettingsError(f"none of {len(pairs)} photos can be judged ({'; '.join(reasons)})")
    names = [str(AS_SAVED), *(condition.name for condition in conditions)]
    shape = (len(reading.names), len(names), 2)
    found = {name: rows.reshape(*shape, -1) for name, rows in found.items()}
    return EmbeddedPairs(
        clean=reading.clean(),
        posted=tuple(
            Posted(
                condition,
                *({name: rows[:, n, k] for name, rows in found.items()} for k in (0, 1)),
                *(tuple(lost[n]) for lost in (reading.lost_clean, reading.lost)),
            )
            for n, condition in enumerate(names)
        ),
        changes={
            name: np.concatenate([change[name] for change in reading.changes])
            for name in reading.changes[0]
        },
        keys=frozenset(reading.keys),
        left_out=reading.left_out,
    )


class _Reading:
    """Reads pairs, and notes what is to be known of them besides their faces."""

    def __init__(self, pairs, networks, finder, conditions, progress):
        self._pairs, self._networks, self._progress = pairs, networks, progress
        self._finder, self._conditions = finder, conditions
        self.names, self.changes, self.left_out = [], [], {}
        self._files, self._places = [], []
        self.lost_clean, self.lost = ([[] for _ in (AS_SAVED, *conditions)] for _ in range(2))
        self.keys = set()

    def faces(self) -> Iterator[Shown]:
        """Of each pair, as saved and for each condition, the clean face and the protected one."""
        for pair in self._pairs:
            try:
                shown = self._look(pair)
            except (PhotoError, ValueError) as error:
                self.left_out[pair.name] = str(error)
            else:
                yield from shown
            self._progress(1)

    def clean(self) -> PhotoFaces:
        """The clean faces, to be looked at again."""
        files = self._files
        return PhotoFaces(
            names=tuple(self.names),
            people=tuple(map(person, files)),
            faces=tuple(self._places),
            contents=tuple(map(content, files)),
            read=lambda number: files[number].source.read_bytes(),
            ready=self._finder.detector is None,
        )

    def _look(self, pair: PhotoPair) -> list[Shown]:
        if pair.clean is None:
            raise PhotoError("--clean holds no photo of that name")
        old, new = (read_photo(file.source).pixels for file in (pair.clean, pair.protected))
        if old.shape != new.shape:
            raise PhotoError(f"is {_size(new)}, the clean photo is {_size(old)}")
        place = self._finder.find(old)
        if place is None:
            raise PhotoError(f"{NO_FACE} in the clean photo")
        again = self._finder.find(new)
        before, compared = (self._finder.show(pixels, place) for pixels in (old, new))
        after = compared if again is None else self._finder.show(new, again)
        posted = [PostedPair(before, after, lost_clean=False, lost=again is None)]
        # What networks look at is kept, and not the posted photos, of which there are many.
        posted += [
            condition.post(old, new, place).looked_at_by(self._networks)
            for condition in self._conditions
        ]
        self.names.append(pair.name)
        self._files.append(pair.clean)
        self._places.append(place)
        self.changes.append(face_changes(before, compared))
        self.keys.update(face_key(face.crop) for face in (before, compared, after))
        for one, lost_clean, lost in zip(posted, self.lost_clean, self.lost, strict=True):
            lost_clean += [pair.name] * one.lost_clean
            lost += [pair.name] * one.lost
        return [face for one in posted for face in (one.clean, one.protected)]


def content(file: PhotoFile) -> str:
    """A hash of a photo's file."""
    return hashlib.sha256(file.source.read_bytes()).hexdigest()


def photos(folder: Path, flag: str) -> Sequence[PhotoFile]:
    """The photos in a folder that a flag names.

    Raises:
      SettingsError: there is none.
    """
    try:
        files = find_photos([folder])
    except PhotoError as error:
        raise SettingsError(f"{flag}: {error}") from None
    if not files:
        raise SettingsError(f"{flag} {folder} holds no photos")
    return files


def _size(pixels) -> str:
    return f"{pixels.shape[1]}x{pixels.shape[0]}"
