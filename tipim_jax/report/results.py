"""The results of a run: what results.json holds, field for field.

Cosines are in [-1, 1]. Rates are shares in [0, 1], each with the bounds of its 95 % interval, which
is Wilson's. PSNR is in dB, boxes and differences are in pixels, durations in seconds. None (JSON
null) is "could not be measured", never zero.
"""

import dataclasses
import math
from dataclasses import dataclass, field

from tipim_jax.identification import Estimate, Judge, Standings
from tipim_jax.report.typed_json import from_data, parsed, to_json

SCHEMA = 4

Setting = str | int | float | bool | None | tuple[str, ...]


@dataclass(frozen=True)
class Standing:
    """How one recogniser sees one face against the gallery.

    Attributes:
      own_cosine: to the nearest gallery photo of the same person; None if the gallery has none.
      own_rank: position of that photo in the gallery, from 1.
      target_cosine, target_rank: the same for the nearest gallery photo of any target identity.
    """

    own_cosine: float | None
    own_rank: int | None
    target_cosine: float | None
    target_rank: int | None

    @classmethod
    def each(cls, found: Standings) -> "list[Standing | None]":
        """One for each probe; None for those that are lost."""
        return [
            None
            if math.inf in (own_rank, target_rank)
            else cls(
                finite_or_none(own_cosine),
                None if math.isnan(own_rank) else int(own_rank),
                finite_or_none(target_cosine),
                None if math.isnan(target_rank) else int(target_rank),
            )
            for own_cosine, own_rank, target_cosine, target_rank in zip(*found, strict=True)
        ]


@dataclass(frozen=True)
class Scores:
    """One recogniser on one face, in the original and in the protected photo as it was saved.

    `protected` is None if the face was not found again in the saved photo.
    """

    clean: Standing
    protected: Standing | None


def _known(scores: Scores | None, threshold: float) -> bool:
    cosine = scores and scores.protected and scores.protected.own_cosine
    return cosine is not None and cosine >= threshold


@dataclass(frozen=True)
class Face:
    """One protected face.

    Attributes:
      box: left, top, width, height in the upright photo.
      identity: whose face it is, where that is known.
      target: the identity that the mask imitates.
      psnr, ssim: of the aligned crop; PSNR is None if nothing changed (it would be infinite).
      dssim: (1 - SSIM) / 2 in the face's box in the photo; None if too little of it is there.
      recognisers: by the recogniser's name.
    """

    box: tuple[int, int, int, int]
    identity: str | None
    target: str | None
    psnr: float | None
    ssim: float | None
    dssim: float | None
    recognisers: dict[str, Scores]


