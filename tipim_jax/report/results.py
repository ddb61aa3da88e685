"""The results of a run: what results.json holds, field for field.

Cosines are in [-1, 1], rates are fractions in [0, 1], PSNR is in dB, boxes and differences are in
pixels, durations in seconds. None (JSON null) is "could not be measured", never zero.
"""

import dataclasses
import json
import math
import types
import typing
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

SCHEMA = 1

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


@dataclass(frozen=True)
class Scores:
    """One recogniser on one face, in the original and in the protected photo as it was saved.

    `protected` is None if the face was not found again in the saved photo.
    """

    clean: Standing
    protected: Standing | None


@dataclass(frozen=True)
class Face:
    """One protected face.

    Attributes:
      box: left, top, width, height in the upright photo.
      identity: whose face it is, where that is known.
      target: the identity that the mask imitates.
      psnr: None if nothing changed (it would be infinite).
      recognisers: by the recogniser's name.
    """

    box: tuple[int, int, int, int]
    identity: str | None
    target: str | None
    psnr: float | None
    ssim: float | None
    recognisers: dict[str, Scores]


@dataclass(frozen=True)
class Photo:
    """One photo written: its paths relative to the input and to the output folder."""

    input: str
    output: str
    faces: tuple[Face, ...]


@dataclass(frozen=True)
class NotProtected:
    """A file for which nothing was written, and why."""

    input: str
    reason: str


@dataclass(frozen=True)
class Rates:
    """Fractions of the faces that could be measured; None if there were none.

    Attributes:
      recognised: cosine to the own gallery photos greater than the recogniser's threshold.
      rank1_ut, rank5_ut: none of the nearest 1, 5 gallery photos is of the same person.
      rank1_t, rank5_t: at least one of the nearest 1, 5 is of a target identity.
    """

    recognised: float | None
    rank1_ut: float | None
    rank5_ut: float | None
    rank1_t: float | None
    rank5_t: float | None


@dataclass(frozen=True)
class Recogniser:
    """A recogniser that the photos were shown to; held out: the masks were made without it."""

    name: str
    architecture: str
    held_out: bool
    threshold: float
    clean: Rates
    protected: Rates


@dataclass(frozen=True)
class Quality:
    """Means over the faces, of the crops; the greatest difference of any pixel of any photo."""

    psnr: float | None
    ssim: float | None
    epsilon: float
    max_difference: int | None


@dataclass(frozen=True)
class Targets:
    origin: str
    identities: tuple[str, ...]


@dataclass(frozen=True)
class Gallery:
    origin: str
    images: int
    identities: int


@dataclass(frozen=True)
class Results:
    """All that a run measured, and with what."""

    created: str  # ISO 8601 with the offset from UTC
    command: str
    device: str
    versions: dict[str, str]
    settings: dict[str, Setting]
    surrogates: tuple[str, ...]
    targets: Targets
    gallery: Gallery
    recognisers: tuple[Recogniser, ...]
    quality: Quality
    seconds: dict[str, float]
    photos: tuple[Photo, ...]
    not_protected: tuple[NotProtected, ...]
    schema: int = field(default=SCHEMA, kw_only=True)

    def to_json(self) -> str:
        """As JSON text. ValueError names the field that holds what JSON or the schema cannot."""
        data = {"schema": self.schema} | dataclasses.asdict(self)
        _read(Results, data, "results")
        return json.dumps(data, indent=1, allow_nan=False) + "\n"

    @staticmethod
    def from_json(text: str) -> "Results":
        """What `to_json` wrote. ValueError names the field that is missing, unknown or wrong."""
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"results: no JSON ({error}); make the results again") from error
        found = data.get("schema") if isinstance(data, dict) else None
        if found != SCHEMA:
            raise ValueError(
                f"results.schema: found {found!r}, expected {SCHEMA}; make the results again with "
                "this version of tipim_jax"
            )
        return _read(Results, data, "results")

    def faces(self) -> list[Face]:
        return [face for photo in self.photos for face in photo.faces]


def rates(scores: Sequence[Scores], threshold: float) -> tuple[Rates, Rates]:
    """The rates of one recogniser over all faces: of the clean and of the protected photos.

    Both are fractions of the same faces, those that the gallery knows: of the same person for
    `recognised` and Rank-N-UT, of a target for Rank-N-T. A face that was not found again counts as
    not recognised, neither as itself nor as a target.
    """
    nobody = Standing(None, None, None, None)
    own = [score for score in scores if score.clean.own_rank is not None]
    targeted = [score for score in scores if score.clean.target_rank is not None]

    def of(own: list[Standing], targeted: list[Standing]) -> Rates:
        return Rates(
            recognised=_fraction(
                s.own_cosine is not None and s.own_cosine > threshold for s in own
            ),
            rank1_ut=_fraction(s.own_rank is None or s.own_rank > 1 for s in own),
            rank5_ut=_fraction(s.own_rank is None or s.own_rank > 5 for s in own),
            rank1_t=_fraction(s.target_rank is not None and s.target_rank <= 1 for s in targeted),
            rank5_t=_fraction(s.target_rank is not None and s.target_rank <= 5 for s in targeted),
        )

    return (
        of([score.clean for score in own], [score.clean for score in targeted]),
        of(
            [score.protected or nobody for score in own],
            [score.protected or nobody for score in targeted],
        ),
    )


def finite_or_none(value: float) -> float | None:
    """A Python float, or None for an infinity or NaN, which JSON does not know."""
    return float(value) if math.isfinite(value) else None


def _fraction(outcomes: Iterable[bool]) -> float | None:
    outcomes = list(outcomes)
    return sum(outcomes) / len(outcomes) if outcomes else None


def _read(expected, value, where: str):
    """`value`, as plain data, as the type `expected`; ValueError says `where` it is not that."""
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    if origin in (typing.Union, types.UnionType):
        for option in arguments:
            if _plainly(option, value):
                return _read(option, value, where)
    elif _plainly(expected, value):
        if dataclasses.is_dataclass(expected):
            return _read_fields(expected, value, where)
        if origin is dict:
            key_kind, item_kind = arguments
            return {
                _read(key_kind, key, where): _read(item_kind, item, f"{where}[{key!r}]")
                for key, item in value.items()
            }
        if origin is tuple:
            kinds = [arguments[0]] * len(value) if arguments[-1] is ... else list(arguments)
            if len(kinds) != len(value):
                raise ValueError(f"{where}: found {len(value)} values, expected {len(kinds)}")
            pairs = zip(kinds, value, strict=True)
            return tuple(_read(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(pairs))
        return float(value) if expected is float else value
    name = getattr(expected, "__name__", None) or str(expected)
    raise ValueError(f"{where}: found {value!r} ({type(value).__name__}), expected {name}")


def _read_fields(kind, value: dict, where: str):
    hints = typing.get_type_hints(kind)
    missing, unknown = sorted(hints.keys() - value.keys()), sorted(value.keys() - hints.keys())
    if missing or unknown:
        raise ValueError(f"{where}: fields missing: {missing}, fields unknown: {unknown}")
    return kind(
        **{name: _read(hint, value[name], f"{where}.{name}") for name, hint in hints.items()}
    )


def _plainly(expected, value) -> bool:
    """Whether `value` is of the kind that `expected` is written as in JSON."""
    if expected is float:
        return type(value) in (int, float) and math.isfinite(value)
    if expected is type(None):
        return value is None
    if dataclasses.is_dataclass(expected):
        return isinstance(value, dict)
    origin = typing.get_origin(expected)
    if origin is tuple:
        return isinstance(value, list | tuple)
    return type(value) is (origin or expected)
