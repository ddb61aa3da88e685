"""Measures what the masks do, on the protected photos as they were saved."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from tipim_jax.attack.gallery import Identity
from tipim_jax.attack.scan import AlignedFace, ScannedPhoto, aligned_faces
from tipim_jax.identification import greatest_difference, locate, psnr, ssim
from tipim_jax.photos import FaceDetector, crop, read_photo
from tipim_jax.report import FacePictures, Scores, Standing, face_pictures, finite_or_none


@dataclass(frozen=True, eq=False)
class SavedPhoto:
    """A protected photo read back.

    Attributes:
      found: for each face of the original the crop that a detector finds there now, or None.
      psnr, ssim: of each face's crop; PSNR is None where nothing changed.
      difference: the greatest of any pixel of the photo.
      pictures: of each face, for the report.
    """

    found: tuple[Float[np.ndarray, "112 112 3"] | None, ...]
    psnr: tuple[float | None, ...]
    ssim: tuple[float, ...]
    difference: int
    pictures: tuple[FacePictures, ...]


def read_back(
    photo: ScannedPhoto, saved: Path, detector: FaceDetector, *, with_pictures: bool
) -> SavedPhoto:
    """Reads a protected photo, finds and aligns its faces anew, and compares it with the original.

    Raises:
      PhotoError: the original or the protected photo cannot be read.
    """
    before, after = read_photo(photo.file.source).pixels, read_photo(saved).pixels
    again = aligned_faces(after, detector)
    clean, protected = (
        np.rint(np.stack([crop(pixels, face.matrix) for face in photo.faces])).astype(np.uint8)
        for pixels in (before, after)
    )
    return SavedPhoto(
        found=tuple(_same_face(face, again) for face in photo.faces),
        psnr=tuple(finite_or_none(value) for value in psnr(clean, protected)),
        ssim=tuple(float(value) for value in ssim(clean, protected)),
        difference=greatest_difference(before, after),
        pictures=tuple(
            face_pictures(before, after, tuple(int(side) for side in face.box))
            for face in photo.faces
        )
        if with_pictures
        else (),
    )


def _same_face(face: AlignedFace, candidates: Sequence[AlignedFace]):
    """The crop of the candidate whose centre is nearest, if that lies within the face."""
    if not candidates:
        return None

    def distance(other):
        return np.linalg.norm((other.box - face.box)[:2] + (other.box - face.box)[2:] / 2)

    nearest = min(candidates, key=distance)
    return nearest.crop if distance(nearest) < face.box[2:].min() / 2 else None


@dataclass(frozen=True, eq=False)
class Search:
    """The gallery that all probes are searched for in, the same for every recogniser.

    Attributes:
      rows: its images, as rows of the gallery's, the targets' and the probes' embeddings stacked.
      identities: a number for each of them.
      own: the number of each probe's identity.
      targets: the numbers of the target identities.
      excluded: by probe and image, whether the image is the very photo of the probe.
    """

    rows: np.ndarray
    identities: np.ndarray
    own: np.ndarray
    targets: np.ndarray
    excluded: np.ndarray

    @classmethod
    def of(
        cls,
        gallery: Sequence[Identity],
        targets: Sequence[Identity],
        probes: Sequence[Identity],
    ) -> "Search":
        """Joins the gallery, and adds to it who is not there.

        A probe whose person is not in the gallery is searched for among the other given faces of
        that person, or, if there is none, with the unprotected photo itself in the gallery: the
        hardest case. A target that is not in the gallery is there with its optimisation image.

        Args:
          gallery, targets, probes: whose face each image of theirs shows.
        """
        everybody = [*gallery, *targets, *probes]
        first_target, first_probe = len(gallery), len(gallery) + len(targets)
        known = set(gallery)
        rows = [n for n, who in enumerate(everybody) if n < first_target or who not in known]
        names = [everybody[row] for row in rows]
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        excluded = np.zeros((len(probes), len(rows)), bool)
        for place, row in enumerate(rows):
            if row >= first_probe:
                excluded[row - first_probe, place] = names.count(everybody[row]) > 1
        return cls(
            rows=np.array(rows, int),
            identities=np.array([numbers[name] for name in names], int),
            own=np.array([numbers[name] for name in probes], int),
            targets=np.array([numbers[name] for name in dict.fromkeys(targets)], int),
            excluded=excluded,
        )

    def standings(
        self,
        embeddings: Float[np.ndarray, "gallery_targets_probes dim"],
        probes: Float[np.ndarray, "some dim"],
        which: Int[np.ndarray, " some"],
    ) -> list[Standing]:
        """Where a recogniser puts some of the probes.

        Args:
          embeddings: of the gallery's, the targets' and the unprotected probes' faces, stacked.
          probes: what is searched for.
          which: the number of each of these probes.
        """
        gallery, excluded = embeddings[self.rows], self.excluded[which]
        wanted = (self.own[which][:, None], np.tile(self.targets, (len(which), 1)))
        own, target = (
            locate(gallery, self.identities, probes, numbers, excluded) for numbers in wanted
        )
        columns = (own.cosine, own.position, target.cosine, target.position)
        return [
            Standing(
                finite_or_none(own_cosine),
                int(own_rank) or None,
                finite_or_none(target_cosine),
                int(target_rank) or None,
            )
            for own_cosine, own_rank, target_cosine, target_rank in zip(
                *map(np.asarray, columns), strict=True
            )
        ]


def scores(
    search: Search,
    embeddings: Float[np.ndarray, "gallery_targets_probes dim"],
    found: Sequence[Float[np.ndarray, " dim"] | None],
) -> list[Scores]:
    """Where a recogniser puts every probe, before and after.

    Args:
      search: the gallery.
      embeddings: as in `Search.standings`.
      found: of the probes' faces in the saved photos; None where none was found any more.
    """
    every = np.arange(len(found))
    clean = search.standings(embeddings, embeddings[len(embeddings) - len(found) :], every)
    protected: list[Standing | None] = [None] * len(found)
    there = np.array([n for n in every if found[n] is not None], int)
    if there.size:
        probes = np.stack([found[n] for n in there])
        for n, standing in zip(there, search.standings(embeddings, probes, there), strict=True):
            protected[n] = standing
    return [Scores(*pair) for pair in zip(clean, protected, strict=True)]