@dataclass(frozen=True)
class Photo:
    """One photo written: its paths relative to the input and to the output folder.

    Attributes:
      left_out: what the original holds beside its picture and the protected photo does not: "gain
        map", "depth map", "video", "further pictures".
    """

    input: str
    output: str
    faces: tuple[Face, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotProtected:
    """A file for which nothing was written, or in which not all faces are protected, and why.

    Attributes:
      failed: it is a photo, and what is to be done with photos could not be; otherwise there was no
        face to protect, or it is no photo.
    """

    input: str
    reason: str
    failed: bool = True


@dataclass(frozen=True)
class LeftAlone:
    """A photo not all of whose faces are protected as the user chose some, and why."""

    input: str
    reason: str


@dataclass(frozen=True)
class Rates:
    """Shares of the faces that could be measured, with 95 % intervals; None if there were none.

    Attributes:
      recognised: cosine to an own gallery photo at the recogniser's threshold or above.
      rank1_ut, rank5_ut: none of the nearest 1, 5 gallery photos is of the same person.
      rank1_t, rank5_t: at least one of the nearest 1, 5 is of a target identity.
    """

    recognised: Estimate | None
    rank1_ut: Estimate | None
    rank5_ut: Estimate | None
    rank1_t: Estimate | None
    rank5_t: Estimate | None

    @classmethod
    def of(cls, judge: Judge, found: Standings) -> "Rates":
        """Those of probes that stand there."""
        return cls(**judge.figures(found, [field.name for field in dataclasses.fields(cls)]))


@dataclass(frozen=True)
class RecogniserResult:
    """What a recogniser makes of the photos.

    Attributes:
      held_out: the masks were made without it.
      threshold: cosine from which it takes two faces for one person.
      false_match_rate: share of the pairs of different people among all the faces at hand whose
        cosine reaches the threshold: what chance gives. None if there are no such pairs.
      clean, protected: rates of the photos before and after.
    """

    name: str
    architecture: str
    held_out: bool
    threshold: float
    false_match_rate: float | None
    clean: Rates
    protected: Rates

    def recognises(self, cosine: float | None) -> bool:
        """Whether it takes two faces of this cosine for one person; None is no second face."""
        return cosine is not None and cosine >= self.threshold


@dataclass(frozen=True)
class Quality:
    """Means over the faces; the worst face; the greatest difference of any pixel of any photo."""

    psnr: float | None
    ssim: float | None
    dssim: float | None
    worst_dssim: float | None
    epsilon: float
    max_difference: int | None


@dataclass(frozen=True)
class TargetResult:
    origin: str
    identities: tuple[str, ...]


@dataclass(frozen=True)
class GalleryResult:
    origin: str
    images: int
    identities: int


@dataclass(frozen=True)
class Results:
    """All that a run measured, and with what."""

    schema: int = field(default=SCHEMA, kw_only=True)
    created: str  # ISO 8601 with the offset from UTC
    command: str
    device: str
    versions: dict[str, str]
    settings: dict[str, Setting]
    surrogates: tuple[str, ...]
    targets: TargetResult
    gallery: GalleryResult
    recognisers: tuple[RecogniserResult, ...]
    quality: Quality
    seconds: dict[str, float]
    photos: tuple[Photo, ...]
    not_protected: tuple[NotProtected, ...]
    left_alone: tuple[LeftAlone, ...] = ()

    def to_json(self) -> str:
        """As JSON text. ValueError names the field that holds what JSON or the schema cannot."""
        return to_json(self, "results")

    @staticmethod
    def from_json(text: str) -> "Results":
        """What `to_json` wrote. ValueError names the field that is missing, unknown or wrong."""
        data = parsed(text, "results")
        found = data.get("schema") if isinstance(data, dict) else None
        if found != SCHEMA:
            raise ValueError(
                f"results.schema: found {found!r}, expected {SCHEMA}; make the results again with "
                "this version of tipim_jax"
            )
        return from_data(Results, data, "results")

    def faces(self) -> list[Face]:
        return [face for photo in self.photos for face in photo.faces]

    def still_recognised(self) -> dict[str, list[str]]:
        """Photos with a face that is masked in vain, and the recognisers that know it still."""
        thresholds = {one.name: one.threshold for one in self.recognisers}
        found: dict[str, list[str]] = {}
        for photo in self.photos:
            by = [
                name
                for name, threshold in thresholds.items()
                if any(_known(face.recognisers.get(name), threshold) for face in photo.faces)
            ]
            if by:
                found[photo.input] = by
        return found

    def without_copies(self) -> tuple[LeftAlone, ...]:
        """Of `left_alone` the photos in which nobody was chosen, so that nothing was written."""
        # One that was written is in `photos`, or could not be read back.
        written = {one.input for one in (*self.photos, *self.not_protected)}
        return tuple(one for one in self.left_alone if one.input not in written)

    def left_out(self) -> dict[str, list[str]]:
        """What originals hold and protected photos do not, and which originals do."""
        found: dict[str, list[str]] = {}
        for photo in self.photos:
            for what in photo.left_out:
                found.setdefault(what, []).append(photo.input)
        return found


def finite_or_none(value: float) -> float | None:
    """A Python float, or None for an infinity or NaN, which JSON does not know."""
    return float(value) if math.isfinite(value) else None
