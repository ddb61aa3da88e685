"""Whose faces are masked, where somebody wants that of some alone.

By size, in pixels of the face's box, and by recognition: two networks compare a face with photos of
the people who are named. Only where both take the two for one person, each by its own threshold, is
the face surely theirs; where one of them does, it may be.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from tipim_jax.engine.found import FaceOutcome
from tipim_jax.identification import PhotoFace, Recogniser, normalise
from tipim_jax.photos import NO_FACE, UNSURE, YUNET, Face, FaceDetector, PhotoError, read_photo
from weights_convert import obtain

# Everybody may use them, and they know one pair of strangers in a thousand by their own thresholds.
RECOGNISERS = ("sface", "mobileface-mv")


class Chosen(NamedTuple):
    """Which of a photo's faces are masked.

    Attributes:
      faces: Those.
      unsure: Those that would be, were it sure how they lie.
      doubts: Of each of `faces`, why it may be one that was to be left alone; empty: of none.
      left: The others, which are left alone, and why.
    """

    faces: tuple[Face, ...]
    unsure: tuple[Face, ...]
    doubts: tuple[str | None, ...] = ()
    left: tuple[FaceOutcome, ...] = ()


class Chooser:
    """Chooses faces; may be shared by threads.

    Attributes:
      recognisers: Networks with thresholds; none are asked where no people are named.
      decides: Stands for all that decides its choice besides the photo.
    """

    @classmethod
    def load(
        cls, *, smallest: float = 0, only: Sequence[Path] = (), spared: Sequence[Path] = ()
    ) -> "Chooser":
        """With what it takes; arguments and errors as `Chooser`.

        Raises:
          ConversionError: weights cannot be had.
        """
        return cls(
            smallest=smallest,
            only=only,
            spared=spared,
            detector=FaceDetector(obtain(YUNET)),
            recognisers={name: Recogniser.load(name) for name in RECOGNISERS if only or spared},
        )

    def __init__(
        self,
        *,
        smallest: float = 0,
        only: Sequence[Path] = (),
        spared: Sequence[Path] = (),
        detector: FaceDetector,
        recognisers: Mapping[str, Recogniser],
    ):
        """Reads the photos of the people.

        Args:
          smallest: Pixels that the longer side of a face's box has to have; 0: any.
          only: Photos, of one face each, of the people who are masked; none: everybody.
          spared: Photos of people who are not.
          detector: Finds the faces in these photos.
          recognisers: See above.

        Raises:
          PhotoError: one of the photos cannot be read, or shows another number of faces than one.
        """
        self._smallest = smallest
        self.recognisers = dict(recognisers)
        self._only = [self._person(path, "--only", detector) for path in only]
        self._spared = [self._person(path, "--except", detector) for path in spared]
        digest = hashlib.sha256(repr(float(smallest)).encode())
        for people in (self._only, self._spared):
            digest.update(b"people")
            for known in sorted(person.digest for person in people):
                digest.update(known)
        if only or spared:
            for one in self.recognisers.values():
                digest.update(one.digest.encode())
        self.decides = digest.hexdigest()

    def __call__(
        self,
        pixels: UInt8[np.ndarray, "height width 3"],
        faces: Sequence[Face],
        unsure: Sequence[Face] = (),
    ) -> Chosen:
        """Chooses among the faces of a photo; of those that are unsure by their size alone."""
        found = [(face, self._small(face) or self._by_person(pixels, face)) for face in faces]
        lying = [(face, self._small(face)) for face in unsure]
        masked = [(face, said) for face, said in found if said is None or said.protected]
        return Chosen(
            faces=tuple(face for face, _ in masked),
            unsure=tuple(face for face, small in lying if small is None),
            doubts=tuple(said and said.reason for _, said in masked),
            left=tuple(said for _, said in (*found, *lying) if said and not said.protected),
        )

    def _small(self, face: Face) -> FaceOutcome | None:
        """What is said of a face that is left alone for its size."""
        if max(face.box[2:]) >= self._smallest:
            return None
        width, height = (round(float(side)) for side in face.box[2:])
        reason = f"smaller than {self._smallest:g} pixels ({width} × {height})"
        return FaceOutcome(face, None, False, reason, by_choice=True)

    def _by_person(self, pixels, face: Face) -> FaceOutcome | None:
        """What is said of a face that is left alone for whose it is, or is masked in doubt."""
        if not (self._only or self._spared):
            return None
        looks = self._embeddings(pixels, face)
        surely, perhaps = _like(looks, self._only)
        if self._only and not surely:
            if perhaps:
                reason = (
                    f"it may be the face in {perhaps}, but that is not sure; give --only another "
                    "photo of that person, too, or mask all faces"
                )
                return FaceOutcome(face, None, False, reason)
            return FaceOutcome(face, None, False, f"not the face in {_names(self._only)}", True)
        surely, perhaps = _like(looks, self._spared)
        if surely:
            return FaceOutcome(face, None, False, f"the face in {surely}", by_choice=True)
        if perhaps:
            doubt = f"masked, as it may be the face in {perhaps}, but that is not sure"
            return FaceOutcome(face, None, True, doubt, by_choice=True)
        return None

    def _embeddings(self, pixels, face: Face) -> dict[str, Float[np.ndarray, " dim"]]:
        shown = PhotoFace(pixels, face)
        return {
            name: np.asarray(normalise(one(shown.to(one.looking)[None])))[0]
            for name, one in self.recognisers.items()
        }

    def _person(self, path: Path, flag: str, detector: FaceDetector) -> "_Person":
        photo = read_photo(path, first_frame=True)
        faces, unsure = detector.find(photo.pixels)
        if len(faces) != 1:
            found = f"{len(faces)} faces" if faces else UNSURE if unsure else NO_FACE
            raise PhotoError(f"{flag} {path}: expected a photo of one face, of one person: {found}")
        content = hashlib.sha256(photo.pixels.tobytes()).digest()
        likeness = {
            name: (found, self.recognisers[name].network.threshold)
            for name, found in self._embeddings(photo.pixels, faces[0]).items()
        }
        return _Person(str(path), likeness, content)


class _Person(NamedTuple):
    """One who is named by a photo: what each network makes of it, and its threshold."""

    name: str
    likeness: dict[str, tuple[Float[np.ndarray, " dim"], float]]
    digest: bytes


def _like(looks, people: Sequence[_Person]) -> tuple[str | None, str | None]:
    """Whose face it surely is, and whose it may be, by names."""
    surely = perhaps = None
    for person in people:
        says = [
            float(looks[name] @ known) >= threshold
            for name, (known, threshold) in person.likeness.items()
        ]
        if all(says):
            surely = surely or person.name
        elif any(says):
            perhaps = perhaps or person.name
    return surely, perhaps


def _names(people: Sequence[_Person]) -> str:
    return " or ".join(person.name for person in people)
